// Tells what is on a heap, and what it was like before.

import { noteBuffer, writtenCells } from "./memories.js";
import { toPlain } from "./python.js";

/** @import { MapDetails, MapReport, Tasks } from "../protocol.d.ts" */
/** @import { PyProxy } from "./pyodide.d.ts" */
/** @import { Surroundings } from "./python.js" */

const MOST_BYTES = 512; // of a block that is shown byte by byte

/** @type {PyProxy} */
let guarded; // the GuardedHeap of guarded.py, once it is opened

/**
 * @param {Surroundings} python
 * @param {MapDetails} details
 * @returns {MapReport}
 */
export function report(python, { heap: name, range, cells, chosen, perLine }) {
  const map = python.program("heap_map");
  const names = toPlain(python.observer.names);
  const shown = names.includes(name) ? name : names[0];
  noteBuffer("Python's heap", () => python.pyodide._module.HEAPU8.buffer);
  const heap = python.observer.heap(shown);
  try {
    /** @type {MapReport["survey"]} */
    const survey = toPlain(map.survey(heap));
    /** @type {MapReport["guards"]} */
    const guards = shown === debugName(python) ? toPlain(guarded.guards()) : [];
    const whole = range === "memory" || guards.length > 0;
    const [low, high] = whole ? [0, survey.memory_size] : extentOf(survey.rows, cells);
    const block = survey.rows.find(({ address }) => address === chosen);
    return {
      names,
      shown,
      survey,
      history: toPlain(python.observer.history(shown)),
      low,
      high,
      ...writtenCells(shown, low, high, cells),
      guards,
      block,
      dump: block && map.hexdump(heap, block.address, Math.min(block.byte_size, MOST_BYTES), perLine),
    };
  } finally {
    heap.destroy();
  }
}

/**
 * Work on the debug heap, which is made when it is first asked for.
 * @param {Surroundings} python
 * @param {Tasks["map.debug"]["details"]} details
 */
export function debug(python, { action }) {
  if (guarded === undefined) {
    guarded = python.program("guarded").GuardedHeap();
    python.observer.add(debugName(python), guarded.heap);
    const start = guarded.host_address;
    const size = guarded.byte_size;
    noteBuffer(debugName(python), () => python.pyodide._module.HEAPU8.slice(start, start + size).buffer);
  }
  return toPlain(guarded.act(action));
}

/** @param {Surroundings} python */
const debugName = (python) => python.program("guarded").NAME;

/**
 * @param {MapReport["survey"]["rows"]} rows
 * @param {number} cells
 */
function extentOf(rows, cells) {
  if (!rows.length) return [0, cells];
  const low = Math.min(...rows.map(({ address }) => address));
  return [low, Math.max(...rows.map(({ address, byte_size: size }) => address + size))];
}
