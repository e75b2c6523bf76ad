// Watches what the runtime fetches: for the progress bar, and because it keeps its failures to itself.

/** Something that the user can understand and mend; other errors are reported as they are. */
export class Problem extends Error {}

/** Fetch a file of this site as "json", "text", "blob" or "arrayBuffer". Throws Problem. */
export async function fetchFile(address, form) {
  return (await fetchWell(self.fetch, address))[form]();
}

/** Run `work` while the bytes it fetches are reported.
 *
 * Throws Problem at once when a file cannot be fetched or WebAssembly cannot be compiled: Pyodide only warns
 * of both, and then waits for ever.
 */
export async function watchDownloads(work, report) {
  const plainFetch = self.fetch;
  const plainInstantiate = WebAssembly.instantiateStreaming;
  let fetched = 0;
  const failure = new Promise((_, reject) => {
    const rejecting = (call) => async (...given) => {
      try {
        return await call(...given);
      } catch (error) {
        reject(error instanceof Problem ? error : new Problem(`Python cannot run here: ${error.message}`));
        throw error;
      }
    };
    self.fetch = rejecting(async (...request) =>
      counted(await fetchWell(plainFetch, ...request), (bytes) => report((fetched += bytes))),
    );
    WebAssembly.instantiateStreaming = rejecting(plainInstantiate);
  });
  try {
    return await Promise.race([work(), failure]);
  } finally {
    self.fetch = plainFetch;
    WebAssembly.instantiateStreaming = plainInstantiate;
  }
}

async function fetchWell(fetch, address, ...options) {
  const name = new URL(address, self.location.href).pathname.split("/").at(-1);
  let response;
  try {
    response = await fetch.call(self, address, ...options);
  } catch {
    throw new Problem(`${name} could not be fetched. Is the server of this page still running?`);
  }
  if (!response.ok) {
    throw new Problem(`${name} could not be fetched: the server answered ${response.status}.`);
  }
  return response;
}

/** The response itself, while the bytes of a copy of it are counted.
 *
 * A response that was made here would have no place in the browser's cache of compiled WebAssembly, and every
 * start would compile Pyodide again.
 */
function counted(response, count) {
  const copy = response.clone();
  if (copy.body !== null) countBytes(copy.body, count);
  return response;
}

async function countBytes(stream, count) {
  const reader = stream.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) count(part.value.byteLength);
  } catch {
    // Whoever reads the response itself gets the same error.
  }
}
