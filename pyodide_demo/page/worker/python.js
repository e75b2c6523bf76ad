// Starts Python in this worker.

import { Downloads, Problem } from "./downloads.js";
import { KeptMemory } from "./kept_memory.js";

/** @import { News, Site } from "../protocol.d.ts" */
/** @import { PyProxy, Pyodide, PyodideModule } from "./pyodide.d.ts" */

const PROGRAM = "/program";

/** @typedef {Awaited<ReturnType<typeof startPython>>} Surroundings what the panels' tasks are given */

/**
 * Start Python with the panels' programs and one heap for all of them. Throws Problem.
 * @param {Site} site
 * @param {string} base the address of the page
 * @param {(stage: News["stage"]) => void} report
 */
export async function startPython(site, base, report) {
  const { pyodide, keep } = await startPyodide(site, base, report);

  /** @type {Map<string, PyProxy>} */
  const modules = new Map();
  /** @param {string} name */
  const module = (name) => {
    // Each import makes a proxy, and frames come many times a second.
    if (!modules.has(name)) modules.set(name, pyodide.pyimport(`pyodide_demo.${name}`));
    return modules.get(name);
  };
  const heap = pyodide.pyimport("emheap").open.callKwargs({ count_allocations: true });
  const observer = module("heap_map").Observer();
  observer.add("Python's heap", heap);
  return {
    site,
    base,
    pyodide,
    program: module,
    heap,
    keep,
    observer,
    runtime: /** @type {string} */ (module("program").runtime()),
  };
}

/**
 * Start Pyodide with the programs in it, from the memory that an earlier start kept if there is one.
 * @param {Site} site
 * @param {string} base
 * @param {(stage: News["stage"]) => void} report
 * @returns {Promise<{ pyodide: Pyodide, keep: () => void }>} with what keeps its memory for the next start
 */
async function startPyodide(site, base, report) {
  const memory = new KeptMemory(site, base);
  const kept = memory.read();
  try {
    const pyodide = await loadPyodide(site, base, report, kept);
    if ((await kept) === undefined) return { pyodide, keep: prepare(pyodide, memory) };
    pyodide.pyimport("pyodide_demo.compiled").start_again();
    return { pyodide, keep() {} };
  } catch (error) {
    if (error instanceof Problem) throw error;
    if ((await kept) === undefined) throw new Problem(`Python could not be started: ${lastLine(error)}`);
    console.warn(`A kept memory could not be used: ${lastLine(error)}`);
    await memory.drop();
    return await startPyodide(site, base, report);
  }
}

/**
 * Compile the programs in a Python that never ran before, and copy its memory, which they change as they run.
 * @param {Pyodide} pyodide
 * @param {KeptMemory} memory
 * @returns {() => void} what begins to write the copy: the browser needs a second for that
 */
function prepare(pyodide, memory) {
  pyodide.runPython(`import sys; sys.path.insert(0, "${PROGRAM}")`);
  if (!("caches" in self)) return () => {};
  pyodide.pyimport("pyodide_demo.compiled").compile_all(PROGRAM);
  // With this option Python would see proxies in the place of JavaScript's objects. It is set for this moment alone,
  // in which Python has none of them.
  pyodide._api.config._makeSnapshot = true;
  try {
    /** @type {Uint8Array<ArrayBuffer> | undefined} */
    let copy = pyodide.makeMemorySnapshot();
    return () => {
      if (copy !== undefined) void memory.write(copy);
      copy = undefined;
    };
  } catch (error) {
    console.warn(`The memory of Python cannot be kept: ${lastLine(error)}`); // and this start goes on
    return () => {};
  } finally {
    pyodide._api.config._makeSnapshot = false;
  }
}

/**
 * @param {Site} site
 * @param {string} base
 * @param {(stage: News["stage"]) => void} report
 * @param {Promise<Uint8Array | undefined>} kept a memory to go on from
 * @returns {Promise<Pyodide>}
 */
async function loadPyodide(site, base, report, kept) {
  const address = (/** @type {string} */ relative) => new URL(relative, base).href;
  let last = 0;
  const downloads = new Downloads(site, base, (fetched) => {
    if (fetched - last < 50_000) return; // a message for each piece would be thousands
    last = fetched;
    report({ name: "fetch", fetched });
  });
  const pyodide = await downloads.serve(async () => {
    const folder = address(site.pyodide);
    // Both at once: the first would ask for the second when it is needed.
    const files = ["pyodide.mjs", "pyodide.asm.mjs"].map((name) => import(folder + name));
    const [module, , memory] = await Promise.all([...files, kept]);
    report({ name: "start" });
    const options = { indexURL: folder, env: { HOME: "/home/pyodide" }, _loadSnapshot: memory };
    return await /** @type {PyodideModule} */ (module).loadPyodide(options);
  });
  report({ name: "load" });
  const program = downloads.take(address(site.program.replace(".gz", "")));
  if (program === undefined) throw new Error(`${site.program} is not among the downloads`);
  pyodide.unpackArchive(await (await program).arrayBuffer(), "zip", { extractDir: PROGRAM });
  return pyodide;
}

/**
 * The last line of an error's words, which with Python's is the error itself.
 * @param {unknown} error
 */
export function lastLine(error) {
  const words = error instanceof Error ? error.message : String(error);
  return words.trim().split("\n").at(-1) ?? "";
}

/**
 * Turn a Python value into a plain one that can be posted.
 * @param {PyProxy} proxy
 */
export function toPlain(proxy) {
  const plain = proxy.toJs({ dict_converter: Object.fromEntries, create_pyproxies: false });
  proxy.destroy();
  return plain;
}
