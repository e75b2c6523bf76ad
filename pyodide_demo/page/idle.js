// Finds a moment in which the visitor needs nothing of the machine.

const MILLISECONDS_OF_QUIET = 3000;
/** A visitor who is never quiet is not waited for any longer. */
const MOST_MILLISECONDS = 30_000;
const INPUTS = ["pointerdown", "pointermove", "keydown", "wheel", "touchmove"];

/**
 * Wait until the visitor has done nothing for a while, or looks at another page.
 * @returns {Promise<void>}
 */
export function idle() {
  return new Promise((resolve) => {
    const listening = new AbortController();
    const end = () => {
      clearTimeout(quiet);
      clearTimeout(latest);
      listening.abort();
      resolve();
    };
    let quiet = setTimeout(end, MILLISECONDS_OF_QUIET);
    const latest = setTimeout(end, MOST_MILLISECONDS);
    const wait = () => {
      clearTimeout(quiet);
      quiet = setTimeout(end, MILLISECONDS_OF_QUIET);
    };
    const options = { capture: true, passive: true, signal: listening.signal };
    for (const input of INPUTS) addEventListener(input, wait, options);
    const left = () => {
      if (document.visibilityState === "hidden") end();
    };
    document.addEventListener("visibilitychange", left, options);
  });
}
