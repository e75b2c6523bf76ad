// The tests, run in a worker and a Python of their own.

import { element, make, number, showError } from "../dom.js";

const OUTCOMES = ["passed", "failed", "skipped"];

export function startTests() {
  let worker;
  let files; // by name: their row, and how many tests came to what
  let counts;
  let total;

  const listeners = {
    stage: (test, words) => (element("tests-now").textContent = words),

    collected(test, words) {
      total = Number(words);
      element("tests-progress").max = Math.max(total, 1);
      showCounts();
    },

    started: (test) => (element("tests-now").textContent = test),
    passed: (test) => count(test, "passed"),
    skipped: (test, words) => count(test, "skipped", words),
    failed: (test, words) => count(test, "failed", words),

    ended(test, code) {
      stop();
      const well = counts.failed === 0 && ["0", "5"].includes(code);
      element("tests-now").textContent = well ? "All of them passed." : `Ended with exit code ${code}.`;
    },

    broken(test, words) {
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
    element("tests-progress").removeAttribute("value");
    element("tests-start").textContent = "Stop";
    worker = new Worker("tests/worker.js", { type: "module" });
    worker.addEventListener("message", ({ data: { kind, test, words } }) => listeners[kind](test, words));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      listeners.broken("", event.message ?? "a file of them could not be fetched");
    });
    worker.postMessage({ parts: [element("tests-part").value] });
  }

  function stop() {
    worker?.terminate();
    worker = undefined;
    element("tests-start").textContent = "Run the tests here";
  }

  function count(test, outcome, words) {
    counts[outcome] += 1;
    const file = fileOf(test.split("::")[0]);
    file[outcome] += 1;
    file.cells[outcome].textContent = file[outcome] || "";
    if (outcome === "failed") {
      element("tests-failures").append(make("h3", {}, test), make("pre", { className: "output", tabIndex: 0 }, words));
    }
    showCounts();
  }

  function fileOf(name) {
    let file = files.get(name);
    if (file === undefined) {
      const cells = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, make("td", { className: outcome })]));
      element("tests-files").append(make("tr", {}, make("th", { scope: "row" }, name), ...Object.values(cells)));
      file = { cells, passed: 0, failed: 0, skipped: 0 };
      files.set(name, file);
    }
    return file;
  }

  function showCounts() {
    const done = counts.passed + counts.failed + counts.skipped;
    if (total) element("tests-progress").value = done;
    element("tests-counts").textContent =
      `${number(done)} of ${number(total)}: ${number(counts.passed)} passed, ` +
      `${number(counts.failed)} failed, ${number(counts.skipped)} skipped`;
  }

  element("tests").addEventListener("submit", (event) => {
    event.preventDefault();
    if (worker === undefined) return start();
    stop();
    element("tests-now").textContent = "Stopped.";
  });

  return {
    site({ parts }) {
      element("tests-part").append(...parts.map(({ path, title }) => make("option", { value: path }, title)));
    },

    started() {
      element("tests-start").disabled = false;
    },
  };
}
