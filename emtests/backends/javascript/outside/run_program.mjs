// Runs a program in one Pyodide or in two that share memory, under Node. Its only argument is JSON:
//   pyodide   folder of the Pyodide release
//   modules   folder that npm put other people's modules into, which Python sees as /modules
//   checkout  the checkout, which Python sees as /project
//   program   the name of a module with `async def run(...)`
//   shared    nothing, or what two Pyodides in two workers share: "SharedArrayBuffer", "WebAssembly.Memory"
// Prints what `run` returned, a line for each Pyodide.
import process from "node:process";
import { pathToFileURL } from "node:url";
import { Worker, isMainThread, workerData } from "node:worker_threads";

const configuration = isMainThread ? JSON.parse(process.argv[2]) : workerData.configuration;

async function run(shared, role) {
  const { loadPyodide } = await import(pathToFileURL(`${configuration.pyodide}/pyodide.mjs`));
  const pyodide = await loadPyodide({ env: { HOME: "/home/pyodide", PYTHONDONTWRITEBYTECODE: "1" } });
  for (const [name, folder] of [["/project", configuration.checkout], ["/modules", configuration.modules]]) {
    pyodide.FS.mkdirTree(name);
    pyodide.mountNodeFS(name, folder);
  }
  const load = (path) => import(new URL(path, `${pathToFileURL(configuration.modules)}/`));
  pyodide.registerJsModule("emtests_surroundings", { shared, role, load });
  pyodide.runPython(`import sys; sys.path.insert(0, "/project")`);
  console.log(await pyodide.runPythonAsync(`from ${configuration.program} import run; await run()`));
}

function makeShared(kind) {
  if (kind === "SharedArrayBuffer") return new SharedArrayBuffer(65536, { maxByteLength: 1 << 24 });
  return new WebAssembly.Memory({ initial: 1, maximum: 256, shared: true });
}

if (!isMainThread) {
  await run(workerData.shared, workerData.role);
} else if (configuration.shared) {
  const shared = { memory: makeShared(configuration.shared), control: new SharedArrayBuffer(64) };
  for (const role of ["first", "second"]) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { configuration, shared, role } });
    worker.on("error", (error) => {
      console.error(String(error?.message ?? error).slice(-3000));
      process.exit(1);
    });
  }
} else {
  run(null, "only").then(
    () => process.exit(0),
    (error) => {
      // Node would print the line of code that failed, and in Pyodide that line has a million characters.
      console.error(String(error?.message ?? error).slice(-3000));
      process.exit(1);
    },
  );
}
