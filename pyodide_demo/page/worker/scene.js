// The small heap at the head of the page.

import { toPlain } from "./python.js";

/** @import { PyProxy } from "./pyodide.d.ts" */
/** @import { Surroundings } from "./python.js" */

/** @type {PyProxy} */
let scene; // the Scene of scene.py, once it is needed

/**
 * @param {Surroundings} python
 * @param {{ code: string }} details
 */
export function step(python, { code }) {
  scene ??= python.program("scene").Scene();
  return toPlain(scene.step(code));
}

/** @param {Surroundings} python */
export function restart(python) {
  scene?.close();
  scene?.destroy();
  scene = python.program("scene").Scene();
  return toPlain(scene.moment());
}
