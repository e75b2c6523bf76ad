// The panel of mistakes: what comes of each with emheap, with ctypes and in JavaScript. What is shown before
// Python runs was recorded when the site was built.

import { showCode } from "../code.js";
import { element, make, showError, wordsOf } from "../dom.js";

/** @import { Account, Site } from "../protocol.d.ts" */
/** @import { Python } from "../python.js" */
/** @import { State } from "../state.js" */

/** @type {Record<string, string>} */
const LANES = { emheap: "emheap", ctypes: "bare ctypes", javascript: "bare JavaScript" };

/**
 * @param {Python} python
 * @param {State} state
 * @param {Site} site
 */
export function startBreaking(python, state, site) {
  const panel = element("panel-break");
  const buttons = element("mistakes");
  let ready = false;
  let shown = ""; // the mistake that was made last

  const [first] = site.mistakes;
  state.begin("break", { mistake: first?.name ?? "" });

  async function makeMistake() {
    const mistake = site.mistakes.find(({ name }) => name === state.of("break").mistake) ?? first;
    if (mistake === undefined) return;
    showError("breaking-error");
    for (const button of buttons.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.name === mistake.name));
    }
    element("mistake-words").textContent = mistake.words;
    if (!ready) {
      element("recorded").textContent = "Recorded in CPython when this page was built; live when Python is ready.";
      return showAccounts({ ...mistake.recorded });
    }
    if (panel.hidden) return; // it is made when somebody looks
    try {
      const accounts = await python.call("breaking.make", { name: mistake.name });
      shown = mistake.name;
      element("recorded").textContent = "Made just now, here.";
      showAccounts(accounts);
      element("accounts").dataset.made = mistake.name;
    } catch (error) {
      showError("breaking-error", wordsOf(error));
    }
  }

  /** @param {Record<string, Account>} accounts */
  function showAccounts(accounts) {
    const lanes = Object.keys(LANES).filter((lane) => lane in accounts);
    element("accounts").replaceChildren(...lanes.map((lane) => card(lane, accounts[lane])));
  }

  buttons.append(
    ...site.mistakes.map(({ name, title }) => {
      const button = make("button", { type: "button", name, ariaPressed: "false" }, title);
      button.addEventListener("click", () => {
        state.choose("break", { mistake: name });
      });
      return button;
    }),
  );
  state.listen("break", () => void makeMistake());
  panel.addEventListener("shown", () => {
    if (shown !== state.of("break").mistake) void makeMistake();
  });

  return {
    async started() {
      ready = true;
      await makeMistake();
    },

    restarting() {
      ready = false;
      shown = "";
    },
  };
}

/**
 * @param {string} lane
 * @param {Account} account
 */
function card(lane, { code, error, text, where, lines }) {
  const verdict = error || "silent";
  const shown = make("pre", { className: "code", tabIndex: 0, ariaLabel: `The code, with ${LANES[lane]}` });
  shown.setAttribute("role", "region");
  showCode(shown, code, lines);
  const made = make(
    "section",
    { className: `account ${error ? "told" : "silent"}` },
    make("h3", {}, LANES[lane], " ", make("span", { className: "verdict" }, verdict)),
    shown,
    make("p", { className: "said" }, ...linked(text, lines, shown)),
  );
  if (where) made.append(make("p", { className: "hint" }, `Raised at ${where}`));
  made.dataset.lane = lane;
  return made;
}

/**
 * The words of an error, in which "allocated at" and its like lead to the line.
 * @param {string} text
 * @param {Record<string, number>} lines
 * @param {HTMLElement} shown
 */
function linked(text, lines, shown) {
  const names = Object.keys(lines);
  if (!names.length) return [text];
  const parts = text.split(new RegExp(`((?:${names.join("|")})(?= at))`));
  return parts.map((part) => {
    if (!names.includes(part)) return part;
    const link = make("button", { type: "button", className: "link inline", title: `Line ${lines[part]}` }, part);
    link.addEventListener("click", () => {
      for (const line of shown.querySelectorAll(".code-line")) {
        line.classList.toggle("pointed", /** @type {HTMLElement} */ (line).dataset.line === String(lines[part]));
      }
    });
    return link;
  });
}
