// Python that is shown: highlighted, with numbered lines, some of which an error may be about.

import { make } from "./dom.js";

/**
 * What gives the code in a place its colours: done when it comes near, for it keeps a phone busy.
 * @type {WeakMap<Element, () => void>}
 */
const colours = new WeakMap();
const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      colours.get(target)?.();
    }
  },
  { rootMargin: "200px" },
);

/**
 * Show code in a `<pre>`.
 * @param {HTMLElement} place
 * @param {string} code
 * @param {Record<string, number>} [marks] lines to mark, by what happened there
 */
export function showCode(place, code, marks = {}) {
  const lines = code.replace(/\n$/, "").split("\n");
  /** @type {Map<number, string>} */
  const words = new Map();
  for (const [what, line] of Object.entries(marks)) {
    const said = words.get(line);
    words.set(line, said === undefined ? what : `${said}, ${what}`);
  }
  const rows = lines.map((line, at) => {
    const mark = words.get(at + 1);
    const shown = make("span", { className: "code-line" }, make("span", { className: "code-text" }, line || " "));
    shown.dataset.line = String(at + 1);
    if (mark !== undefined) shown.append(make("span", { className: "code-mark" }, mark));
    return shown;
  });
  place.classList.add("numbered");
  place.replaceChildren(...rows);
  colours.set(place, () => void highlight(code, rows).catch(() => {})); // without colours it is as readable
  near.observe(place);
}

/**
 * @param {string} code
 * @param {HTMLElement[]} rows
 */
async function highlight(code, rows) {
  const { parser, highlightCode, classHighlighter } = await import("./vendor/highlight.js");
  /** @type {(Node | string)[][]} */
  const lines = [[]];
  const put = (/** @type {string} */ text, /** @type {string} */ classes) =>
    lines.at(-1)?.push(classes ? make("span", { className: classes }, text) : text);
  highlightCode(code, parser.parse(code), classHighlighter, put, () => lines.push([]));
  rows.forEach((row, at) => {
    const pieces = lines[at];
    if (pieces?.length) row.querySelector(".code-text")?.replaceChildren(...pieces);
  });
}

/** Show in each panel the module of the demonstration that it runs, once the panel is seen. */
export function showModules() {
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-module]"))) {
    const show = () => void showModule(place).catch(() => {}); // the panel works without
    const panel = /** @type {HTMLElement} */ (place.closest("[role=tabpanel]"));
    if (panel.hidden) panel.addEventListener("shown", show, { once: true });
    else show();
  }
}

/** @param {HTMLElement} place */
async function showModule(place) {
  const answer = await fetch(`python/pyodide_demo/${place.dataset.module}`);
  if (answer.ok) showCode(place, await answer.text());
}
