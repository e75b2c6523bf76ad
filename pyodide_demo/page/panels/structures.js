// The structure explorer: a declaration, the layout that it has for each ABI, and its bytes and values, of which
// each changes the other. emheap does all of it, in the worker.

import { button, bytesOf, element, make, part, row, showError, wordsOf } from "../dom.js";
import { Editor, loadCodeMirror } from "../editor.js";
import { StructureBytes } from "../structure_bytes.js";

/** @import { Site, StructurePart, StructureReport } from "../protocol.d.ts" */
/** @import { Python } from "../python.js" */
/** @import { State } from "../state.js" */

const MILLISECONDS_OF_A_PAUSE = 400; // in typing, after which the declaration is read
const COLOURS = 6;

/**
 * @param {Python} python
 * @param {State} state
 * @param {Site} site
 */
export function startStructures(python, state, site) {
  const panel = element("panel-structures");
  const fields = new Fields(part("structure-fields", HTMLTableSectionElement), write, point);
  const map = new StructureBytes(element("structure-bytes"), store, point);
  /** @type {Editor | undefined} */
  let editor;
  let ready = false;
  let endless = ""; // a declaration that was still being read when Python was restarted
  let timer = 0;
  let asked = 0; // only what was asked for last is shown
  /** @type {StructureReport | undefined} */
  let shown;

  const chosen = () => state.of("structures");
  const example = () => site.structures.find(({ name }) => name === chosen().example) ?? site.structures[0];
  const code = () => chosen().code || (example()?.code ?? "");
  const declared = () => ({ code: code(), machine: chosen().machine, bytes: chosen().bytes });

  /** Show what is chosen, by the visitor or the address. */
  function follow() {
    for (const each of element("structure-examples").querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(chosen().code === "" && each.name === example()?.name));
    }
    if (editor !== undefined && editor.text !== code()) editor.set(code());
    if (!panel.hidden) void ask("structure-error", () => python.call("structure.read", declared()));
  }

  /**
   * Ask for a report and show it. Resolves to whether there was one.
   * @param {"structure-error" | "structure-problem"} place where an error is shown
   * @param {() => Promise<StructureReport>} question
   */
  async function ask(place, question) {
    if (!ready) return false;
    const own = ++asked;
    try {
      const report = await question();
      if (own !== asked) return false;
      showError("structure-error");
      showError("structure-problem");
      show(report);
      return true;
    } catch (error) {
      if (own === asked) showError(place, wordsOf(error));
      return false;
    } finally {
      if (own === asked) element("structure-shown").classList.toggle("stale", !element("structure-error").hidden);
    }
  }

  /** @param {StructureReport} report */
  function show(report) {
    shown = report;
    element("structure-shown").hidden = false;
    element("structure-waits").hidden = true;
    const machine = report.machines.find(({ name }) => name === chosen().machine);
    const size = machine && `${bytesOf(machine.byte_size)}, aligned to ${machine.alignment}, for ${machine.title}`;
    element("structure-title").textContent = `${report.name}: ${size}`;
    element("structure-code").textContent = report.code;
    showMachines(report);
    fields.show(report.parts);
    map.show(report.bytes, report.parts);
  }

  /** @param {StructureReport} report */
  function showMachines({ machines }) {
    const list = element("structure-machines");
    if (!list.children.length) list.append(...machines.map(({ name, title }) => machineChoice(name, title)));
    machines.forEach(({ name, byte_size: size, alignment }, at) => {
      const item = list.children[at];
      const box = /** @type {HTMLInputElement} */ (item.querySelector("input"));
      box.checked = name === chosen().machine;
      const words = /** @type {HTMLElement} */ (item.querySelector(".hint"));
      words.textContent = bytesOf(size);
      item.querySelector("label")?.setAttribute("title", `aligned to ${alignment}`);
    });
  }

  /**
   * @param {string} name
   * @param {string} title
   */
  function machineChoice(name, title) {
    const box = make("input", { type: "radio", name: "machine", value: name });
    box.addEventListener("change", () => void move(name));
    return make("li", {}, make("label", {}, box, make("span", {}, title), make("span", { className: "hint" })));
  }

  /** @param {string} target */
  async function move(target) {
    if (chosen().bytes === "") return state.choose("structures", { machine: target });
    await ask("structure-problem", async () => {
      const report = await python.call("structure.move", { ...declared(), target });
      keep({ machine: target, bytes: report.bytes });
      return report;
    });
    if (shown !== undefined) showMachines(shown);
  }

  /**
   * Store a value in a field. Resolves to whether it fits.
   * @param {string} field
   * @param {string} value
   */
  async function write(field, value) {
    const bytes = shown?.bytes ?? "";
    return ask("structure-problem", async () => {
      const report = await python.call("structure.write", { ...declared(), bytes, field, value });
      keep({ bytes: report.bytes });
      return report;
    });
  }

  /** @param {string} bytes */
  function store(bytes) {
    state.choose("structures", { bytes });
  }

  /**
   * Remember what is shown already.
   * @param {{ machine?: string, bytes: string }} values
   */
  function keep(values) {
    following = false;
    state.choose("structures", values);
    following = true;
  }
  let following = true;

  /**
   * Point at some of the parts, in the table and among the bytes.
   * @param {StructurePart[]} parts
   */
  function point(parts) {
    fields.point(parts);
    map.point(parts);
  }

  async function open() {
    if (editor === undefined) {
      const codemirror = await loadCodeMirror();
      editor ??= new Editor(element("structure-editor"), codemirror, { label: "The declaration", changed });
      editor.set(code());
    }
    follow();
  }

  /** @param {string} text */
  function changed(text) {
    clearTimeout(timer);
    if (text === code()) return;
    const own = text === example()?.code ? "" : text;
    // What was stored belongs to what was declared before.
    timer = setTimeout(() => state.choose("structures", { code: own, bytes: "" }), MILLISECONDS_OF_A_PAUSE);
  }

  element("structure-examples").append(
    ...site.structures.map(({ name, title }) => {
      const made = make("button", { type: "button", name, ariaPressed: "false" }, title);
      made.addEventListener("click", () => state.choose("structures", { example: name, code: "", bytes: "" }));
      return made;
    }),
  );
  button("structure-reset").addEventListener("click", () => state.choose("structures", { bytes: "" }));
  state.listen("structures", () => {
    if (following) follow();
  });
  panel.addEventListener("shown", () => {
    open().catch((error) => showError("structure-error", wordsOf(error)));
  });

  return {
    started() {
      ready = true;
      // What never ended would keep this Python as it kept the last: it waits to be changed.
      if (!panel.hidden && code() !== endless) follow();
    },

    restarting() {
      ready = false;
      endless = python.longest?.startsWith("structure.") ? code() : "";
    },
  };
}

/** The table of the parts: the values can be changed. */
class Fields {
  #body;
  #write;
  #point;
  /** @type {StructurePart[]} */
  #parts = [];

  /**
   * @param {HTMLTableSectionElement} body
   * @param {(field: string, value: string) => Promise<boolean>} write
   * @param {(parts: StructurePart[]) => void} point
   */
  constructor(body, write, point) {
    this.#body = body;
    this.#write = write;
    this.#point = point;
  }

  /** @param {StructurePart[]} parts */
  show(parts) {
    const key = (/** @type {StructurePart[]} */ all) => all.map(({ path, kind, start }) => `${path} ${kind} ${start}`);
    // The same rows stay, or the value that is being changed would lose the focus.
    if (key(parts).join() !== key(this.#parts).join()) this.#body.replaceChildren(...this.#rows(parts));
    this.#parts = parts;
    parts.forEach(({ value, problem }, at) => {
      const box = this.#body.rows[at].querySelector("input");
      if (box === null) return;
      box.value = box.dataset.stored = value;
      box.placeholder = problem && "no value";
      box.title = problem;
      box.removeAttribute("aria-invalid");
    });
  }

  /** @param {StructurePart[]} parts */
  point(parts) {
    this.#parts.forEach((each, at) => {
      this.#body.rows[at].classList.toggle(
        "pointed",
        parts.some(({ path, start }) => path === each.path && start === each.start),
      );
    });
  }

  /** @param {StructurePart[]} parts */
  #rows(parts) {
    let colour = 0;
    return parts.map((each) => {
      const { path, kind, start, length } = each;
      const place = start % 8 || length % 8 ? `${Math.floor(start / 8)}:${start % 8}` : String(start / 8);
      const size = length % 8 ? `${length} bit${length === 1 ? "" : "s"}` : bytesOf(length / 8);
      const swatch = make("span", { className: `swatch ${path ? `kind-${colour++ % COLOURS}` : "untouched"}` });
      const words = make("span", {}, path || "padding", " ", make("span", { className: "hint" }, path && kind));
      const name = make("span", { className: "kind" }, swatch, words);
      const made = row(
        make("td", {}, place),
        make("td", {}, size),
        make("th", { scope: "row" }, name),
        path ? make("td", {}, this.#valueOf(path)) : make("td"),
      );
      made.className = path ? "" : "padding";
      for (const event of ["focusin", "mouseenter"]) made.addEventListener(event, () => this.#point([each]));
      for (const event of ["focusout", "mouseleave"]) made.addEventListener(event, () => this.#point([]));
      return made;
    });
  }

  /** @param {string} path */
  #valueOf(path) {
    const box = make("input", {
      type: "text",
      ariaLabel: `The value of ${path}`,
      autocomplete: "off",
      spellcheck: false,
    });
    box.setAttribute("aria-describedby", "structure-problem");
    box.setAttribute("autocapitalize", "off");
    box.addEventListener("change", async () => {
      const fits = await this.#write(path, box.value);
      if (!fits) box.setAttribute("aria-invalid", "true");
    });
    box.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") box.value = box.dataset.stored ?? "";
    });
    return box;
  }
}
