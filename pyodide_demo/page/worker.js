// Python and its heap. It runs beside the page so that the page never waits for it, and draws by itself: a
// view of the heap cannot be handed to another thread, but a canvas can be handed to this one.

import { BESIDE } from "./beside.js";
import * as breaking from "./worker/breaking.js";
import * as console_ from "./worker/console.js";
import { Problem } from "./worker/downloads.js";
import * as map from "./worker/heap_map.js";
import * as module_ from "./worker/module.js";
import * as picture from "./worker/picture.js";
import { lastLine, startPython } from "./worker/python.js";
import * as bytes from "./worker/same_bytes.js";
import * as scene from "./worker/scene.js";
import * as spectrum from "./worker/spectrum.js";
import * as structure from "./worker/structure.js";

/** @import { News, Question, Tasks } from "./protocol.d.ts" */
/** @import { Surroundings } from "./worker/python.js" */

const { cancel, complete, run: runText } = console_;
/** @type {Record<string, Record<string, (python: Surroundings, details: any) => unknown>>} */
const panels = {
  breaking,
  bytes,
  console: { cancel, complete, run: runText },
  map,
  module: module_,
  picture,
  scene,
  spectrum,
  structure,
};
/** @type {Surroundings | undefined} */
let python;

/**
 * @template {keyof News} K
 * @param {K} news
 * @param {News[K]} details
 */
const tell = (news, details) => self.postMessage({ news, details });

/** @param {Tasks["start"]["details"]} details */
async function start({ site, base, shared }) {
  python = await startPython(site, base, (stage) => tell("stage", stage));
  // What is awaited never ends after a fatal error, wherever that came from.
  python.pyodide._api.on_fatal = (error) => tell("dead", { reason: lastLine(error) });
  console_.start(python, shared, tell);
  return { runtime: python.runtime };
}

/** @param {Question} question */
function run({ task, details }) {
  if (task === "start") return start(details);
  if (task === "beat") return undefined;
  if (python === undefined) throw new Problem("Python has not started.");
  if (task === "keep") return python.keep();
  const [panel = "", name = ""] = task.split(".");
  const found = panels[panel]?.[name];
  if (found === undefined) throw new Problem(`There is no task ${task}.`);
  return found(python, details);
}

/** @param {unknown} error */
function wordsOf(error) {
  if (error instanceof Problem) return error.message;
  console.error(error);
  return lastLine(error);
}

/** @param {Question} question */
async function answer(question) {
  const { id, task } = question;
  try {
    const result = await run(question);
    self.postMessage({ id, result });
  } catch (error) {
    self.postMessage({ id, failure: wordsOf(error) });
  } finally {
    if (task !== "beat") python?.observer.look(task);
  }
}

// One task at a time, in the order they were asked for.
let last = Promise.resolve();
self.addEventListener("message", ({ data }) => {
  if (BESIDE.has(data.task) && python !== undefined) last.then(() => void answer(data));
  else last = last.then(() => answer(data));
});
