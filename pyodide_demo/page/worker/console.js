// The prompt, with the heap of all panels in scope.

import { toPlain } from "./python.js";

let prompt; // the Prompt of prompt.py, a proxy
let interrupts; // one byte shared with the page, where the page is isolated

export function start(python, { shared }) {
  prompt = python.program("prompt").Prompt(python.heap);
  if (shared === undefined) return;
  interrupts = new Uint8Array(shared);
  python.pyodide.setInterruptBuffer(interrupts);
}

export function enter(python, { text }) {
  try {
    return toPlain(prompt.enter(text));
  } finally {
    if (interrupts !== undefined) interrupts[0] = 0; // it may have come too late
  }
}
