// The bytes of a structure as cells in the colours of their fields. Each can be changed; the arrows go from one to
// the next, and one of them is in the order of the Tab key.

import { make } from "./dom.js";

/** @import { StructurePart } from "./protocol.d.ts" */

const COLOURS = 6;
const PER_LINE = 8;
/** @type {Record<string, number>} */
const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -PER_LINE, ArrowDown: PER_LINE };

export class StructureBytes {
  #place;
  #store;
  #point;
  /** @type {HTMLInputElement[]} */
  #cells = [];
  /** @type {StructurePart[]} */
  #parts = [];
  #bytes = "";

  /**
   * @param {HTMLElement} place
   * @param {(bytes: string) => void} store given all bytes in hexadecimal, when one was changed
   * @param {(parts: StructurePart[]) => void} point
   */
  constructor(place, store, point) {
    this.#place = place;
    this.#store = store;
    this.#point = point;
  }

  /**
   * @param {string} bytes
   * @param {StructurePart[]} parts
   */
  show(bytes, parts) {
    const count = bytes.length / 2;
    if (this.#cells.length !== count) this.#make(count);
    this.#bytes = bytes;
    this.#parts = parts;
    const colours = coloursOf(parts, 8 * count);
    this.#cells.forEach((cell, at) => {
      // One that is half typed stays as it is.
      if (cell.value.length !== 1 || document.activeElement !== cell) cell.value = this.#byteAt(at);
      const bits = colours.slice(8 * at, 8 * at + 8);
      cell.style.background = backgroundOf(bits);
      cell.classList.toggle(
        "padding",
        bits.every((colour) => colour === undefined),
      );
      cell.classList.toggle("partly-padding", new Set(bits).size > 1 && bits.includes(undefined));
      const names = this.#partsAt(at).map(({ path }) => path || "padding");
      cell.ariaLabel = `Byte ${at}: ${names.join(", ")}`;
    });
  }

  /** @param {StructurePart[]} parts */
  point(parts) {
    this.#cells.forEach((cell, at) => {
      cell.classList.toggle(
        "pointed",
        parts.some((each) => covers(each, at)),
      );
    });
  }

  /** @param {number} count */
  #make(count) {
    this.#cells = Array.from({ length: count }, (_, at) => this.#cell(at));
    const lines = [];
    for (let at = 0; at < count; at += PER_LINE) {
      lines.push(make("span", { className: "offset", ariaHidden: "true" }, String(at)));
      lines.push(...this.#cells.slice(at, at + PER_LINE));
      const missing = at + PER_LINE - count;
      if (missing > 0) lines.push(...Array.from({ length: missing }, () => make("span")));
    }
    this.#place.replaceChildren(...lines);
  }

  /** @param {number} at */
  #cell(at) {
    const cell = make("input", { type: "text", className: "byte", maxLength: 2, tabIndex: at ? -1 : 0 });
    cell.autocomplete = "off";
    cell.spellcheck = false;
    cell.addEventListener("focus", () => {
      for (const each of this.#cells) each.tabIndex = each === cell ? 0 : -1;
      cell.select();
      this.#point(this.#partsAt(at));
    });
    cell.addEventListener("blur", () => {
      this.#point([]);
      if (cell.value.length === 1) this.#put(at, cell.value.padStart(2, "0"));
      else cell.value = this.#byteAt(at);
    });
    cell.addEventListener("mouseenter", () => this.#point(this.#partsAt(at)));
    cell.addEventListener("mouseleave", () => this.#point([]));
    cell.addEventListener("input", () => {
      cell.value = cell.value.replace(/[^0-9a-f]/gi, "").toLowerCase();
      if (cell.value.length < 2) return;
      this.#put(at, cell.value);
      this.#focus(at + 1);
    });
    cell.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (event.key === "Escape") cell.value = this.#byteAt(at);
      else if (event.key === "Enter") this.#focus(at + 1);
      else if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      else this.#focus(at + step);
      event.preventDefault();
    });
    return cell;
  }

  /** @param {number} at */
  #focus(at) {
    this.#cells[at]?.focus();
  }

  /** @param {number} at */
  #byteAt(at) {
    return this.#bytes.slice(2 * at, 2 * at + 2);
  }

  /**
   * @param {number} at
   * @param {string} digits
   */
  #put(at, digits) {
    if (digits === this.#byteAt(at)) return;
    // Before the answer, for the next may be typed by then.
    this.#bytes = this.#bytes.slice(0, 2 * at) + digits + this.#bytes.slice(2 * at + 2);
    this.#store(this.#bytes);
  }

  /** @param {number} at */
  #partsAt(at) {
    return this.#parts.filter((each) => covers(each, at));
  }
}

/**
 * Whether a part has bits in a byte.
 * @param {StructurePart} part
 * @param {number} at
 */
const covers = ({ start, length }, at) => start < 8 * at + 8 && start + length > 8 * at;

/**
 * The colour of each bit: that of the first field that has it.
 * @param {StructurePart[]} parts
 * @param {number} size
 */
function coloursOf(parts, size) {
  /** @type {(number | undefined)[]} */
  const colours = Array.from({ length: size });
  parts
    .filter(({ path }) => path)
    .forEach(({ start, length }, at) => {
      for (let bit = start; bit < start + length; bit++) colours[bit] ??= at % COLOURS;
    });
  return colours;
}

/**
 * Stripes where bit-fields share a byte, the highest bit at the left.
 * @param {(number | undefined)[]} bits
 */
function backgroundOf(bits) {
  const named = bits.map((colour) => (colour === undefined ? "var(--cell)" : `var(--kind-${colour})`)).reverse();
  if (named.every((each) => each === named[0])) return named[0] ?? "";
  const stops = named.map((each, at) => `${each} ${12.5 * at}% ${12.5 * (at + 1)}%`);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
