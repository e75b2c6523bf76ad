// The picture panel: what the user switches, and what the worker drew.

import { openCamera } from "../camera.js";
import { element, hexadecimal, make, number, showError } from "../dom.js";
import { RateMeter } from "../rate_meter.js";

const WAYS = ["view", "to_js"];

export function startPicture(python) {
  const chosen = []; // names of filters, in the order in which they were switched on
  let name = "";
  let photograph; // the picture that comes with the page
  let camera; // while it is on
  let busy = true;
  let waiting; // the newest request that could not be sent yet: older ones are not worth doing

  const drawing = () => ({ filters: chosen, way: element("ways").elements.way.value });

  /** Ask as soon as Python is free; a newer request takes the place of one that waits. */
  async function request(task, details = {}) {
    if (camera !== undefined) {
      if (task === "filter") return; // the next frame has it
      stopCamera();
    }
    if (busy) {
      if (task !== "filter" || waiting === undefined) waiting = [task, details];
      return;
    }
    busy = true;
    try {
      show(await python.call(`picture.${task}`, { ...details, ...drawing() }));
    } catch (error) {
      fail(error.message);
    }
    busy = false;
    const next = waiting;
    waiting = undefined;
    if (next !== undefined) request(...next);
  }

  function open(file) {
    if (file !== undefined && !element("file").disabled) {
      request("open", { source: file, name: file.name });
    }
  }

  async function startCamera() {
    const own = (camera = {});
    element("camera").setAttribute("aria-pressed", true);
    element("tab-picture").classList.add("running");
    const meter = new RateMeter();
    try {
      own.source = await openCamera();
      while (camera === own) {
        const bitmap = await own.source.frame();
        if (camera !== own) return void bitmap.close();
        const shown = await python.call("picture.frame", { bitmap, ...drawing() }, [bitmap]);
        if (camera !== own) return;
        show(shown);
        showRate(drawing().way, "camera", meter.count(), shown.copied);
      }
    } catch (error) {
      if (camera === own) stopCamera();
      fail(error.message);
    } finally {
      own.source?.close();
    }
  }

  function stopCamera() {
    camera = undefined;
    element("camera").setAttribute("aria-pressed", false);
    element("tab-picture").classList.remove("running");
  }

  async function measure() {
    element("measure").disabled = true;
    try {
      for (const way of WAYS) {
        const { rate, frames, copied } = await python.call("picture.measure", { way });
        showRate(way, "measured", rate.toFixed(1), copied / frames);
      }
    } catch (error) {
      fail(error.message);
    }
    element("measure").disabled = false;
  }

  function show({ timings, use, aspect, ...opened }) {
    showError("picture-error");
    element("canvas").style.setProperty("--aspect", aspect);
    if (opened.name !== undefined) name = opened.note ? `${opened.name} (${opened.note})` : opened.name;
    const caption = `${name}, ${use.caption}`;
    element("caption").textContent = caption;
    element("canvas").setAttribute("aria-label", caption);
    element("status").textContent = `Drawn: ${caption}`;
    showTimes(timings);
    showHeap(use);
    for (const id of ["filters", "file", "save", "photograph", "camera", "measure"]) element(id).disabled = false;
    showChosen(chosen);
  }

  function fail(text) {
    showError("picture-error", text);
    for (const id of ["file", "photograph", "camera"]) element(id).disabled = false;
  }

  element("controls").addEventListener("change", ({ target }) => {
    choose(chosen, target.name, target.checked);
    showChosen(chosen);
    request("filter");
  });

  element("controls").addEventListener("reset", (event) => {
    event.preventDefault(); // the boxes follow `chosen`
    chosen.length = 0;
    showChosen(chosen);
    request("filter");
  });

  element("file").addEventListener("change", ({ target }) => {
    open(target.files[0]);
    target.value = ""; // the same file can be chosen again
  });

  element("photograph").addEventListener("click", () => request("open", photograph));

  element("camera").addEventListener("click", () => {
    if (camera === undefined) startCamera();
    else stopCamera();
  });

  element("ways").addEventListener("change", () => request("filter"));
  element("measure").addEventListener("click", measure);

  element("save").addEventListener("click", async () => {
    try {
      download((await python.call("picture.save")).blob);
    } catch (error) {
      fail(error.message);
    }
  });

  const panel = element("panel-picture");
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    panel.addEventListener(kind, (event) => {
      event.preventDefault(); // or the browser would leave the page and show the file
      panel.classList.toggle("dropping", kind === "dragenter" || kind === "dragover");
      if (kind === "drop") open(event.dataTransfer.files[0]);
    });
  }

  return {
    site({ filters, chosen: names }) {
      element("chips").append(...filters.map(chip));
      for (const each of names) choose(chosen, each, true);
      showChosen(chosen);
    },

    async started({ picture }) {
      const canvas = element("canvas").transferControlToOffscreen();
      await python.call("picture.start", { canvas }, [canvas]);
      busy = false;
      photograph = { source: picture.address, name: picture.name };
      await request("open", photograph);
    },
  };
}

function chip({ name, summary }) {
  const box = make("input", { type: "checkbox", name, id: `filter-${name}` });
  const place = make("span", { className: "place", ariaHidden: "true" });
  return make("li", {}, make("label", { className: "chip", title: summary }, box, place, name));
}

function choose(chosen, name, on) {
  const at = chosen.indexOf(name);
  if (on && at < 0) chosen.push(name);
  if (!on && at >= 0) chosen.splice(at, 1);
}

function showChosen(chosen) {
  for (const box of element("chips").querySelectorAll("input")) {
    const at = chosen.indexOf(box.name);
    box.checked = at >= 0;
    box.nextElementSibling.textContent = at < 0 ? "" : at + 1;
  }
  element("reset").disabled = chosen.length === 0 || element("filters").disabled;
}

function showTimes(timings) {
  const milliseconds = (seconds) => (seconds * 1000).toFixed(1);
  element("times").replaceChildren(
    ...timings.map(({ filter, seconds }) =>
      make("tr", {}, make("th", { scope: "row" }, filter), make("td", {}, milliseconds(seconds))),
    ),
  );
  element("total").textContent = milliseconds(timings.reduce((sum, { seconds }) => sum + seconds, 0));
}

/** Show how often frames are drawn in one way, and how many bytes each of them copies. */
function showRate(way, what, rate, copied) {
  element(`${way}-${what}`).textContent = rate;
  element(`${way}-copied`).textContent = number(copied);
}

function showHeap(use) {
  element("blocks").textContent = number(use.blocks);
  element("bytes").textContent = number(use.bytes);
  element("peak").textContent = number(use.peak_bytes);
  element("address").textContent = hexadecimal(use.address);
}

function download(blob) {
  const link = make("a", { href: URL.createObjectURL(blob), download: "emheap-demo.png" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
