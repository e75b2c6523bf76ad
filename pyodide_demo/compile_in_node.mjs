// Compiles a wheel for the Python of a Pyodide release; see compile_wheel.py.
//
//   node compile_in_node.mjs DISTRIBUTION WHEEL SOURCE FOLDER
//
// DISTRIBUTION is the folder of Pyodide, SOURCE that of this package; FOLDER gets the compiled wheel.
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const [distribution, wheel, source, folder] = process.argv.slice(2);

try {
  const { loadPyodide } = await import(pathToFileURL(join(distribution, "pyodide.mjs")).href);
  const pyodide = await loadPyodide({ env: { HOME: "/home/pyodide", PYTHONDONTWRITEBYTECODE: "1" } });
  const places = { "/source": dirname(wheel), "/program/pyodide_demo": source, "/folder": folder };
  for (const [place, mounted] of Object.entries(places)) {
    pyodide.FS.mkdirTree(place);
    pyodide.mountNodeFS(place, mounted);
  }
  pyodide.runPython(
    `
import sys
from pathlib import Path
sys.path.insert(0, "/program")
from pyodide_demo.compile_wheel import compile_wheel
compile_wheel(Path("/source") / name, Path("/folder"))
`,
    { locals: pyodide.toPy({ name: basename(wheel) }) },
  );
} catch (error) {
  // Left to itself, Node prints the line that threw; in Pyodide's minified script that is a megabyte.
  console.error(String(error?.message ?? error));
  process.exitCode = 1;
}
