// Small help with the document.

/** @typedef {Node | string} Child */

/**
 * The element with an id. It throws where there is none: the page and its script do not fit together.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element #${id}`);
  return found;
}

/**
 * The element with an id, which must be of a class.
 * @template {HTMLElement} E
 * @param {string} id
 * @param {new () => E} kind
 * @returns {E}
 */
export function part(id, kind) {
  const found = element(id);
  if (!(found instanceof kind)) throw new Error(`#${id} is no ${kind.name}`);
  return found;
}

/** @param {string} id */
export const input = (id) => part(id, HTMLInputElement);
/** @param {string} id */
export const button = (id) => part(id, HTMLButtonElement);
/** @param {string} id */
export const select = (id) => part(id, HTMLSelectElement);
/** @param {string} id */
export const canvas = (id) => part(id, HTMLCanvasElement);

const format = new Intl.NumberFormat("en");

/**
 * A number with its thousands set apart.
 * @param {number} value
 */
export const number = (value) => format.format(value);

/**
 * A count of bytes in words.
 * @param {number} count
 */
export const bytesOf = (count) => `${number(count)} ${count === 1 ? "byte" : "bytes"}`;

/**
 * An address as Python prints it.
 * @param {number} address
 */
export const hexadecimal = (address) => `0x${address.toString(16)}`;

/**
 * A size in the unit that fits it.
 * @param {number} bytes
 */
export function size(bytes) {
  if (bytes < 10_000) return bytesOf(bytes);
  return bytes < 2 ** 20 ? `${(bytes / 2 ** 10).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/**
 * A new element with properties, and children that are elements or text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Partial<HTMLElementTagNameMap[T]>} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/**
 * A long name that is broken between its words where there is no room for it.
 * @param {string} name
 */
export function breakable(name) {
  const words = name.split(/(?<=[_./])/);
  return make("span", {}, ...words.flatMap((word, at) => (at ? [make("wbr"), word] : [word])));
}

/**
 * A cell of a table: a heading of its row where the caller asks for one.
 * @param {Child} content
 */
export const heading = (content) => make("th", { scope: "row" }, content);

/**
 * A row of a table; text becomes a cell, elements are cells.
 * @param {...Child} cells
 */
export const row = (...cells) =>
  make("tr", {}, ...cells.map((cell) => (typeof cell === "string" ? make("td", {}, cell) : cell)));

/**
 * Show an error in a panel, where it is seen, or with no text hide it.
 * @param {string} id
 * @param {string} [text]
 */
export function showError(id, text = "") {
  const place = element(id);
  place.textContent = text;
  place.hidden = !text;
  if (text) place.scrollIntoView({ block: "nearest" });
}

/**
 * The words of whatever was thrown.
 * @param {unknown} error
 */
export const wordsOf = (error) => (error instanceof Error ? error.message : String(error));

/** @param {number} milliseconds */
export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
