// Makes a mistake in three ways, and tells what came of each.

import { mistakes } from "./bare.js";
import { codeOf } from "./code_of.js";
import { toPlain } from "./python.js";

/** @import { Surroundings } from "./python.js" */

/**
 * @param {Surroundings} python
 * @param {{ name: string }} details
 */
export function make(python, { name }) {
  const breaking = python.program("breaking");
  const deed = mistakes[name];
  if (deed === undefined) throw new Error(`there is no mistake ${name}`);
  return {
    emheap: toPlain(breaking.make_with_emheap(python.heap, name)),
    ctypes: toPlain(breaking.make_with_ctypes(name)),
    javascript: { code: codeOf(deed), error: "", text: deed(python.pyodide._module), where: "", lines: {} },
  };
}
