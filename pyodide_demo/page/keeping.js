// Has the browser keep the page, and isolate it where the host does not; service_worker.js does both.

/** @import { Site } from "./protocol.d.ts" */

const KEPT = "emheap";
/** What stands at the start of an address, relative to the page: a folder that is named after what is in it. */
const IMMUTABLE = /^[\w.-]+-[0-9a-f]{12}\//;
const ASKED = "emheap-isolation"; // so that a page that cannot be isolated is not loaded again and again

/** @returns {Promise<boolean>} whether there is a service worker: not at an insecure address, for one */
async function install() {
  if (navigator.serviceWorker === undefined) return false;
  try {
    await navigator.serviceWorker.register("service_worker.js");
    await navigator.serviceWorker.ready;
    return true;
  } catch {
    return false; // the browser's settings forbid it: the page works without
  }
}

/**
 * Where the host does not isolate the page, load it once more through the service worker, which does.
 * @returns {Promise<boolean>} whether the page is about to be loaded again
 */
export async function isolate() {
  if (self.crossOriginIsolated || sessionStorage.getItem(ASKED)) return false;
  sessionStorage.setItem(ASKED, "true");
  if (!(await install())) return false;
  location.reload();
  return true;
}

/**
 * Keep what the page needs, so that it starts without a network. What the browser has already is not
 * transferred again.
 * @param {Site} site
 */
export async function keep(site) {
  if (!(await install())) return;
  const own = performance
    .getEntriesByType("resource")
    .map(({ name }) => name)
    .filter((name) => name.startsWith(new URL(".", document.baseURI).href));
  const runtime = ["pyodide.mjs", "pyodide.asm.mjs"].map((name) => site.pyodide + name);
  const needed = ["./", site.picture.address, ...runtime, ...site.downloads.map(({ address }) => address), ...own];
  const cache = await caches.open(KEPT);
  await cache.addAll([...new Set(needed.map((address) => new URL(address, document.baseURI).href))]);
  await dropOlderBuilds(cache, [import.meta.url, site.pyodide, site.modules, site.wheel, site.program]);
}

/**
 * Let go of the files of older builds of this page, each of which would take megabytes for ever.
 * @param {Cache} cache
 * @param {string[]} current addresses in all the folders of this build that are named after what is in them
 */
async function dropOlderBuilds(cache, current) {
  const page = new URL(".", document.baseURI).href;
  const folderOf = (/** @type {string} */ address) =>
    address.startsWith(page) ? IMMUTABLE.exec(address.slice(page.length))?.[0] : undefined;
  const folders = new Set(current.map((address) => folderOf(new URL(address, document.baseURI).href)));
  for (const request of await cache.keys()) {
    const folder = folderOf(request.url);
    if (folder !== undefined && !folders.has(folder)) await cache.delete(request);
  }
}
