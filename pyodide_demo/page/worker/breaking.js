// Makes a mistake in three ways, and tells what came of each.

import * as bare from "./bare.js";
import { toPlain } from "./python.js";

export function make(python, { name }) {
  const breaking = python.program("breaking");
  const deed = bare.mistakes[name];
  return {
    emheap: toPlain(breaking.make_with_emheap(python.heap, name)),
    ctypes: toPlain(breaking.make_with_ctypes(name)),
    javascript: { code: bare.codeOf(deed), error: "", text: deed(python.pyodide._module), where: "" },
  };
}
