// How far the start of Python is.

import { element, part } from "./dom.js";

/** @import { News, Site } from "./protocol.d.ts" */

const MEGABYTE = 1e6;
const SECONDS_OF_A_SLOW_START = 8;

/** @type {Record<News["stage"]["name"], string>} */
const WORDS = {
  fetch: "Fetching Python",
  start: "Starting Python",
  load: "Loading emheap",
};

export class Loading {
  #box = element("loading");
  #bar = part("progress", HTMLProgressElement);
  #stage = element("stage");
  #total;
  #failed = false;
  #timer = 0;

  /** @param {Site} site */
  constructor(site) {
    this.#total = site.downloads.reduce((sum, { transferSize }) => sum + transferSize, 0);
  }

  begin() {
    this.#failed = false;
    this.#box.hidden = false;
    this.#bar.hidden = false;
    element("error").hidden = true;
    this.show({ name: "fetch", fetched: 0 });
  }

  /** @param {News["stage"]} stage */
  show({ name, fetched }) {
    if (this.#failed) return; // and some of it goes on
    clearTimeout(this.#timer);
    const megabytes = (/** @type {number} */ bytes) => (bytes / MEGABYTE).toFixed(1);
    if (fetched === undefined) {
      this.#bar.removeAttribute("value");
      this.#stage.textContent = `${WORDS[name]} …`;
      const slow = () => {
        this.#stage.textContent = `${WORDS[name]} … a first start compiles 10 MB of WebAssembly; later ones do not.`;
      };
      if (name === "start") this.#timer = setTimeout(slow, SECONDS_OF_A_SLOW_START * 500);
    } else {
      this.#bar.value = fetched / this.#total;
      this.#stage.textContent = `${WORDS[name]}: ${megabytes(fetched)} of ${megabytes(this.#total)} MB`;
    }
  }

  end() {
    clearTimeout(this.#timer);
    this.#box.hidden = true;
  }

  /** @param {string} words */
  fail(words) {
    clearTimeout(this.#timer);
    this.#failed = true;
    this.#stage.textContent = "Python cannot run here.";
    this.#bar.hidden = true;
    element("error").textContent = words;
    element("error").hidden = false;
  }
}
