// Draws the blocks of a heap where they lie, on rows of cells that are read like lines of text.

import { hexadecimal, number } from "./dom.js";

const COLUMNS = 64;
const ROWS = 24;
const CELLS = COLUMNS * ROWS;
const COLOURS = 6;

/** The colour of the type that takes the most bytes, the second most, and so on; the last serves all the rest. */
export const colourOf = (at) => `var(--kind-${Math.min(at, COLOURS - 1)})`;

export class BlockMap {
  #canvas;
  #rows = [];
  #low = 0;
  #perCell = 1;

  /** `choose` is called with the address of a block that is clicked. */
  constructor(canvas, choose) {
    this.#canvas = canvas;
    canvas.addEventListener("click", (event) => {
      const block = this.#blockAt(event.offsetX / canvas.clientWidth, event.offsetY / canvas.clientHeight);
      if (block !== undefined) choose(block.address);
    });
  }

  /** Draw a survey; return in words what is seen. */
  draw({ rows, by_kind: kinds, memory_size: memory }, range, chosen) {
    this.#rows = rows;
    const [low, high] = range === "memory" ? [0, memory] : extentOf(rows);
    this.#low = low;
    this.#perCell = Math.max(1, (high - low) / CELLS);
    const scale = devicePixelRatio;
    const cell = (this.#canvas.clientWidth / COLUMNS) * scale;
    this.#canvas.width = Math.round(cell * COLUMNS);
    this.#canvas.height = Math.round(cell * ROWS);
    const context = this.#canvas.getContext("2d");
    const style = getComputedStyle(this.#canvas);
    const colour = (name) => style.getPropertyValue(name);
    const gap = Math.max(1, Math.round(cell / 8));
    const paint = (first, last) => {
      for (let at = first; at <= last; at++) {
        context.fillRect((at % COLUMNS) * cell, Math.floor(at / COLUMNS) * cell, cell - gap, cell - gap);
      }
    };
    context.fillStyle = colour("--cell");
    paint(0, CELLS - 1);
    const order = new Map(kinds.map(({ name }, at) => [name, at]));
    for (const block of rows) {
      // The rows come with the largest first, so that small blocks are not painted over.
      context.fillStyle = colour(`--kind-${Math.min(order.get(block.kind), COLOURS - 1)}`);
      paint(...this.#cellsOf(block));
    }
    const marked = rows.find(({ address }) => address === chosen);
    if (marked !== undefined) {
      context.fillStyle = colour("--text");
      paint(...this.#cellsOf(marked));
    }
    if (!rows.length && range !== "memory") return "No block is live.";
    return `From ${hexadecimal(low)} to ${hexadecimal(high)}; a cell is ${number(Math.ceil(this.#perCell))} bytes.`;
  }

  #cellsOf({ address, byte_size: size }) {
    const cellOf = (place) => Math.min(CELLS - 1, Math.max(0, Math.floor((place - this.#low) / this.#perCell)));
    return [cellOf(address), cellOf(address + Math.max(size, 1) - 1)];
  }

  /** The smallest block with a part in the cell at a place, both from 0 to 1. */
  #blockAt(x, y) {
    const at = Math.floor(y * ROWS) * COLUMNS + Math.floor(x * COLUMNS);
    return this.#rows.findLast((block) => {
      const [first, last] = this.#cellsOf(block);
      return first <= at && at <= last;
    });
  }
}

function extentOf(rows) {
  if (!rows.length) return [0, CELLS];
  const low = Math.min(...rows.map(({ address }) => address));
  return [low, Math.max(...rows.map(({ address, byte_size: size }) => address + size))];
}
