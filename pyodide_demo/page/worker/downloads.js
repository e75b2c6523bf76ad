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

/** The same response, whose bytes are counted as they are read. */
function counted(response, count) {
  if (response.body === null) return response;
  const counter = new TransformStream({
    transform(chunk, controller) {
      count(chunk.byteLength);
      controller.enqueue(chunk);
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body.pipeThrough(counter), { status, statusText, headers });
}
