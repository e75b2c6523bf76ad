// The visitor's own WebAssembly module: what it has, its heap, and a prompt that calls it.

import { breakable, element, heading, input, make, row, showError, size, wordsOf } from "../dom.js";
import { Prompt } from "./console.js";

/** @import { News, OpenedModule, Site } from "../protocol.d.ts" */
/** @import { Python } from "../python.js" */
/** @import { State } from "../state.js" */

/**
 * @param {Python} python
 * @param {State} state
 * @param {Site} site
 */
export function startModule(python, state, site) {
  const panel = element("panel-module");
  const prompt = new Prompt(python, {
    scope: "module",
    log: element("module-log"),
    place: element("module-prompt"),
    label: "Python, with the module",
  });
  let ready = false;
  /** @type {{ name: string, bytes: ArrayBuffer } | undefined} */
  let opened; // stays here, should Python be restarted
  let sample = "";

  /**
   * @param {string} name
   * @param {ArrayBuffer} bytes
   */
  async function open(name, bytes) {
    showError("module-error");
    try {
      show(await python.call("module.open", { name, bytes }));
      opened = { name, bytes };
      await prompt.open();
    } catch (error) {
      showError("module-error", wordsOf(error));
    }
  }

  /** @param {File | undefined} file */
  async function openFile(file) {
    if (file === undefined || !ready) return;
    state.choose("module", { sample: "" });
    try {
      await open(file.name, await file.arrayBuffer());
    } catch (error) {
      showError("module-error", `${file.name} could not be read: ${wordsOf(error)}`); // a folder, for one
    }
  }

  async function openSample() {
    const name = state.of("module").sample;
    const found = site.samples.find((each) => each.name === name);
    if (!ready || panel.hidden || found === undefined || sample === name) return;
    sample = name;
    try {
      const answer = await fetch(found.address);
      if (!answer.ok) throw new Error(`${name} could not be fetched: the server answered ${answer.status}.`);
      await open(name, await answer.arrayBuffer());
    } catch (error) {
      showError("module-error", wordsOf(error));
    }
  }

  /** @param {OpenedModule} module */
  function show({ name, heap, imports, exports, memory, problem }) {
    element("module-shown").hidden = false;
    element("module-name").textContent = name;
    element("module-memory").textContent = heap ? `${size(memory.size)}, ${memory.note}` : "none that can be used";
    showError("module-problem", problem);
    element("imports-list").hidden = imports.length === 0;
    element("imports-hint").textContent = imports.length
      ? "The functions it imports are replaced by ones that return 0."
      : "It imports nothing.";
    element("module-imports").replaceChildren(
      ...imports.map((each) => row(heading(breakable(`${each.module}.${each.name}`)), each.kind, each.type)),
    );
    element("module-exports").replaceChildren(
      ...exports.map((each) => {
        const call = make("button", { type: "button", className: "link" }, breakable(each.name));
        call.addEventListener("click", () => {
          const access = /^[A-Za-z_]\w*$/.test(each.name) ? `exports.${each.name}` : `getattr(exports, "${each.name}")`;
          prompt.put(each.kind === "function" ? `${access}()` : access);
          prompt.focus();
        });
        return row(heading(call), each.kind, each.type);
      }),
    );
    element("module-map").hidden = heap === "";
    element("module-map").setAttribute("href", `#map?heap=${encodeURIComponent(heap)}&range=memory`);
  }

  element("samples").append(
    ...site.samples.map(({ name, words }) => {
      const made = make("button", { type: "button", title: words, ariaPressed: "false", disabled: true }, name);
      made.addEventListener("click", () => {
        sample = "";
        state.choose("module", { sample: name });
      });
      return made;
    }),
  );
  input("module-file").addEventListener("change", () => {
    void openFile(input("module-file").files?.[0]);
    input("module-file").value = "";
  });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    panel.addEventListener(kind, (event) => {
      event.preventDefault();
      panel.classList.toggle("dropping", kind === "dragenter" || kind === "dragover");
      if (kind === "drop") void openFile(/** @type {DragEvent} */ (event).dataTransfer?.files[0]);
    });
  }
  state.listen("module", (chosen) => {
    for (const each of element("samples").querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(each.textContent === chosen.sample));
    }
    void openSample();
  });
  panel.addEventListener("shown", () => void openSample());

  return {
    /** @param {News["output"]} output */
    output(output) {
      prompt.show(output);
    },

    async started() {
      ready = true;
      input("module-file").disabled = false;
      for (const each of element("samples").querySelectorAll("button")) each.disabled = false;
      if (opened !== undefined) await open(opened.name, opened.bytes);
      else await openSample();
    },

    restarting() {
      ready = false;
      prompt.note("Python was restarted, and the module was opened again.");
    },
  };
}
