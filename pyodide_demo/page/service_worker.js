// Keeps what the page fetched, so that it comes back at once and without a network, and adds the headers that
// isolate a page where the host does not: with them a running program can be interrupted.

/// <reference lib="webworker" />

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const KEPT = "emheap";
/** Folders that are named after what is in them: their files never change. */
const IMMUTABLE = /\/[\w.-]+-[0-9a-f]{12}\//;
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

worker.addEventListener("install", () => void worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== worker.location.origin) return;
  // What a script fetches of these goes by the browser's own cache, which has WebAssembly compiled; an answer
  // from here would be compiled each time. downloads.js looks here where there is no network.
  if (IMMUTABLE.test(address.pathname) && request.destination === "") return;
  event.respondWith(IMMUTABLE.test(address.pathname) ? keptFirst(request) : newestFirst(request));
});

/**
 * What never changes is fetched once.
 * @param {Request} request
 */
async function keptFirst(request) {
  const kept = await caches.match(request.url);
  if (kept !== undefined) return isolated(kept);
  const response = await fetch(request);
  if (response.status === 200) await keep(request, response);
  return isolated(response);
}

/**
 * What may change is what the host has now, or what it was where there is no network.
 * @param {Request} request
 */
async function newestFirst(request) {
  try {
    const response = await fetch(request);
    if (response.status === 200) await keep(request, response);
    return isolated(response);
  } catch (error) {
    const kept = await caches.match(request.url.replace(/[?#].*/, ""));
    if (kept !== undefined) return isolated(kept);
    throw error;
  }
}

/**
 * @param {Request} request
 * @param {Response} response
 */
async function keep(request, response) {
  const cache = await caches.open(KEPT);
  await cache.put(request.url.replace(/[?#].*/, ""), response.clone());
}

/** @param {Response} response */
function isolated(response) {
  if (response.headers.has("Cross-Origin-Embedder-Policy") || response.status === 304) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
