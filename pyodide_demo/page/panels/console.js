// The prompt.

import { element, make, showError } from "../dom.js";

const EXAMPLES = ["numbers = heap.alloc_array(int32, [1, 2, 3])", "numbers[1] = 2**40", "heap.live()"];

export function startConsole(python) {
  const input = element("prompt");
  const log = element("console-log");
  const shared = self.crossOriginIsolated ? new SharedArrayBuffer(1) : undefined;
  const history = [];
  let at = 0; // in the history
  let more = false; // the statement goes on

  function append(className, text) {
    if (text === "") return;
    log.append(make("pre", { className }, text));
    log.scrollTop = log.scrollHeight;
  }

  async function enter(text) {
    append("typed", text.split("\n").map((line, number) => (more || number ? "... " : ">>> ") + line).join("\n"));
    if (text.trim()) history.push(text);
    at = history.length;
    input.value = "";
    fit();
    element("interrupt").hidden = shared === undefined;
    try {
      const answer = await python.call("console.enter", { text });
      more = answer.more;
      append("answered", answer.output.replace(/\n$/, ""));
      showError("console-error");
    } catch (error) {
      showError("console-error", error.message);
    }
    element("interrupt").hidden = true;
    element("prompt-sign").textContent = more ? "..." : ">>>";
  }

  function recall(step) {
    at = Math.min(history.length, Math.max(0, at + step));
    input.value = history[at] ?? "";
    fit();
  }

  function fit() {
    input.rows = Math.min(12, input.value.split("\n").length);
  }

  input.addEventListener("input", fit);
  input.addEventListener("keydown", (event) => {
    const oneLine = !input.value.includes("\n");
    if (event.key === "Enter" && !event.shiftKey) enter(input.value);
    else if (event.key === "ArrowUp" && oneLine) recall(-1);
    else if (event.key === "ArrowDown" && oneLine) recall(1);
    else return;
    event.preventDefault();
  });

  element("interrupt").addEventListener("click", () => {
    new Uint8Array(shared)[0] = 2; // SIGINT
  });

  element("examples").append(
    ...EXAMPLES.map((example) => {
      const button = make("button", { type: "button", disabled: true }, example);
      button.addEventListener("click", () => {
        enter(example);
        input.focus();
      });
      return button;
    }),
  );

  return {
    async started() {
      await python.call("console.start", { shared });
      for (const part of [input, ...element("examples").children]) part.disabled = false;
    },
  };
}
