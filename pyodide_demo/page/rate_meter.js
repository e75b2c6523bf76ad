// Counts how often something happens.

const MILLISECONDS = 1000;

export class RateMeter {
  #times = [];

  /** Begin anew, as after a pause. */
  reset() {
    this.#times = [];
  }

  /** Note that it happened now; return how often it did in the last second, in words. */
  count() {
    const now = performance.now();
    this.#times.push(now);
    while (this.#times[0] < now - MILLISECONDS) this.#times.shift();
    const seconds = (now - this.#times[0]) / 1000;
    return seconds > 0 ? ((this.#times.length - 1) / seconds).toFixed(1) : "–";
  }
}
