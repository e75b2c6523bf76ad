// The structure explorer: what is declared there is laid out, read and stored by emheap.

import { Problem } from "./downloads.js";
import { toPlain } from "./python.js";

/** @import { StructureReport, Tasks } from "../protocol.d.ts" */
/** @import { Surroundings } from "./python.js" */

/**
 * @param {Surroundings} python
 * @param {Tasks["structure.read"]["details"]} details
 */
export const read = (python, { code, machine, bytes }) => attempt(python, "read", code, machine, bytes);

/**
 * @param {Surroundings} python
 * @param {Tasks["structure.write"]["details"]} details
 */
export const write = (python, { code, machine, bytes, field, value }) =>
  attempt(python, "write", code, machine, bytes, field, value);

/**
 * @param {Surroundings} python
 * @param {Tasks["structure.move"]["details"]} details
 */
export const move = (python, { code, machine, bytes, target }) => attempt(python, "move", code, machine, bytes, target);

/**
 * Call a function of explorer.py. Throws Problem with the words of what cannot be declared or stored.
 * @param {Surroundings} python
 * @param {"read" | "write" | "move"} verb
 * @param {...string} given
 * @returns {StructureReport}
 */
function attempt(python, verb, ...given) {
  try {
    return toPlain(python.program("explorer")[verb](...given));
  } catch (error) {
    const [, words] = error instanceof Error ? error.message.split("explorer.ExplorerError: ") : [];
    if (words === undefined) throw error;
    throw new Problem(words.trim());
  }
}
