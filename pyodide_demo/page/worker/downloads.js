// Fetches all that Python needs at once, counts it for the progress bar, and reports what Pyodide keeps to itself.

/** @import { Site } from "../protocol.d.ts" */

/** Something that the visitor can understand and mend; other errors are reported as they are. */
export class Problem extends Error {}

const plainFetch = self.fetch.bind(self);
const COMPRESSED = ".gz";

/**
 * Fetch a file of this site. Throws Problem.
 * @param {string | URL} address
 * @returns {Promise<Response>}
 */
export async function fetchFile(address) {
  const name = new URL(address, self.location.href).pathname.split("/").at(-1);
  let response;
  try {
    response = await plainFetch(address);
  } catch {
    const kept = await keptFile(address);
    if (kept !== undefined) return kept;
    throw new Problem(`${name} could not be fetched. Is the server of this page still running?`);
  }
  if (!response.ok) {
    throw new Problem(`${name} could not be fetched: the server answered ${response.status}.`);
  }
  return response;
}

/**
 * A file that was kept for times without a network; see keeping.js.
 * @param {string | URL} address
 */
async function keptFile(address) {
  return "caches" in self ? await caches.match(address) : undefined;
}

/** The files that are fetched before Python runs, all of them at once. */
export class Downloads {
  /** @type {Map<string, Promise<Response>>} */
  #responses = new Map();
  #fetched = 0;
  #report;

  /**
   * @param {Site} site
   * @param {string} base
   * @param {(fetched: number) => void} report is given the bytes that came over the network
   */
  constructor(site, base, report) {
    this.#report = report;
    for (const { address, byteSize, transferSize } of site.downloads) {
      const response = this.#fetch(new URL(address, base), transferSize / byteSize);
      response.catch(() => {}); // it is awaited later, and may fail before
      this.#responses.set(new URL(address.replace(COMPRESSED, ""), base).href, response);
    }
  }

  /**
   * A file, which is fetched already.
   * @param {string} address
   */
  take(address) {
    const response = this.#responses.get(address);
    this.#responses.delete(address);
    return response;
  }

  /**
   * Run `work`, whose requests are answered from here.
   *
   * Throws Problem at once where a file cannot be fetched or WebAssembly cannot be compiled: Pyodide only
   * warns of both, and then waits for ever.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async serve(work) {
    const plainInstantiate = WebAssembly.instantiateStreaming;
    /** @type {Promise<never>} */
    const failure = new Promise((_, reject) => {
      /**
       * @template {unknown[]} A
       * @template R
       * @param {(...given: A) => Promise<R>} call
       */
      const rejecting =
        (call) =>
        async (/** @type {A} */ ...given) => {
          try {
            return await call(...given);
          } catch (error) {
            const words = error instanceof Error ? error.message : String(error);
            reject(error instanceof Problem ? error : new Problem(`Python cannot run here: ${words}`));
            throw error;
          }
        };
      self.fetch = rejecting((request) => {
        const address = request instanceof Request ? request.url : String(request);
        return this.take(new URL(address, self.location.href).href) ?? fetchFile(address);
      });
      WebAssembly.instantiateStreaming = rejecting(plainInstantiate);
    });
    try {
      return await Promise.race([work(), failure]);
    } finally {
      self.fetch = plainFetch;
      WebAssembly.instantiateStreaming = plainInstantiate;
    }
  }

  /**
   * @param {URL} address
   * @param {number} transferred the bytes over the network for one that is read
   */
  async #fetch(address, transferred) {
    const response = await fetchFile(address);
    const count = (/** @type {number} */ bytes) => {
      this.#fetched += bytes * transferred;
      this.#report(this.#fetched);
    };
    // The response itself goes on, for one that was made here would have no place in the browser's cache of
    // compiled WebAssembly: every start would compile Pyodide again.
    countBytes(response.clone(), count);
    if (!address.pathname.endsWith(COMPRESSED) || response.body === null) return response;
    return new Response(response.body.pipeThrough(new DecompressionStream("gzip")));
  }
}

/**
 * @param {Response} copy
 * @param {(bytes: number) => void} count
 */
async function countBytes(copy, count) {
  const reader = copy.body?.getReader();
  try {
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) count(part.value.byteLength);
  } catch {
    // The one who reads the response itself gets the same error.
  }
}
