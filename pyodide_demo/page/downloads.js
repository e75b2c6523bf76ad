// Counts what is fetched, so that a progress bar can tell how much of the runtime has arrived.

/** Report the bytes fetched so far, by this worker, to `report`; return a function that stops it. */
export function watchDownloads(report) {
  const plainFetch = self.fetch;
  let fetched = 0;
  self.fetch = async (...request) => {
    const response = await plainFetch(...request);
    if (!response.ok || response.body === null) return response;
    const counter = new TransformStream({
      transform(chunk, controller) {
        fetched += chunk.byteLength;
        report(fetched);
        controller.enqueue(chunk);
      },
    });
    const { status, statusText, headers } = response;
    return new Response(response.body.pipeThrough(counter), { status, statusText, headers });
  };
  return () => {
    self.fetch = plainFetch;
  };
}
