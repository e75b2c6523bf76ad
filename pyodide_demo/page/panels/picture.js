// The picture panel: what the visitor switches, and what the worker drew.

import { openCamera } from "../camera.js";
import {
  button,
  bytesOf,
  element,
  hexadecimal,
  input,
  make,
  number,
  row,
  heading,
  showError,
  size,
  wordsOf,
} from "../dom.js";
import { RateMeter } from "../rate_meter.js";
import { freshCanvas } from "../surfaces.js";

/** @import { Drawn, Site, Way } from "../protocol.d.ts" */
/** @import { Python } from "../python.js" */
/** @import { State } from "../state.js" */

const WAYS = /** @type {Way[]} */ (["view", "to_js"]);
const MEGABYTE = 1e6;

/** @typedef {{ source: string | Blob, name: string }} Source */

/**
 * @param {Python} python
 * @param {State} state
 * @param {Site} site
 */
export function startPicture(python, state, site) {
  const panel = element("panel-picture");
  /** @type {Source} */
  const photograph = { source: site.picture.address, name: site.picture.name };
  let shown = photograph; // stays here, should Python be restarted
  let name = "";
  /** @type {object | undefined} */
  let camera; // while it is on
  let busy = true;
  /** @type {Source | "filter" | undefined} */
  let waiting; // the newest request that could not be sent yet: older ones are not worth doing

  state.begin("picture", { filters: site.chosen.join(",") });
  const known = new Set(site.filters.map((filter) => filter.name));
  const chosen = () =>
    state
      .of("picture")
      .filters.split(",")
      .filter((each) => known.has(each));
  const drawing = () => ({ filters: chosen(), way: /** @type {Way} */ (state.of("picture").way) });

  /**
   * Ask as soon as Python is free; a newer request takes the place of one that waits.
   * @param {Source | "filter"} wanted
   */
  async function request(wanted) {
    if (camera !== undefined) {
      if (wanted === "filter") return; // the next frame has it
      stopCamera();
    }
    if (busy) {
      if (wanted !== "filter" || waiting === undefined) waiting = wanted;
      return;
    }
    busy = true;
    try {
      if (wanted === "filter") show(await python.call("picture.filter", drawing()));
      else {
        show(await python.call("picture.open", { ...wanted, ...drawing() }));
        shown = wanted;
      }
    } catch (error) {
      fail(wordsOf(error));
    }
    busy = false;
    const next = waiting;
    waiting = undefined;
    if (next !== undefined) await request(next);
  }

  /** @param {File | undefined} file */
  function open(file) {
    if (file !== undefined && !input("file").disabled) void request({ source: file, name: file.name });
  }

  async function startCamera() {
    const own = {};
    camera = own;
    button("camera").setAttribute("aria-pressed", "true");
    element("tab-picture").classList.add("running");
    const meter = new RateMeter();
    let source;
    try {
      source = await openCamera();
      while (camera === own) {
        const bitmap = await source.frame();
        if (camera !== own) return void bitmap.close();
        const drawn = await python.call("picture.frame", { bitmap, ...drawing() }, [bitmap]);
        if (camera !== own) return;
        show(drawn);
        element("camera-rate").textContent = `${meter.count().toFixed(1)} a second`;
      }
    } catch (error) {
      if (camera === own) stopCamera();
      fail(wordsOf(error));
    } finally {
      source?.close();
    }
  }

  function stopCamera() {
    if (camera === undefined) return;
    camera = undefined;
    button("camera").setAttribute("aria-pressed", "false");
    element("tab-picture").classList.remove("running");
    element("camera-rate").textContent = "";
    element("caption-said").textContent = `Drawn: ${element("caption").textContent}`;
  }

  async function measure() {
    stopCamera();
    button("measure").disabled = true;
    try {
      for (const way of WAYS) {
        const { milliseconds, copied, byteSize } = await python.call("picture.measure", { way });
        element(`${way}-time`).textContent = `${milliseconds.toFixed(2)} ms`;
        element(`${way}-speed`).textContent = `${number(Math.round(byteSize / MEGABYTE / (milliseconds / 1000)))} MB/s`;
        element(`${way}-copied`).textContent = bytesOf(copied);
      }
    } catch (error) {
      fail(wordsOf(error));
    }
    button("measure").disabled = false;
  }

  /** @param {Drawn} drawn */
  function show({ timings, use, aspect, ...opened }) {
    showError("picture-error");
    element("canvas").style.setProperty("--aspect", String(aspect));
    if (opened.name !== undefined) name = opened.note ? `${opened.name} (${opened.note})` : opened.name;
    const caption = `${name}, ${use.caption}`;
    element("caption").textContent = caption;
    element("canvas").setAttribute("aria-label", caption);
    // A screen reader hears of what was done, and not of every frame.
    if (camera === undefined) element("caption-said").textContent = `Drawn: ${caption}`;
    showTimes(timings);
    showHeap(use);
    for (const id of ["file", "save", "photograph", "camera", "measure"]) enable(id);
    /** @type {HTMLFieldSetElement} */ (element("filters")).disabled = false;
    showChosen();
  }

  /** @param {string} text */
  function fail(text) {
    showError("picture-error", text);
    for (const id of ["file", "photograph", "camera"]) enable(id);
  }

  function showChosen() {
    const names = chosen();
    for (const box of boxes()) {
      const at = names.indexOf(box.name);
      box.checked = at >= 0;
      const place = box.nextElementSibling;
      if (place !== null) place.textContent = at < 0 ? "" : String(at + 1);
    }
    button("reset").disabled = names.length === 0;
  }

  state.listen("picture", ({ way }) => {
    for (const each of WAYS) input(`way-${each}`).checked = each === way;
    showChosen();
    void request("filter");
  });

  element("controls").addEventListener("change", ({ target }) => {
    if (!(target instanceof HTMLInputElement)) return;
    const others = chosen().filter((each) => each !== target.name);
    state.choose("picture", { filters: (target.checked ? [...others, target.name] : others).join(",") });
  });

  element("controls").addEventListener("reset", (event) => {
    event.preventDefault(); // the boxes follow the state
    state.choose("picture", { filters: "" });
  });

  input("file").addEventListener("change", () => {
    open(input("file").files?.[0]);
    input("file").value = ""; // the same file can be chosen again
  });

  button("photograph").addEventListener("click", () => void request(photograph));
  button("camera").addEventListener("click", () => {
    if (camera === undefined) void startCamera();
    else stopCamera();
  });
  for (const way of WAYS) input(`way-${way}`).addEventListener("change", () => state.choose("picture", { way }));
  button("measure").addEventListener("click", () => void measure());
  button("save").addEventListener("click", async () => {
    try {
      download((await python.call("picture.save", {})).blob);
    } catch (error) {
      fail(wordsOf(error));
    }
  });

  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    panel.addEventListener(kind, (event) => {
      event.preventDefault(); // or the browser would leave the page and show the file
      panel.classList.toggle("dropping", kind === "dragenter" || kind === "dragover");
      if (kind === "drop") open(/** @type {DragEvent} */ (event).dataTransfer?.files[0]);
    });
  }

  element("chips").append(...site.filters.map(chip));
  showChosen();

  return {
    async started() {
      const canvas = freshCanvas("canvas");
      await python.call("picture.start", { canvas }, [canvas]);
      busy = false;
      await request(shown);
    },

    restarting() {
      stopCamera();
      busy = true;
      waiting = undefined;
    },
  };
}

/** @param {{ name: string, summary: string }} filter */
function chip({ name, summary }) {
  const box = make("input", { type: "checkbox", name, id: `filter-${name}` });
  const place = make("span", { className: "place", ariaHidden: "true" });
  return make("li", {}, make("label", { className: "chip", title: summary }, box, place, name));
}

const boxes = () => /** @type {NodeListOf<HTMLInputElement>} */ (element("chips").querySelectorAll("input"));

/** @param {string} id */
function enable(id) {
  /** @type {HTMLButtonElement | HTMLInputElement} */ (element(id)).disabled = false;
}

/** @param {Drawn["timings"]} timings */
function showTimes(timings) {
  const milliseconds = (/** @type {number} */ seconds) => (seconds * 1000).toFixed(1);
  element("times").replaceChildren(
    ...timings.map(({ filter, seconds }) => row(heading(filter), milliseconds(seconds))),
  );
  element("total").textContent = milliseconds(timings.reduce((sum, { seconds }) => sum + seconds, 0));
}

/** @param {Drawn["use"]} use */
function showHeap(use) {
  element("picture-blocks").textContent = number(use.blocks);
  element("picture-bytes").textContent = number(use.bytes);
  element("peak").textContent = size(use.peak_bytes);
  element("address").textContent = hexadecimal(use.address);
}

/** @param {Blob} blob */
function download(blob) {
  const link = make("a", { href: URL.createObjectURL(blob), download: "emheap-demo.png" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
