// Loads emheap from a lock file and a folder of wheels, both named in the file of JSON given, without
// any network. Prints what a few lines of Python make of it.
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const PROGRAM = `
import emheap

heap = emheap.open()
with heap.alloc(emheap.int32, 6) as number:
    number.value *= 7
    answer = number.value
f"{answer} {heap.total_allocated_byte_size} {emheap.__file__}"
`;

globalThis.fetch = (address) => {
  throw new Error(`the network was asked for ${address}`);
};

const { pyodide: folder, lock, wheels, packages } = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const { loadPyodide } = await import(pathToFileURL(path.join(folder, "pyodide.mjs")));
const pyodide = await loadPyodide({
  lockFileContents: fs.readFileSync(lock, "utf8"),
  packageBaseUrl: `${wheels}/`,
  packages,
});
if (!packages.length) await pyodide.loadPackage("emheap");
console.log(pyodide.runPython(PROGRAM));
