// The prompts: one with the heap of all panels in scope, one for the module that the visitor opened.

import { toPlain } from "./python.js";

/** @import { News } from "../protocol.d.ts" */
/** @import { PyProxy } from "./pyodide.d.ts" */
/** @import { Surroundings } from "./python.js" */
/** @typedef {"page" | "module"} ScopeName */
/** @typedef {<K extends keyof News>(news: K, details: News[K]) => void} Tell */

/** A program may print a million times a second, which as messages would leave the page no time for anything else:
 * those beyond the first of each while are joined. */
const MOST_MESSAGES = 100;
const MILLISECONDS_OF_A_WHILE = 100;

/** @type {Map<ScopeName, PyProxy>} */
const prompts = new Map(); // the Prompt of prompt.py, proxies
/** @type {Uint8Array | undefined} */
let interrupts; // one byte, which Python sets back as it takes the signal
/** @type {Tell} */
let tell;
/** @type {(() => string | undefined) | undefined} */
let readLine; // undefined where an interrupt came in its place

/**
 * @param {Surroundings} python
 * @param {SharedArrayBuffer | undefined} shared
 * @param {Tell} say
 */
export function start(python, shared, say) {
  tell = say;
  if (shared !== undefined) {
    const signals = new Uint8Array(shared, 0, 1);
    interrupts = signals;
    python.pyodide.setInterruptBuffer(signals);
    const words = new Int32Array(shared, 4, 2);
    readLine = () => {
      sendOutput();
      Atomics.store(words, 0, 0);
      tell("input", {});
      // The page sets the signal first, and wakes then.
      if (Atomics.load(signals, 0) === 0) Atomics.wait(words, 0, 0);
      if (Atomics.exchange(signals, 0, 0) !== 0) return undefined;
      const bytes = new Uint8Array(shared, 12, words[1]).slice();
      return `${new TextDecoder().decode(bytes)}\n`;
    };
  }
  addPrompt(python, "page", python.program("prompt").scope_of_heap(python.heap));
}

/** @type {News["output"][]} */
const unsent = [];
let sent = 0; // in this while
let begun = 0;
let timer = 0;

/** @param {News["output"]} output */
function addOutput(output) {
  const last = unsent.at(-1);
  if (last?.kind === output.kind && last.scope === output.scope) last.text += output.text;
  else unsent.push(output);
  const now = performance.now();
  if (now - begun >= MILLISECONDS_OF_A_WHILE) [begun, sent] = [now, 0];
  if (sent < MOST_MESSAGES) sendOutput();
  else timer ||= setTimeout(sendOutput, MILLISECONDS_OF_A_WHILE);
}

function sendOutput() {
  clearTimeout(timer);
  timer = 0;
  for (const output of unsent.splice(0)) {
    sent++;
    tell("output", output);
  }
}

/**
 * Make a prompt whose program sees the names of `scope`.
 * @param {Surroundings} python
 * @param {ScopeName} name
 * @param {PyProxy} scope
 */
export function addPrompt(python, name, scope) {
  const write = (/** @type {News["output"]["kind"]} */ kind, /** @type {string} */ text) =>
    addOutput({ kind, text, scope: name });
  prompts.get(name)?.destroy();
  prompts.set(name, python.program("prompt").Prompt(scope, write, readLine));
}

/**
 * @param {Surroundings} _python
 * @param {{ text: string, scope: ScopeName }} details
 */
export async function run(_python, { text, scope }) {
  try {
    return toPlain(await promptOf(scope).run(text));
  } finally {
    sendOutput();
    if (interrupts !== undefined) interrupts[0] = 0; // it may have come too late
  }
}

/**
 * @param {Surroundings} _python
 * @param {{ text: string, scope: ScopeName }} details
 */
export function complete(_python, { text, scope }) {
  const [names, start] = toPlain(promptOf(scope).complete(text));
  return { names, start };
}

/**
 * End what waits. What computes took the signal before this message, which is not for the next program then.
 * @param {Surroundings} python
 */
export function cancel(python) {
  if (interrupts !== undefined && Atomics.exchange(interrupts, 0, 0) === 0) return;
  python.program("prompt").end_programs();
}

/** @param {ScopeName} scope */
function promptOf(scope) {
  const prompt = prompts.get(scope);
  if (prompt === undefined) throw new Error("no module is open");
  return prompt;
}
