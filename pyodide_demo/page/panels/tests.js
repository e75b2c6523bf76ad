// The tests, run in a worker and a Python of their own.

import { button, element, heading, make, number, part, row, select, showError } from "../dom.js";

/** @import { Site } from "../protocol.d.ts" */
/** @import { Python } from "../python.js" */
/** @import { State } from "../state.js" */

/** @typedef {"passed" | "failed" | "skipped"} Outcome */
const OUTCOMES = /** @type {Outcome[]} */ (["passed", "failed", "skipped"]);

/**
 * @param {Python} _python
 * @param {State} state
 * @param {Site} site
 */
export function startTests(_python, state, site) {
  /** @type {Worker | undefined} */
  let worker;
  /** @type {Map<string, Record<Outcome, { cell: HTMLElement, count: number }>>} */
  let files = new Map();
  let counts = { passed: 0, failed: 0, skipped: 0 };
  let total = 0;

  const progress = part("tests-progress", HTMLProgressElement);

  /** @type {Record<string, (test: string, words: string) => void>} */
  const listeners = {
    stage(_test, words) {
      element("tests-now").textContent = words;
    },

    collected(_test, words) {
      total = Number(words);
      progress.max = Math.max(total, 1);
      showCounts();
    },

    started(test) {
      element("tests-now").textContent = test;
    },

    passed: (test, words) => count(test, "passed", words),
    skipped: (test, words) => count(test, "skipped", words),
    failed: (test, words) => count(test, "failed", words),

    ended(_test, code) {
      stop();
      const well = counts.failed === 0 && ["0", "5"].includes(code);
      element("tests-now").textContent = well ? "All of them passed." : `Ended with exit code ${code}.`;
    },

    broken(_test, words) {
      stop();
      showError("tests-error", `The tests ended before they were done: ${words}`);
    },
  };

  function start() {
    worker?.terminate();
    files = new Map();
    counts = { passed: 0, failed: 0, skipped: 0 };
    total = 0;
    showError("tests-error");
    for (const id of ["tests-files", "tests-failures"]) element(id).replaceChildren();
    element("tests-results").hidden = false;
    progress.removeAttribute("value");
    button("tests-start").textContent = "Stop";
    worker = new Worker("tests/worker.js", { type: "module" });
    worker.addEventListener("message", ({ data: { kind, test, words } }) => listeners[kind](test, words));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      listeners.broken("", event.message ?? "a file of them could not be fetched");
    });
    worker.postMessage({ parts: [select("tests-part").value], site });
  }

  function stop() {
    worker?.terminate();
    worker = undefined;
    button("tests-start").textContent = "Run the tests here";
  }

  /**
   * @param {string} test
   * @param {Outcome} outcome
   * @param {string} words
   */
  function count(test, outcome, words) {
    counts[outcome] += 1;
    const file = fileOf(test.split("::")[0])[outcome];
    file.count += 1;
    file.cell.textContent = String(file.count);
    if (outcome === "failed") {
      element("tests-failures").append(make("h3", {}, test), make("pre", { className: "output", tabIndex: 0 }, words));
    }
    showCounts();
  }

  /** @param {string} name */
  function fileOf(name) {
    const known = files.get(name);
    if (known !== undefined) return known;
    const cells = OUTCOMES.map((outcome) => make("td", { className: outcome }));
    element("tests-files").append(row(heading(name), ...cells));
    const [passed, failed, skipped] = cells.map((cell) => ({ cell, count: 0 }));
    const file = { passed, failed, skipped };
    files.set(name, file);
    return file;
  }

  function showCounts() {
    const done = counts.passed + counts.failed + counts.skipped;
    if (total) progress.value = done;
    element("tests-counts").textContent =
      `${number(done)} of ${number(total)}: ${number(counts.passed)} passed, ` +
      `${number(counts.failed)} failed, ${number(counts.skipped)} skipped`;
  }

  element("tests-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (worker === undefined) return start();
    stop();
    element("tests-now").textContent = "Stopped.";
  });

  select("tests-part").append(...site.parts.map(({ path, title }) => make("option", { value: path }, title)));
  state.begin("tests", { part: site.parts[0]?.path ?? "" });
  select("tests-part").addEventListener("change", () => state.choose("tests", { part: select("tests-part").value }));
  state.listen("tests", ({ part: chosen }) => {
    if (site.parts.some(({ path }) => path === chosen)) select("tests-part").value = chosen;
  });

  return {
    started() {
      button("tests-start").disabled = false;
    },
  };
}
