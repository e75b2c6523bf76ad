// The panel of the heap map: asks twice a second while it is shown.

import { BlockMap, CELLS, kindClass } from "../block_map.js";
import { chart } from "../chart.js";
import {
  breakable,
  button,
  bytesOf,
  canvas,
  element,
  heading,
  hexadecimal,
  make,
  number,
  part,
  row,
  select,
  showError,
  size,
  wordsOf,
} from "../dom.js";

/** @import { Block, MapReport, Survey, Tasks } from "../protocol.d.ts" */
/** @import { Python } from "../python.js" */
/** @import { State } from "../state.js" */

const MILLISECONDS = 500;
/** A map of gigabytes takes long: Python is to be free for most of the time. */
const MOST_OF_THE_TIME = 0.2;
/** The same until all of the memory was read. */
const MOST_OF_THE_TIME_AT_FIRST = 0.4;
const NARROW = matchMedia("(max-width: 40rem)");
const DEBUG_HEAP = "A debug heap";
const ACTIONS = /** @type {const} */ (["open", "overrun", "verify", "free"]);

/**
 * @param {Python} python
 * @param {State} state
 */
export function startHeapMap(python, state) {
  const panel = element("panel-map");
  const tip = element("map-tip");
  const map = new BlockMap(canvas("map-canvas"), choose, (words, x, y) => {
    tip.textContent = words;
    tip.hidden = words === "";
    tip.style.left = `${Math.min(x + 12, canvas("map-canvas").clientWidth - tip.clientWidth - 4)}px`;
    tip.style.top = `${y + 18}px`;
  });
  /** @type {number | undefined} */
  let chosen; // the address of the block that is shown byte by byte
  let timer = 0;
  let asking = false;
  let ready = false;
  /** @type {(typeof ACTIONS[number])[]} */
  const done = []; // on the debug heap

  async function look() {
    clearTimeout(timer);
    if (asking || !ready || panel.hidden) return;
    asking = true;
    const begun = performance.now();
    let reading = false;
    try {
      const { heap, range } = state.of("map");
      const perLine = NARROW.matches ? 8 : 16;
      const details = { heap, range: range === "memory" ? "memory" : "blocks", cells: CELLS, chosen, perLine };
      const report = await python.call("map.report", /** @type {Tasks["map.report"]["details"]} */ (details));
      reading = report.looked < 1;
      show(report);
      showError("map-error");
    } catch (error) {
      showError("map-error", wordsOf(error));
    }
    asking = false;
    clearTimeout(timer);
    const spent = performance.now() - begun;
    const pause = reading ? spent / MOST_OF_THE_TIME_AT_FIRST : Math.max(MILLISECONDS, spent / MOST_OF_THE_TIME);
    if (ready) timer = setTimeout(look, pause);
  }

  /** @param {number} address */
  function choose(address) {
    chosen = address;
    void look();
  }

  /** @param {MapReport} report */
  function show(report) {
    const { names, shown, survey, history, block, dump, guards } = report;
    showHeaps(names, shown);
    const extent = map.draw(report, chosen);
    element("map-extent").textContent = extent;
    const blocks = survey.blocks === 1 ? "1 block" : `${number(survey.blocks)} blocks`;
    canvas("map-canvas").setAttribute("aria-label", `${blocks} of ${bytesOf(survey.byte_size)}. ${extent}`);
    element("legend-guards").hidden = guards.length === 0;
    showNow(survey, history);
    showGrowth(history.growth);
    element("map-kinds").replaceChildren(
      ...survey.by_kind.map(({ name, blocks: count, byte_size: bytes }, at) =>
        row(
          heading(
            make(
              "span",
              { className: "kind" },
              make("span", { className: `swatch ${kindClass(at)}` }),
              breakable(name),
            ),
          ),
          number(count),
          number(bytes),
        ),
      ),
    );
    element("map-sites").replaceChildren(
      ...survey.by_site.map(({ name, blocks: count, byte_size: bytes }) =>
        row(heading(breakable(name)), number(count), number(bytes)),
      ),
    );
    showBlocks(survey.rows);
    showDump(block, dump);
  }

  /** @param {Block[]} rows */
  function showBlocks(rows) {
    // The buttons stay the same ones, or the one in focus would be lost twice a second.
    const body = part("map-rows", HTMLTableSectionElement);
    const keyOf = (/** @type {Block} */ block) => `${block.address} ${block.kind}`;
    const same =
      rows.length === body.rows.length && rows.every((block, at) => body.rows[at].dataset.key === keyOf(block));
    if (!same) {
      const focused = /** @type {HTMLElement | null | undefined} */ (document.activeElement?.closest("#map-rows tr"))
        ?.dataset.key;
      body.replaceChildren(
        ...rows.map((block) => {
          const link = make("button", { type: "button", className: "link" }, hexadecimal(block.address));
          link.addEventListener("click", () => choose(block.address));
          const made = row(heading(link), block.kind, number(block.byte_size));
          made.title = block.site;
          made.dataset.key = keyOf(block);
          return made;
        }),
      );
      const found = [...body.rows].find(({ dataset }) => dataset.key === focused);
      if (focused !== undefined) found?.querySelector("button")?.focus();
    }
    for (const each of body.rows) {
      each.querySelector("button")?.setAttribute("aria-pressed", String(each.dataset.key?.startsWith(`${chosen} `)));
    }
  }

  /** @param {typeof ACTIONS[number]} action */
  async function debug(action) {
    try {
      const { code, text, error } = await python.call("map.debug", { action });
      done.push(action);
      element("debug-code").textContent = code;
      element("debug-said").textContent = error ? `${error}: ${text}` : text;
      element("debug-outcome").hidden = false;
      state.choose("map", { heap: DEBUG_HEAP });
    } catch (error) {
      showError("map-error", wordsOf(error));
    }
  }

  panel.addEventListener("shown", look);
  panel.addEventListener("left", () => clearTimeout(timer));
  select("map-heap").addEventListener("change", () => state.choose("map", { heap: select("map-heap").value }));
  select("map-range").addEventListener("change", () => state.choose("map", { range: select("map-range").value }));
  state.listen("map", ({ range }) => {
    select("map-range").value = range;
    void look();
  });
  for (const action of ACTIONS) button(`debug-${action}`).addEventListener("click", () => void debug(action));
  addEventListener("resize", () => void look());

  return {
    async started() {
      // A Python that comes after another one has what was done on the debug heap.
      for (const action of done) await python.call("map.debug", { action });
      ready = true;
      for (const action of ACTIONS) button(`debug-${action}`).disabled = false;
      void look();
    },

    restarting() {
      ready = false;
      for (const action of ACTIONS) button(`debug-${action}`).disabled = true;
      asking = false;
      chosen = undefined;
      clearTimeout(timer);
    },
  };
}

/**
 * @param {string[]} names
 * @param {string} shown
 */
function showHeaps(names, shown) {
  const list = select("map-heap");
  if (names.join() !== [...list.options].map(({ value }) => value).join()) {
    list.replaceChildren(...names.map((name) => make("option", { value: name }, name)));
  }
  list.value = shown;
}

/**
 * @param {Survey} survey
 * @param {MapReport["history"]} history
 */
function showNow(survey, { samples, seconds }) {
  element("map-blocks").textContent = number(survey.blocks);
  element("map-bytes").textContent = number(survey.byte_size);
  element("map-peak").textContent = number(survey.peak_bytes);
  element("map-total").textContent = number(survey.total_blocks);
  element("map-memory").textContent = size(survey.memory_size);
  /**
   * @param {"byte_size" | "blocks" | "memory_size"} key
   * @returns {[number, number][]}
   */
  const points = (key) => [
    ...samples.map((sample) => /** @type {[number, number]} */ ([sample.seconds, sample[key]])),
    [seconds, samples[samples.length - 1][key]],
  ];
  element("map-charts").replaceChildren(
    chart("Live bytes", points("byte_size"), number),
    chart("Live blocks", points("blocks"), number),
    chart("Memory", points("memory_size"), size),
  );
}

/** @param {MapReport["history"]["growth"]} growth */
function showGrowth(growth) {
  const items = growth
    .toReversed()
    .map(({ seconds, before, after, during }) =>
      make(
        "li",
        {},
        `${size(before)} → ${size(after)}`,
        make("span", { className: "hint" }, ` after ${seconds.toFixed(1)} s, during ${during}`),
      ),
    );
  element("map-growth").replaceChildren(
    ...(items.length ? items : [make("li", { className: "hint" }, "None since Python started.")]),
  );
}

/**
 * @param {Block | undefined} block
 * @param {string | undefined} dump
 */
function showDump(block, dump) {
  element("dump").hidden = block === undefined;
  if (block === undefined) return;
  const { kind, byte_size: bytes, address, site } = block;
  element("dump-title").textContent = `${kind} of ${bytesOf(bytes)} at ${hexadecimal(address)}, allocated at ${site}`;
  element("dump").textContent = dump ?? "";
}
