// Starts Python in this worker.

import { Downloads, Problem } from "./downloads.js";

/** @import { News, Site } from "../protocol.d.ts" */
/** @import { PyProxy, Pyodide, PyodideModule } from "./pyodide.d.ts" */

/** @typedef {Awaited<ReturnType<typeof startPython>>} Surroundings what the panels' tasks are given */

/**
 * Start Python with the panels' programs and one heap for all of them. Throws Problem.
 * @param {Site} site
 * @param {string} base the address of the page
 * @param {(stage: News["stage"]) => void} report
 */
export async function startPython(site, base, report) {
  const address = (/** @type {string} */ relative) => new URL(relative, base).href;
  let last = 0;
  const downloads = new Downloads(site, base, (fetched) => {
    if (fetched - last < 50_000) return; // a message for each piece would be thousands
    last = fetched;
    report({ name: "fetch", fetched });
  });
  const pyodide = await downloads.serve(() => startPyodide(site, address, report));
  report({ name: "load" });
  const program = downloads.take(address(site.program.replace(".gz", "")));
  if (program === undefined) throw new Error(`${site.program} is not among the downloads`);
  pyodide.unpackArchive(await (await program).arrayBuffer(), "zip", { extractDir: "/program" });
  pyodide.runPython(`import sys; sys.path.insert(0, "/program")`);

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
    observer,
    runtime: /** @type {string} */ (module("program").runtime()),
  };
}

/**
 * @param {Site} site
 * @param {(relative: string) => string} address
 * @param {(stage: News["stage"]) => void} report
 * @returns {Promise<Pyodide>}
 */
async function startPyodide(site, address, report) {
  try {
    const folder = address(site.pyodide);
    // Both at once: the first would ask for the second when it is needed.
    const [module] = await Promise.all([import(`${folder}pyodide.mjs`), import(`${folder}pyodide.asm.mjs`)]);
    const options = { indexURL: folder, env: { HOME: "/home/pyodide" } };
    const pyodide = /** @type {PyodideModule} */ (module).loadPyodide(options);
    report({ name: "start" });
    return await pyodide;
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(`Python could not be started: ${lastLine(error)}`);
  }
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
