// Starts Python in this worker.

import { Problem, fetchFile, watchDownloads } from "./downloads.js";

/** Start Python with the panels' programs and one heap for all of them.
 *
 * `report` is given the stages, `siteFound` what the site consists of, as soon as that is known. Throws Problem.
 */
export async function startPython(report, siteFound) {
  const site = await fetchFile("site.json", "json");
  siteFound(site);
  const programs = Promise.all(
    site.program.map(async (file) => [file, await fetchFile(`python/${file}`, "text")]),
  );
  programs.catch(() => {}); // it is awaited below, and may fail before
  const pyodide = await watchDownloads(
    () => startPyodide(site),
    (bytes) =>
      bytes < site.bytesToFetch
        ? report({ stage: "Fetching Python …", done: bytes / site.bytesToFetch })
        : report({ stage: "Starting Python …" }),
  );
  for (const [file, text] of await programs) {
    const place = `/program/${file}`;
    pyodide.FS.mkdirTree(place.slice(0, place.lastIndexOf("/")));
    pyodide.FS.writeFile(place, text);
  }
  pyodide.runPython(`import sys; sys.path.insert(0, "/program")`);
  const modules = new Map();
  const program = (name) => {
    // Each import makes a proxy, and frames come many times a second.
    if (!modules.has(name)) modules.set(name, pyodide.pyimport(`pyodide_demo.${name}`));
    return modules.get(name);
  };
  const heap = pyodide.pyimport("emheap").open.callKwargs({ count_allocations: true });
  const observer = program("heap_map").Observer();
  observer.add("Python's heap", heap);
  return {
    site,
    pyodide,
    program,
    heap,
    observer,
    home: program("program").home(),
  };
}

async function startPyodide(site) {
  const address = (relative) => new URL(relative, self.location.href).href;
  try {
    const { loadPyodide } = await import(address(`${site.pyodide}pyodide.mjs`));
    const pyodide = await loadPyodide({ indexURL: address(site.pyodide) });
    await pyodide.loadPackage(address(site.wheel), { messageCallback() {} });
    return pyodide;
  } catch (error) {
    throw new Problem(`Python could not be started: ${String(error?.message ?? error).trim().split("\n").at(-1)}`);
  }
}

/** Turn a Python value into a plain one that can be posted. */
export function toPlain(proxy) {
  const plain = proxy.toJs({ dict_converter: Object.fromEntries, create_pyproxies: false });
  proxy.destroy();
  return plain;
}
