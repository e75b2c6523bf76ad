// The small heap at the head of the page: every byte of it, and lines that change them. Until Python is ready it
// plays what was recorded when the site was built; then the same lines run here.

import { button, bytesOf, element, hexadecimal, input, make, wordsOf } from "./dom.js";

/** @import { Block, SceneMoment, SceneStep, Site } from "./protocol.d.ts" */
/** @import { Python } from "./python.js" */

const MILLISECONDS_A_STEP = 2600;
const KINDS = 4;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * @param {Python} python
 * @param {Site} site
 */
export function startHero(python, site) {
  const lines = element("hero-lines");
  const bytes = new Bytes(element("hero-bytes"));
  let live = false;
  let at = 0;
  let playing = !STILL.matches;
  let timer = 0;

  const doneLines = () => /** @type {HTMLLIElement[]} */ ([...lines.querySelectorAll("[data-done=true]")]);

  /**
   * @param {{ language: string, code: string, note: string }} step
   * @param {SceneMoment} moment
   * @param {boolean} [done] whether it ran to its end
   */
  function show({ language, code, note }, moment, done = true) {
    const said = make("span", { className: moment.error ? "hero-error" : "hero-shown" });
    said.textContent = moment.error ? `${moment.error}: ${moment.shown}` : moment.shown;
    const what = make("span", { className: "hero-what" }, make("code", {}, code));
    const line = make(
      "li",
      { className: moment.error ? "failed" : language === "ctypes" ? "silent" : "" },
      make("span", { className: "hero-language" }, language),
      what,
    );
    line.dataset.done = String(done);
    if (moment.error) line.append(said);
    else if (moment.shown) what.append(said);
    if (note) what.append(make("span", { className: "hero-note" }, note));
    // As Python counts them, for its errors name lines: one that did not end is not counted.
    if (done) line.value = (doneLines().at(-1)?.value ?? 0) + 1;
    lines.append(line);
    while (lines.children.length > site.scene.length + 6) lines.firstElementChild?.remove();
    lines.scrollTop = lines.scrollHeight;
    bytes.show(moment);
  }

  /** @param {SceneStep} step */
  async function play(step) {
    if (at === 0) lines.replaceChildren();
    if (at === 0 && live) bytes.show(await python.call("scene.restart", {}));
    show(step, live ? await python.call("scene.step", { code: step.code }) : step.recorded);
    at = (at + 1) % site.scene.length;
  }

  async function next() {
    clearTimeout(timer);
    try {
      await play(site.scene[at]);
    } catch {
      return; // Python was restarted, or has stopped, as the bar says
    }
    // At the end it rests: the proof stays to be read.
    if (at === 0) setPlaying(false);
    if (playing) timer = setTimeout(next, MILLISECONDS_A_STEP);
  }

  /** @param {boolean} now */
  function setPlaying(now) {
    playing = now;
    clearTimeout(timer);
    button("hero-play").textContent = playing ? "Pause" : at === 0 ? "Replay" : "Play";
    if (playing) void next();
  }

  button("hero-play").addEventListener("click", () => setPlaying(!playing));
  element("hero-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const code = input("hero-line").value.trim();
    if (!code) return;
    if (playing) setPlaying(false);
    input("hero-line").value = "";
    try {
      show({ language: "Python", code, note: "" }, await python.call("scene.step", { code }));
    } catch (error) {
      const nothing = { shown: "", error: "", bytes: bytes.last, blocks: [] };
      show({ language: "Python", code, note: wordsOf(error) }, nothing, false);
    }
  });

  bytes.show({ shown: "", error: "", bytes: site.scene[0].recorded.bytes.replace(/./g, "0"), blocks: [] });
  if (playing) setPlaying(true);
  else for (const step of site.scene) show(step, step.recorded);

  return {
    async started() {
      // The heap is brought to where the lines are, the visitor's own included; but one that never ended would
      // keep this Python as it kept the last. Nothing else is run before: it would find half of them.
      const done = doneLines();
      clearTimeout(timer);
      button("hero-play").disabled = true;
      let moment = await python.call("scene.restart", {});
      for (const [at, line] of done.entries()) {
        line.value = at + 1;
        moment = await python.call("scene.step", { code: line.querySelector("code")?.textContent ?? "" });
      }
      bytes.show(moment);
      live = true;
      element("hero-live").textContent = "live";
      for (const id of ["hero-play", "hero-run"]) button(id).disabled = false;
      input("hero-line").disabled = false;
      if (playing) timer = setTimeout(next, MILLISECONDS_A_STEP);
    },

    restarting() {
      live = false;
      setPlaying(false);
      element("hero-live").textContent = "recorded";
      button("hero-play").disabled = false;
      button("hero-run").disabled = true;
      input("hero-line").disabled = true;
    },
  };
}

/** The bytes as cells: what changed flashes, what was freed fades. */
class Bytes {
  #place;
  /** @type {HTMLElement[]} */
  #cells = [];
  last = "";
  /** @type {Map<number, number>} */
  #kinds = new Map(); // the colour of a block, by its address

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
  }

  /** @param {SceneMoment} moment */
  show({ bytes, blocks }) {
    const values = bytes.match(/../g) ?? [];
    if (this.#cells.length !== values.length) {
      this.#cells = values.map(() => make("span", {}));
      this.#place.replaceChildren(...this.#cells);
    }
    const before = this.last.match(/../g) ?? [];
    const owners = this.#ownersOf(blocks);
    this.#cells.forEach((cell, at) => {
      const owner = owners.get(at);
      const had = cell.dataset.owner !== undefined;
      cell.textContent = values[at];
      cell.className =
        owner === undefined ? (had ? "freed" : "") : `owned kind-${owner.kind}${owner.first ? " first" : ""}`;
      if (owner === undefined) delete cell.dataset.owner;
      else cell.dataset.owner = String(owner.address);
      if ((before[at] !== undefined && before[at] !== values[at]) || (owner !== undefined && !had)) flash(cell);
    });
    this.last = bytes;
    const words = blocks.map(
      ({ kind, byte_size: size, address }) => `${kind} of ${bytesOf(size)} at ${hexadecimal(address)}`,
    );
    this.#place.setAttribute(
      "aria-label",
      `${values.length} bytes of a heap: ${words.join(", ") || "nothing is allocated"}`,
    );
  }

  /** @param {Block[]} blocks */
  #ownersOf(blocks) {
    /** @type {Map<number, { address: number, kind: number, first: boolean }>} */
    const owners = new Map();
    for (const { address, byte_size: size } of blocks) {
      if (!this.#kinds.has(address)) this.#kinds.set(address, this.#kinds.size % KINDS);
      for (let at = address; at < address + size; at++) {
        owners.set(at, { address, kind: this.#kinds.get(address) ?? 0, first: at === address });
      }
    }
    return owners;
  }
}

/** @param {HTMLElement} cell */
function flash(cell) {
  if (STILL.matches) return;
  cell.classList.remove("flash");
  void cell.offsetWidth; // begins the animation again
  cell.classList.add("flash");
}
