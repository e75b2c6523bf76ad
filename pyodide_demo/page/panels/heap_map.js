// The panel of the heap map: asks twice a second while it is shown.

import { BlockMap, colourOf } from "../block_map.js";
import { chart } from "../chart.js";
import { element, hexadecimal, make, megabytes, number, showError } from "../dom.js";

const MILLISECONDS = 500;
const NARROW = matchMedia("(max-width: 40rem)");

export function startHeapMap(python) {
  const panel = element("panel-map");
  const map = new BlockMap(element("map"), choose);
  let chosen; // the address of the block that is shown byte by byte
  let timer;
  let asking = false;

  async function look() {
    clearTimeout(timer);
    if (asking || panel.hidden) return;
    asking = true;
    try {
      const perLine = NARROW.matches ? 8 : 16;
      const heap = element("map-heap").value;
      show(await python.call("map.report", { heap, chosen, perLine }));
      showError("map-error");
    } catch (error) {
      showError("map-error", error.message);
    }
    asking = false;
    clearTimeout(timer);
    timer = setTimeout(look, MILLISECONDS);
  }

  function choose(address) {
    chosen = address;
    look();
  }

  function show({ names, shown, survey, history, block, dump }) {
    showHeaps(names, shown);
    const extent = map.draw(survey, element("map-range").value, chosen);
    element("map-extent").textContent = extent;
    element("map").setAttribute("aria-label", `${number(survey.blocks)} blocks of ${number(survey.byte_size)} bytes. ${extent}`);
    showNow(survey, history);
    showGrowth(history.growth);
    showRows("map-kinds", survey.by_kind, ({ name, blocks, byte_size }, at) => [
      make("th", { scope: "row" }, make("span", { className: "kind" }, swatch(at), name)),
      number(blocks),
      number(byte_size),
    ]);
    showRows("map-sites", survey.by_site, ({ name, blocks, byte_size }) => [
      make("th", { scope: "row" }, name),
      number(blocks),
      number(byte_size),
    ]);
    showBlocks(survey.rows);
    showDump(block, dump);
  }

  function showBlocks(rows) {
    // The buttons stay the same ones, or the one in focus would be lost twice a second.
    const body = element("map-rows");
    const same = rows.length === body.rows.length && rows.every(({ address, kind }, at) => body.rows[at].dataset.key === `${address} ${kind}`);
    if (!same) {
      const focused = document.activeElement?.closest("#map-rows tr")?.dataset.key;
      body.replaceChildren(
        ...rows.map((block) => {
          const button = make("button", { type: "button", className: "link" }, hexadecimal(block.address));
          button.addEventListener("click", () => choose(block.address));
          const row = make("tr", { title: block.site }, make("th", { scope: "row" }, button), make("td", {}, block.kind), make("td", {}, number(block.byte_size)));
          row.dataset.key = `${block.address} ${block.kind}`;
          return row;
        }),
      );
      if (focused) [...body.rows].find((row) => row.dataset.key === focused)?.querySelector("button").focus();
    }
    for (const row of body.rows) row.querySelector("button").setAttribute("aria-pressed", row.dataset.key.startsWith(`${chosen} `));
  }

  panel.addEventListener("shown", look);
  panel.addEventListener("left", () => clearTimeout(timer));
  element("map-heap").addEventListener("change", look);
  element("map-range").addEventListener("change", look);

  return { started: look };
}

function showHeaps(names, shown) {
  const select = element("map-heap");
  if (select.options.length !== names.length) {
    select.replaceChildren(...names.map((name) => make("option", {}, name)));
    select.value = shown;
  }
}

function showNow(survey, { samples, seconds }) {
  element("map-blocks").textContent = number(survey.blocks);
  element("map-bytes").textContent = number(survey.byte_size);
  element("map-peak").textContent = number(survey.peak_bytes);
  element("map-total").textContent = number(survey.total_blocks);
  element("map-memory").textContent = megabytes(survey.memory_size);
  const points = (key) => [...samples.map((sample) => [sample.seconds, sample[key]]), [seconds, samples.at(-1)[key]]];
  element("map-charts").replaceChildren(
    chart("Live bytes", points("byte_size"), number),
    chart("Live blocks", points("blocks"), number),
    chart("Memory", points("memory_size"), megabytes),
  );
}

function showGrowth(growth) {
  const items = growth.toReversed().map(({ seconds, before, after, during }) =>
    make("li", {}, `${megabytes(before)} → ${megabytes(after)}`, make("span", { className: "hint" }, ` after ${seconds.toFixed(1)} s, during ${during}`)),
  );
  element("map-growth").replaceChildren(...(items.length ? items : [make("li", { className: "hint" }, "None since Python started.")]));
}

function showRows(id, groups, cells) {
  element(id).replaceChildren(
    ...groups.map((group, at) =>
      make("tr", {}, ...cells(group, at).map((cell) => (typeof cell === "string" ? make("td", {}, cell) : cell))),
    ),
  );
}

function showDump(block, dump) {
  element("dump").hidden = block === undefined;
  if (block === undefined) return;
  const { kind, byte_size, address, site } = block;
  element("dump-title").textContent = `${kind} of ${number(byte_size)} bytes at ${hexadecimal(address)}, allocated at ${site}`;
  element("dump").textContent = dump;
}

function swatch(at) {
  const made = make("span", { className: "swatch" });
  made.style.background = colourOf(at);
  return made;
}
