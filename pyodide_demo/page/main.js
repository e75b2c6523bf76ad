// The page: Python's start, and its panels. Each panel is a file of its own.

import { showModules } from "./code.js";
import { showCondition } from "./condition.js";
import { element, wordsOf } from "./dom.js";
import { startHero } from "./hero.js";
import { idle } from "./idle.js";
import { isolate, keep } from "./keeping.js";
import { Loading } from "./loading.js";
import { startBreaking } from "./panels/breaking.js";
import { startConsole } from "./panels/console.js";
import { startHeapMap } from "./panels/heap_map.js";
import { startModule } from "./panels/module.js";
import { startPicture } from "./panels/picture.js";
import { startSameBytes } from "./panels/same_bytes.js";
import { startSpectrum } from "./panels/spectrum.js";
import { startStructures } from "./panels/structures.js";
import { startTests } from "./panels/tests.js";
import { Python, Restarted } from "./python.js";
import { State } from "./state.js";
import { startTabs } from "./tabs.js";

/** @import { Site } from "./protocol.d.ts" */

/**
 * @typedef {object} Panel
 * @property {() => void | Promise<void>} started Python is ready, for the first time or again
 * @property {() => void} [restarting] all that Python had is gone
 */

document.documentElement.dataset.started = "true"; // see watch.js
/** @type {Site} */
const site = JSON.parse(element("site").textContent ?? "");
const state = new State();
const loading = new Loading(site);
const python = new Python(site, {
  stage: (stage) => loading.show(stage),
  output: (output) => (output.scope === "page" ? console_ : module_).output(output),
  input: () => console_.input(),
});

startTabs(element("tabs"), state);
const console_ = startConsole(python, state, restart);
const module_ = startModule(python, state, site);
/** @type {Panel[]} */
const panels = [
  startHero(python, site),
  startPicture(python, state, site),
  startSpectrum(python, state),
  startHeapMap(python, state),
  startBreaking(python, state, site),
  startSameBytes(python, state),
  startStructures(python, state, site),
  module_,
  console_,
  startTests(python, state, site),
];
state.open();
showModules();
showCondition(python, restart);

function restart() {
  for (const panel of panels) panel.restarting?.();
  void start();
}

async function start() {
  loading.begin();
  try {
    if (HTMLCanvasElement.prototype.transferControlToOffscreen === undefined) {
      throw new Error("This browser cannot draw from a worker. A current Chromium, Firefox or Safari can.");
    }
    const { runtime } = await python.start();
    element("runtime").textContent = `Running on ${runtime}, in a worker.`;
    loading.end();
    await Promise.all(panels.map((panel) => panel.started()));
    void keepMemory();
  } catch (error) {
    if (!(error instanceof Restarted)) loading.fail(wordsOf(error));
  }
}

/** For the next visit: it takes a second of the processor, which the visitor of this one is not to miss. */
async function keepMemory() {
  await idle();
  await python.call("keep", {}).catch(() => {}); // that Python was restarted, and will be asked again
}

if (!(await isolate())) {
  await start();
  await idle();
  await keep(site);
}
