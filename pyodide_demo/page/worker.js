// Python and its heap. It runs beside the page so that the page never waits for it, and draws by itself: a
// view of the heap cannot be handed to another thread, but a canvas can be handed to this one.

import * as breaking from "./worker/breaking.js";
import * as console_ from "./worker/console.js";
import { Problem } from "./worker/downloads.js";
import * as map from "./worker/heap_map.js";
import * as picture from "./worker/picture.js";
import { startPython } from "./worker/python.js";
import * as spectrum from "./worker/spectrum.js";

const panels = { breaking, console: console_, map, picture, spectrum };

let python; // what startPython gives

const say = (kind, details) => self.postMessage({ kind, details });

async function start() {
  let site;
  python = await startPython((progress) => say("progress", progress), (found) => {
    site = found;
    const { filters, chosen, mistakes, parts } = site;
    say("site", { filters, chosen, mistakes, parts });
  });
  return { runtime: python.home, picture: site.picture };
}

function run(task, details) {
  if (task === "start") return start();
  if (python === undefined) throw new Problem("Python has not started.");
  const [panel, name] = task.split(".");
  return panels[panel][name](python, details);
}

function wordsOf(error) {
  if (error instanceof Problem) return error.message;
  console.error(error);
  const words = String(error?.message ?? error).trim().split("\n").at(-1);
  return error.pyodide_fatal_error ? `Python has stopped for good, reload the page: ${words}` : words;
}

// One task at a time, in the order they were asked for.
let last = Promise.resolve();
self.onmessage = ({ data: { id, task, details } }) => {
  last = last
    .then(() => run(task, details))
    .finally(() => python?.observer.look(task))
    .then(
      (result) => self.postMessage({ id, result }),
      (error) => self.postMessage({ id, failure: wordsOf(error) }),
    );
};
