// The panel of mistakes: a button for each, and what came of it with emheap, with ctypes and in JavaScript.

import { element, make, showError } from "../dom.js";

const LANES = { emheap: "emheap", ctypes: "bare ctypes", javascript: "bare JavaScript" };

export function startBreaking(python) {
  const buttons = element("mistakes");
  const words = {};

  async function makeMistake(name) {
    showError("breaking-error");
    try {
      const accounts = await python.call("breaking.make", { name });
      element("mistake-words").textContent = words[name];
      element("accounts").replaceChildren(...Object.keys(LANES).map((lane) => account(lane, accounts[lane])));
      for (const button of buttons.children) button.setAttribute("aria-pressed", button.name === name);
    } catch (error) {
      showError("breaking-error", error.message);
    }
  }

  return {
    site({ mistakes }) {
      for (const mistake of mistakes) {
        words[mistake.name] = mistake.words;
        const properties = { type: "button", name: mistake.name, ariaPressed: "false", disabled: true };
        const button = make("button", properties, mistake.title);
        button.addEventListener("click", () => makeMistake(mistake.name));
        buttons.append(button);
      }
    },

    started() {
      for (const button of buttons.children) button.disabled = false;
    },
  };
}

function account(lane, { code, error, text, where }) {
  const verdict = error || "silent";
  const card = make(
    "section",
    { className: `account ${error ? "told" : "silent"}` },
    make("h2", {}, LANES[lane], make("span", { className: "verdict" }, verdict)),
    make("pre", { className: "code", tabIndex: 0, ariaLabel: `The code, with ${LANES[lane]}` }, code),
    make("p", { className: "said" }, text),
  );
  if (where) card.append(make("p", { className: "hint" }, `Raised at ${where}`));
  card.dataset.lane = lane;
  return card;
}
