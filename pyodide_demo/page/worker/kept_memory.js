// Keeps the memory of a Python that has just started, so that the next start goes on from there.

/** @import { Site } from "../protocol.d.ts" */

const CACHE = "emheap";
const NAME = "memory";

/** Where the memory is kept: it fits what it was made by, and so is named after that. */
export class KeptMemory {
  #address;
  #folder;

  /**
   * @param {Site} site
   * @param {string} base the address of the page
   */
  constructor(site, base) {
    this.#folder = new URL(site.pyodide, base).href;
    const made = new URLSearchParams({ program: site.program, browser: navigator.userAgent });
    this.#address = `${this.#folder}${NAME}?${made}`;
  }

  /** @returns {Promise<Uint8Array | undefined>} */
  async read() {
    try {
      const kept = await caches.match(this.#address);
      return kept && new Uint8Array(await kept.arrayBuffer());
    } catch {
      return undefined; // the browser keeps nothing, at an insecure address or by its settings
    }
  }

  /** @param {Uint8Array<ArrayBuffer>} memory */
  async write(memory) {
    try {
      const cache = await caches.open(CACHE);
      await this.drop();
      await cache.put(this.#address, new Response(memory));
    } catch {
      // Without it, or without room for it, the next start takes as long as this one.
    }
  }

  /** Delete what is kept, which may be of another program or browser. */
  async drop() {
    const cache = await caches.open(CACHE);
    for (const request of await cache.keys()) {
      if (request.url.startsWith(`${this.#folder}${NAME}?`)) await cache.delete(request);
    }
  }
}
