// Text with the escape codes of a terminal, as elements.

import { make } from "./dom.js";

const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/**
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function fromAnsi(text) {
  /** @type {(Node | string)[]} */
  const made = [];
  /** @type {Set<string>} */
  let classes = new Set();
  // The pieces between the codes, and the numbers of the codes, in turn; other codes are left out.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const parts = text.replace(/\x1b\][^\x07]*\x07|\x1b\[[\d;?]*[A-LN-Za-ln-z]/g, "").split(/\x1b\[([\d;]*)m/);
  parts.forEach((part, at) => {
    if (at % 2) classes = part.split(";").reduce(apply, classes);
    else if (part && classes.size) made.push(make("span", { className: [...classes].join(" ") }, part));
    else if (part) made.push(part);
  });
  return made;
}

/**
 * @param {Set<string>} classes
 * @param {string} code
 */
function apply(classes, code) {
  const number = Number(code || "0");
  if (number === 0) return new Set();
  const kept = new Set(classes);
  if (number === 1) kept.add("ansi-bold");
  if (number === 4) kept.add("ansi-underline");
  if (number === 22) kept.delete("ansi-bold");
  if (number === 24) kept.delete("ansi-underline");
  const colour = COLOURS[number % 10];
  const isColour = (number >= 30 && number <= 39) || (number >= 90 && number <= 97);
  if (isColour) {
    for (const each of COLOURS) kept.delete(`ansi-${each}`);
    if (colour !== undefined && number !== 39) kept.add(`ansi-${colour}`);
  }
  return kept;
}
