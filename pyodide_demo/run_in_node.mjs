// Runs pyodide_demo/program.py in Pyodide under Node.
//
//   node run_in_node.mjs DISTRIBUTION WHEEL SOURCE WORK ARGUMENT...
//
// DISTRIBUTION is the folder of Pyodide, WHEEL is installed into it, SOURCE is the folder of the program, and
// ARGUMENTs are the program's own, relative to the folder WORK. Every line on standard output is one of progress.
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

const [distribution, wheel, source, work, ...argv] = process.argv.slice(2);
const moduleUrl = pathToFileURL(join(distribution, "pyodide.mjs")).href;

try {
  console.log(`Starting Pyodide in Node.js ${process.versions.node} ...`);
  const { loadPyodide } = await import(moduleUrl);
  const pyodide = await loadPyodide({ env: { HOME: "/home/pyodide", PYTHONDONTWRITEBYTECODE: "1" } });

  console.log(`Installing ${basename(wheel)} in Pyodide ${pyodide.version} ...`);
  await pyodide.loadPackage(pathToFileURL(wheel).href, { messageCallback: () => {} });

  console.log("Running the program in Pyodide ...");
  for (const [place, folder] of [["/program/pyodide_demo", source], ["/work", work]]) {
    pyodide.FS.mkdirTree(place);
    pyodide.mountNodeFS(place, folder);
  }
  pyodide.runPython(
    `
import os, sys
os.chdir("/work")
sys.path.insert(0, "/program")
from pyodide_demo.program import main
main(list(argv))
`,
    { locals: pyodide.toPy({ argv }) },
  );
} catch (error) {
  // Left to itself, Node prints the line that threw; in Pyodide's minified script that is a megabyte.
  console.error(String(error?.message ?? error));
  process.exitCode = 1;
}
