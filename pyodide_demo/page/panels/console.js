// The prompt.

import { fromAnsi } from "../ansi.js";
import { button, element, input, make, number, showError, wordsOf } from "../dom.js";
import { Editor, loadCodeMirror } from "../editor.js";

/** @import { News } from "../protocol.d.ts" */
/** @import { Python } from "../python.js" */
/** @import { State } from "../state.js" */

const EXAMPLES = ["numbers = heap.alloc_array(int32, [1, 2, 3])", "numbers[1] = 2**40", "heap.live()"];
/** Longer outputs are folded. */
const MOST_LINES = 40;
const MOST_CHARACTERS = 5_000;
const LINES_IN_VIEW = 12;
const CHARACTERS_IN_VIEW = 1_000;
/** What one text prints beyond this is left out, and so is what it reports: a browser that lays out much more stands
 * still. */
const MOST_OF_A_KIND = 200_000;
/** How often what is shown reaches the log: a program may print thousands of times a second. */
const MILLISECONDS_BETWEEN_LINES = 30;
/** How long a program may take to end after an interrupt, before a restart is offered. */
const MILLISECONDS_FOR_AN_INTERRUPT = 1_000;
/** The oldest entries go where there are more. */
const MOST_ENTRIES = 400;

/**
 * One prompt: an editor, and a log of what was run and what came of it.
 */
export class Prompt {
  #python;
  #scope;
  #log;
  #place;
  /** @type {string[]} */
  #history = [];
  #at = 0; // in the history
  #draft = ""; // what was typed before the history was gone through
  /** @type {Editor | undefined} */
  #editor;
  /** @type {HTMLElement | undefined} */
  #output; // what the running text shows
  /** @type {{ kind: News["output"]["kind"], text: string }[]} */
  #unshown = [];
  #timer = 0;
  /** @type {Map<News["output"]["kind"], number>} */
  #shown = new Map(); // the characters of the running text's outputs
  #running = 0;
  #restarts = 0;
  #last = Promise.resolve();
  #label;
  #waiting = "";
  /** Called when something is run, and when all of it has ended. */
  running = (/** @type {boolean} */ _now) => {};

  /**
   * @param {Python} python
   * @param {{ scope: "page" | "module", log: HTMLElement, place: HTMLElement, label: string }} parts
   */
  constructor(python, { scope, log, place, label }) {
    this.#python = python;
    this.#scope = scope;
    this.#log = log;
    this.#place = place;
    this.#label = label;
  }

  /** Make the editor, once it is to be seen. */
  async open() {
    if (this.#editor !== undefined) return;
    const codemirror = await loadCodeMirror();
    this.#editor ??= new Editor(this.#place, codemirror, {
      label: this.#label,
      prompt: {
        run: (text) => void this.run(text),
        complete: (text) => this.#complete(text),
        recall: (step) => this.#recall(step),
      },
    });
    if (this.#waiting) this.#editor.set(this.#waiting);
  }

  get text() {
    return this.#editor?.text ?? this.#waiting;
  }

  /**
   * Put a text into the editor, to be read, changed and run.
   * @param {string} text
   */
  put(text) {
    this.#waiting = text;
    this.#editor?.set(text);
  }

  focus() {
    this.#editor?.focus();
  }

  /**
   * Run a text after those before it, and show what comes of it as it comes.
   * @param {string} text
   */
  async run(text) {
    if (!text.trim()) return;
    this.#history.push(text);
    this.#at = this.#history.length;
    this.put("");
    const typed = text.split("\n").map((line, at) => (at ? "... " : ">>> ") + line);
    const entry = make("div", { className: "entry" }, make("pre", { className: "typed" }, typed.join("\n")));
    this.#log.append(entry);
    while (this.#log.children.length > MOST_ENTRIES) this.#log.firstElementChild?.remove();
    this.#toEnd();
    this.#running++;
    this.running(true);
    const restarts = this.#restarts;
    this.#last = this.#last.then(() => (restarts === this.#restarts ? this.#runNow(text, entry) : undefined));
    await this.#last;
    this.#running--;
    this.running(this.#running > 0);
  }

  /**
   * @param {string} text
   * @param {HTMLElement} entry
   */
  async #runNow(text, entry) {
    this.#output = entry;
    this.#shown.clear();
    try {
      await this.#python.call("console.run", { text, scope: this.#scope });
    } catch (error) {
      this.show({ kind: "error", text: wordsOf(error) });
    }
    this.#write();
    this.#fold(entry);
  }

  /**
   * Show what the running text shows.
   * @param {{ kind: News["output"]["kind"], text: string }} output
   */
  show({ kind, text }) {
    const last = this.#unshown.at(-1);
    if (last?.kind === kind) last.text += text;
    else this.#unshown.push({ kind, text });
    this.#timer ||= setTimeout(() => this.#write(), MILLISECONDS_BETWEEN_LINES);
  }

  /** Write what was not shown yet into the log. */
  #write() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    for (const { kind, text } of this.#unshown.splice(0)) {
      const shown = this.#shown.get(kind) ?? 0;
      const left = MOST_OF_A_KIND - shown;
      this.#shown.set(kind, shown + text.length);
      if (left > 0) this.#append(kind, text.slice(0, left));
      if (left > 0 && text.length > left) this.#append("note", "What follows is not shown: there is too much of it.");
    }
    this.#toEnd();
  }

  /**
   * @param {News["output"]["kind"] | "note"} kind
   * @param {string} text
   */
  #append(kind, text) {
    const entry = this.#output;
    if (entry === undefined) return;
    const last = /** @type {HTMLElement | null} */ (entry.lastElementChild);
    const same = last?.dataset.kind === kind;
    const place = same && last !== null ? last : make("pre", { className: `answered of-${kind}` });
    place.dataset.kind = kind;
    if (!same) entry.append(place);
    place.append(...fromAnsi(text));
  }

  /** Note that Python was restarted: what was run is here still, but not there. */
  note(/** @type {string} */ words) {
    this.#write();
    if (this.#log.children.length) this.#log.append(make("p", { className: "hint" }, words));
    this.#output = undefined;
    this.#restarts++;
    this.#toEnd();
  }

  #toEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  /**
   * Fold the outputs of an entry that are long.
   * @param {HTMLElement} entry
   */
  #fold(entry) {
    for (const shown of entry.querySelectorAll("pre.answered")) {
      const text = (shown.textContent ?? "").trimEnd();
      const lines = text.split("\n");
      if (lines.length <= MOST_LINES && text.length <= MOST_CHARACTERS) continue;
      const folded = make("details", { className: "folded" });
      const start = lines.slice(0, LINES_IN_VIEW).join("\n").slice(0, CHARACTERS_IN_VIEW);
      const rest = lines.length - start.split("\n").length;
      const words = rest ? `${number(rest)} more lines` : `${number(text.length - start.length)} more characters`;
      shown.replaceWith(make("pre", { className: shown.className }, start), folded);
      folded.append(make("summary", {}, words), shown);
    }
  }

  /** @param {string} text */
  async #complete(text) {
    // An answer that comes after Python was busy for a while is no help.
    if (this.#python.condition !== "ready") return { names: [], start: 0 };
    return this.#python.call("console.complete", { text, scope: this.#scope });
  }

  /** @param {-1 | 1} step */
  #recall(step) {
    if (this.#at === this.#history.length) this.#draft = this.text;
    const at = this.#at + step;
    if (at < 0 || at > this.#history.length) return undefined;
    this.#at = at;
    return this.#history[at] ?? this.#draft;
  }
}

/**
 * @param {Python} python
 * @param {State} state
 * @param {() => void} restart
 */
export function startConsole(python, state, restart) {
  const panel = element("panel-console");
  const prompt = new Prompt(python, {
    scope: "page",
    log: element("console-log"),
    place: element("prompt"),
    label: "Python",
  });
  let ready = false;
  let interrupted = 0;
  prompt.running = (now) => {
    button("console-run").disabled = now || !ready;
    button("interrupt").hidden = !now || !python.canBeInterrupted;
    // Where nothing interrupts it, what awaits for ever would have no end: Python is not busy then.
    button("console-restart").hidden = !now || python.canBeInterrupted;
    if (now) return;
    element("input-form").hidden = true; // an interrupt came in the place of a line
    clearTimeout(interrupted);
  };

  function interrupt() {
    python.interrupt();
    clearTimeout(interrupted);
    // A program may catch it and wait again: then Python answers, and nothing says that it is busy.
    interrupted = setTimeout(() => {
      button("console-restart").hidden = false;
    }, MILLISECONDS_FOR_AN_INTERRUPT);
  }

  async function show() {
    await prompt.open();
    if (!panel.hidden) prompt.focus();
  }

  async function runLinked() {
    const { code, run } = state.of("console");
    if (code === "") return;
    prompt.put(code);
    if (run === "" || !ready) return;
    state.choose("console", { run: "" }); // once: a reload shows it, and does not run it again
    await prompt.run(code);
  }

  async function run() {
    showError("console-error");
    await prompt.run(prompt.text);
    prompt.focus();
  }

  panel.addEventListener("shown", () => {
    show().catch((error) => showError("console-error", wordsOf(error)));
  });
  state.listen("console", () => void runLinked());
  button("interrupt").addEventListener("click", interrupt);
  button("console-restart").addEventListener("click", restart);
  button("console-run").addEventListener("click", () => void run());
  button("console-link").addEventListener("click", async () => {
    state.choose("console", { code: prompt.text });
    const address = new URL(state.addressOf("console"), location.href).href;
    try {
      await navigator.clipboard.writeText(address);
      element("console-linked").textContent = "Copied: the link carries the code.";
    } catch {
      element("console-linked").textContent = "The address of the page carries the code now.";
    }
  });

  element("input-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const line = input("input-line").value;
    element("input-form").hidden = true;
    prompt.show({ kind: "out", text: `${line}\n` });
    python.answer(line);
    prompt.focus();
  });

  element("examples").append(
    ...EXAMPLES.map((example) => {
      const made = make("button", { type: "button", disabled: true }, example);
      made.addEventListener("click", () => {
        void prompt.run(example);
        prompt.focus();
      });
      return made;
    }),
  );

  return {
    /** @param {News["output"]} output */
    output({ kind, text }) {
      prompt.show({ kind, text });
    },

    input() {
      element("input-form").hidden = false;
      input("input-line").value = "";
      input("input-line").focus();
    },

    async started() {
      ready = true;
      const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (
        panel.querySelectorAll("#examples button, #console-run")
      );
      for (const each of buttons) each.disabled = false;
      if (!panel.hidden) await show();
      // What a link carries is in the editor already, or was; what is there now is the visitor's.
      if (state.of("console").run !== "") await runLinked();
    },

    restarting() {
      ready = false;
      prompt.running(false);
      element("input-form").hidden = true;
      prompt.note("Python was restarted: the names above are gone; the history is not.");
    },
  };
}
