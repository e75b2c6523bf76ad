// Runs the tests in a Python of their own, so that they can be ended at any time and harm nobody's heap.
//
// The tests themselves evaluate JavaScript, so this worker, unlike the rest of the page, may do that.

import { Downloads, fetchFile } from "../worker/downloads.js";
import { lastLine } from "../worker/python.js";
import { loadModules } from "./modules.mjs";

/** @import { Site } from "../protocol.d.ts" */
/** @import { Pyodide } from "../worker/pyodide.d.ts" */

/**
 * @param {string} kind what happened
 * @param {string} test to which test
 * @param {string} words
 */
const tell = (kind, test, words) => self.postMessage({ kind, test, words });

// Relative addresses are those of this worker.
const base = new URL("../", self.location.href).href;
const address = (/** @type {string} */ relative) => new URL(relative, base).href;

/**
 * @param {Pyodide} pyodide
 * @param {string} name
 */
async function unpack(pyodide, name) {
  const archive = await (await fetchFile(address(`tests/${name}.zip`))).arrayBuffer();
  pyodide.FS.mkdirTree(`/${name}`);
  pyodide.unpackArchive(archive, "zip", { extractDir: `/${name}` });
}

/** @param {{ parts: string[], site: Site }} wanted */
async function run({ parts, site }) {
  tell("stage", "", "Starting another Python …");
  const folder = address(site.pyodide);
  const downloads = new Downloads(site, base, () => {});
  const { loadPyodide } = await import(`${folder}pyodide.mjs`);
  const env = { HOME: "/home/pyodide", HYPOTHESIS_STORAGE_DIRECTORY: "/tmp/hypothesis" };
  const pyodide = await downloads.serve(() => loadPyodide({ indexURL: folder, env }));
  const quiet = { write: (/** @type {Uint8Array} */ bytes) => bytes.length, isatty: false };
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

self.addEventListener("message", ({ data }) => {
  run(data).catch((error) => {
    console.error(error);
    tell("broken", "", lastLine(error));
  });
});
