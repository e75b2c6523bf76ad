// Counts how often something happens, and how long it takes.

const MILLISECONDS = 1000;

export class RateMeter {
  /** @type {number[]} */
  #times = [];

  /** Begin again, as after a pause. */
  reset() {
    this.#times = [];
  }

  /** Note that it happened now; return how often it did in the last second. */
  count() {
    const now = performance.now();
    this.#times.push(now);
    this.#times = this.#times.filter((time) => time >= now - MILLISECONDS);
    const [first = now] = this.#times;
    const seconds = (now - first) / 1000;
    return seconds > 0 ? (this.#times.length - 1) / seconds : 0;
  }
}
