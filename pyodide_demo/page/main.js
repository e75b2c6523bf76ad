// The page: its tabs, and Python's start. Each panel is a file of its own.

import { element } from "./dom.js";
import { startBreaking } from "./panels/breaking.js";
import { startConsole } from "./panels/console.js";
import { startHeapMap } from "./panels/heap_map.js";
import { startPicture } from "./panels/picture.js";
import { startSpectrum } from "./panels/spectrum.js";
import { startTests } from "./panels/tests.js";
import { Python } from "./python.js";
import { startTabs } from "./tabs.js";

const python = new Python({
  progress({ stage, done }) {
    if (element("progress").hidden) return; // it failed, and some of it goes on
    element("stage").textContent = stage;
    if (done === undefined) element("progress").removeAttribute("value");
    else element("progress").value = done;
  },

  site(site) {
    for (const panel of panels) panel.site?.(site);
  },
});

startTabs(element("tabs"));
const panels = [startPicture, startSpectrum, startHeapMap, startBreaking, startConsole, startTests].map((start) =>
  start(python),
);

try {
  if (HTMLCanvasElement.prototype.transferControlToOffscreen === undefined) {
    throw new Error("This browser cannot draw from a worker. A current Chromium, Firefox or Safari can.");
  }
  const { runtime, picture } = await python.call("start");
  element("runtime").textContent = `Running on ${runtime}, in a worker.`;
  element("loading").hidden = true;
  await Promise.all(panels.map((panel) => panel.started({ picture })));
} catch (error) {
  element("stage").textContent = "Python cannot run here.";
  element("progress").hidden = true;
  element("error").textContent = error.message;
  element("error").hidden = false;
}
