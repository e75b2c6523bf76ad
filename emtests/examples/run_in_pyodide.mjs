// Runs a Python program in Pyodide under Node, with wheels and folders on its path:
//   node run_in_pyodide.mjs PYODIDE PROGRAM PATH...
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [pyodideFolder, program, ...paths] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(path.join(pyodideFolder, "pyodide.mjs")));
const pyodide = await loadPyodide();
for (const [number, each] of paths.entries()) {
  const mounted = `/mounted${number}`;
  pyodide.FS.mkdirTree(mounted);
  const isWheel = each.endsWith(".whl");
  pyodide.mountNodeFS(mounted, isWheel ? path.dirname(each) : each);
  const place = isWheel ? `${mounted}/${path.basename(each)}` : mounted;
  pyodide.runPython(`import sys; sys.path.insert(0, ${JSON.stringify(place)})`);
}
try {
  pyodide.runPython(program);
} catch (error) {
  console.error(String(error.message).slice(-4000));
  process.exit(1);
}
