// The bar that says when Python is busy or has stopped, and restarts it.

import { button, element } from "./dom.js";

/** @import { Python } from "./python.js" */

/** @type {Record<string, string>} */
const WORDS = {
  "console.run": "running what was entered in the console",
  "picture.measure": "measuring",
  "module.open": "opening a module",
  "structure.read": "laying out a structure",
};

/**
 * @param {Python} python
 * @param {() => void} restart
 */
export function showCondition(python, restart) {
  const bar = element("condition");
  const words = element("condition-words");

  function show() {
    const { condition } = python;
    const focused = bar.contains(document.activeElement);
    bar.hidden = condition !== "busy" && condition !== "dead";
    // Who came to the bar with the keyboard goes on at the panel.
    const tab = /** @type {HTMLElement | null} */ (element("tabs").querySelector("[aria-selected=true]"));
    if (bar.hidden && focused) tab?.focus();
    bar.className = condition;
    if (bar.hidden) words.textContent = "";
    button("interrupt-bar").hidden = condition !== "busy" || !python.canBeInterrupted;
    if (condition === "dead") words.textContent = `Python has stopped: ${python.reason}.`;
    if (condition === "busy") {
      const task = python.longest ?? "";
      words.textContent = `Python is busy${task in WORDS ? `: ${WORDS[task]}` : ""}. Other panels wait for it.`;
    }
  }

  python.addEventListener("condition", show);
  button("interrupt-bar").addEventListener("click", () => python.interrupt());
  button("restart").addEventListener("click", restart);
}
