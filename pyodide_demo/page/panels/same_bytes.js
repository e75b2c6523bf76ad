// One row of bytes, which Python, JavaScript and C change in turn.

import { button, element, hexadecimal, make, showError, wordsOf } from "../dom.js";

/** @import { SharedBytes } from "../protocol.d.ts" */
/** @import { Python } from "../python.js" */
/** @import { State } from "../state.js" */

const LANGUAGES = ["Python", "JavaScript", "C"];

/**
 * @param {Python} python
 * @param {State} state
 */
export function startSameBytes(python, state) {
  const panel = element("panel-bytes");
  let ready = false;
  /** @type {number[]} */
  let before = [];

  async function read() {
    if (!ready || panel.hidden) return;
    const { stored } = state.of("bytes");
    await follow(python.call("bytes.read", { stored: stored === hexadecimalOf(before) ? "" : stored }));
  }

  /** @param {Promise<SharedBytes>} answer */
  async function follow(answer) {
    try {
      show(await answer);
      showError("bytes-error");
    } catch (error) {
      showError("bytes-error", wordsOf(error));
    }
  }

  /** @param {SharedBytes} shared */
  function show({ address, bytes, python: numbers, javascript, c, actions }) {
    element("bytes-address").textContent = hexadecimal(address);
    element("bytes-row").replaceChildren(
      ...bytes.map((byte, at) =>
        make(
          "span",
          { className: before.length && byte !== before[at] ? "byte changed" : "byte" },
          byte.toString(16).padStart(2, "0"),
        ),
      ),
    );
    element("view-python").replaceChildren(...cells(numbers));
    element("view-javascript").replaceChildren(...cells(javascript));
    element("view-c").textContent = `"${c}"`;
    before = bytes;
    if (state.of("bytes").stored || bytes.some((byte) => byte !== 0))
      state.choose("bytes", { stored: hexadecimalOf(bytes) });
    for (const language of LANGUAGES) {
      const place = element(`actions-${language.toLowerCase()}`);
      if (place.children.length) continue;
      const own = actions.filter((action) => action.language === language);
      place.append(
        ...own.map(({ name, code }) => {
          const made = make("button", { type: "button", className: "code-button" }, code);
          made.addEventListener("click", () => {
            element("bytes-last").textContent = `${language} ran ${code}`;
            void follow(python.call("bytes.act", { language, name }));
          });
          return made;
        }),
      );
    }
  }

  state.listen("bytes", ({ stored }) => {
    if (stored !== hexadecimalOf(before)) void read();
  });
  panel.addEventListener("shown", () => void read());
  button("bytes-again").addEventListener("click", () => void read());

  return {
    async started() {
      ready = true;
      await read();
    },

    restarting() {
      ready = false;
      before = [];
    },
  };
}

/** @param {string[]} values */
const cells = (values) => values.map((value) => make("span", { className: "value" }, value));

/** @param {number[]} bytes */
const hexadecimalOf = (bytes) => bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
