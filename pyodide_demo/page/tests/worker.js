// Runs the tests in a Python of their own, so that they can be ended at any time and harm nobody's heap.
//
// The tests themselves evaluate JavaScript, so this worker, unlike the rest of the page, may do that.

import { fetchFile, watchDownloads } from "../worker/downloads.js";
import { loadModules } from "./modules.mjs";

const tell = (kind, test, words) => self.postMessage({ kind, test, words });

// Relative addresses are those of this worker.
const address = (relative) => new URL(`../${relative}`, self.location.href).href;

async function unpack(pyodide, name) {
  const archive = await fetchFile(address(`tests/${name}.zip`), "arrayBuffer");
  pyodide.FS.mkdirTree(`/${name}`);
  pyodide.unpackArchive(archive, "zip", { extractDir: `/${name}` });
}

async function run({ parts }) {
  tell("stage", "", "Starting another Python …");
  const site = await fetchFile(address("site.json"), "json");
  const { loadPyodide } = await import(address(`${site.pyodide}pyodide.mjs`));
  const env = { HOME: "/home/pyodide", HYPOTHESIS_STORAGE_DIRECTORY: "/tmp/hypothesis" };
  const pyodide = await watchDownloads(() => loadPyodide({ indexURL: address(site.pyodide), env }), () => {});
  const quiet = { write: (bytes) => bytes.length, isatty: false };
  pyodide.setStdout(quiet);
  pyodide.setStderr(quiet);
  tell("stage", "", "Fetching the tests …");
  await Promise.all([unpack(pyodide, "project"), unpack(pyodide, "site")]);
  const isolated = self.crossOriginIsolated;
  if (isolated) pyodide.registerJsModule("emtests_modules", await loadModules(address(site.modules)));
  pyodide.runPython(`import sys; sys.path[:0] = ["/project", "/site"]`);
  tell("stage", "", isolated ? "Collecting the tests …" : "Collecting the tests, without those that share memory …");
  // Not awaited in Python: a fatal error is thrown by this call, and a promise of it would never settle.
  const runTests = pyodide.pyimport("pyodide_demo.page_tests").run_tests;
  const code = runTests.callKwargs(pyodide.toPy(parts), tell, { folder: "/project", shared_memory: isolated });
  tell("ended", "", String(code));
}

self.onmessage = ({ data }) => {
  run(data).catch((error) => {
    console.error(error);
    tell("broken", "", String(error?.message ?? error).trim().split("\n").at(-1));
  });
};
