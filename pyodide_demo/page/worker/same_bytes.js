// One row of bytes, which Python, JavaScript and C change in turn.

import { codeOf } from "./code_of.js";
import { toPlain } from "./python.js";

/** @import { SharedBytes, Tasks } from "../protocol.d.ts" */
/** @import { PyProxy } from "./pyodide.d.ts" */
/** @import { Surroundings } from "./python.js" */

/** @type {PyProxy} */
let row; // the Row of same_bytes.py, once it is needed

/** @typedef {{ bytes: Uint8Array, ints: Int32Array, floats: Float32Array }} Views */
/** @type {Record<string, (views: Views) => void>} */
const deeds = {
  root({ floats }) {
    floats[1] = Math.SQRT2;
  },
  reverse({ bytes }) {
    bytes.reverse();
  },
  sort({ ints }) {
    ints.sort();
  },
};

/**
 * The bytes, and what can be done to them.
 * @param {Surroundings} python
 * @param {Tasks["bytes.read"]["details"]} details
 * @returns {SharedBytes}
 */
export function read(python, { stored }) {
  row ??= python.program("same_bytes").Row(python.heap);
  if (stored) row.store(stored);
  const { bytes, floats } = viewsOf(python);
  const read = toPlain(row.read());
  return {
    ...read,
    bytes: Array.from(bytes),
    javascript: Array.from(floats, (value) => String(Number(value.toPrecision(7)))),
    actions: [
      ...read.actions,
      ...Object.entries(deeds).map(([name, deed]) => ({ language: "JavaScript", name, code: codeOf(deed) })),
    ],
  };
}

/**
 * Do one of the actions that `read` names.
 * @param {Surroundings} python
 * @param {Tasks["bytes.act"]["details"]} details
 */
export function act(python, { language, name }) {
  row ??= python.program("same_bytes").Row(python.heap);
  if (language === "JavaScript") deeds[name](viewsOf(python));
  else row.act(name);
  return read(python, { stored: "" });
}

/**
 * The block as typed arrays on the interpreter's memory: made each time, because the memory grows.
 * @param {Surroundings} python
 * @returns {Views}
 */
function viewsOf(python) {
  const { buffer } = python.pyodide._module.HEAPU8;
  const address = row.place();
  return {
    bytes: new Uint8Array(buffer, address, 16),
    ints: new Int32Array(buffer, address, 4),
    floats: new Float32Array(buffer, address, 4),
  };
}
