// Draws a memory as rows of cells that are read like lines of text: what is ours, what is the program's, what was
// never written to.

import { bytesOf, hexadecimal } from "./dom.js";

/** @import { Block, MapReport } from "./protocol.d.ts" */

const COLUMNS = 64;
const ROWS = 24;
export const CELLS = COLUMNS * ROWS;
const COLOURS = 6;
const EDGE = 0.18; // of a cell, where a block begins and ends

/**
 * The colour of the type that takes the most bytes, the second most, and so on; the last serves all the rest.
 * @param {number} at
 */
export const kindClass = (at) => `kind-${Math.min(at, COLOURS - 1)}`;

export class BlockMap {
  #canvas;
  /** @type {MapReport | undefined} */
  #report;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(address: number) => void} choose is called with the address of a block that is clicked
   * @param {(words: string, x: number, y: number) => void} tell is called with what is under the pointer
   */
  constructor(canvas, choose, tell) {
    this.#canvas = canvas;
    const cellAt = (/** @type {MouseEvent} */ event) => {
      const column = Math.floor((event.offsetX / canvas.clientWidth) * COLUMNS);
      const row = Math.floor((event.offsetY / canvas.clientHeight) * ROWS);
      return Math.min(CELLS - 1, Math.max(0, row * COLUMNS + column));
    };
    canvas.addEventListener("click", (event) => {
      const block = this.#blockAt(cellAt(event));
      if (block !== undefined) choose(block.address);
    });
    canvas.addEventListener("pointermove", (event) => tell(this.#wordsAt(cellAt(event)), event.offsetX, event.offsetY));
    canvas.addEventListener("pointerleave", () => tell("", 0, 0));
  }

  /**
   * Draw a report; return in words what is seen.
   * @param {MapReport} report
   * @param {number | undefined} chosen
   */
  draw(report, chosen) {
    this.#report = report;
    const { survey, low, high, written, looked, guards } = report;
    const scale = devicePixelRatio;
    const cell = (this.#canvas.clientWidth / COLUMNS) * scale;
    this.#canvas.width = Math.round(cell * COLUMNS);
    this.#canvas.height = Math.round(cell * ROWS);
    const context = this.#canvas.getContext("2d");
    if (context === null) return "";
    const style = getComputedStyle(this.#canvas);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const gap = Math.max(1, Math.round(cell / 10));
    const paint = (/** @type {number} */ first, /** @type {number} */ last) => {
      for (let at = first; at <= last; at++) {
        context.fillRect((at % COLUMNS) * cell, Math.floor(at / COLUMNS) * cell, cell - gap, cell - gap);
      }
    };
    for (const [at, one] of written.entries()) {
      context.fillStyle = colour(one ? "--cell-written" : "--cell");
      paint(at, at);
    }
    for (const { kind, ...guard } of guards) {
      context.fillStyle = colour(kind === "red zone" ? "--red-zone" : "--quarantine");
      paint(...this.#cellsOf(guard));
    }
    const order = new Map(survey.by_kind.map(({ name }, at) => [name, at]));
    for (const block of survey.rows) {
      // The rows come with the largest first, so that small blocks are not painted over.
      const [first, last] = this.#cellsOf(block);
      context.fillStyle = colour(`--kind-${Math.min(order.get(block.kind) ?? COLOURS, COLOURS - 1)}`);
      paint(first, last);
      // Where it begins and ends, so that neighbours of one type stay apart.
      context.fillStyle = colour("--edge");
      const edge = Math.max(1, Math.round(cell * EDGE));
      context.fillRect((first % COLUMNS) * cell, Math.floor(first / COLUMNS) * cell, edge, cell - gap);
    }
    const marked = survey.rows.find(({ address }) => address === chosen);
    if (marked !== undefined) {
      context.fillStyle = colour("--text");
      paint(...this.#cellsOf(marked));
    }
    if (!survey.rows.length && high - low <= CELLS) return "No block is live.";
    const each = Math.ceil(this.#perCell());
    const extent = `From ${hexadecimal(low)} to ${hexadecimal(high)}; a cell is ${bytesOf(each)}.`;
    return looked < 1 ? `${extent} Still reading: ${Math.floor(100 * looked)} %.` : extent;
  }

  #perCell() {
    const { low, high } = this.#report ?? { low: 0, high: 0 };
    return Math.max(1, (high - low) / CELLS);
  }

  /**
   * @param {{ address: number, byte_size: number }} block
   * @returns {[number, number]}
   */
  #cellsOf({ address, byte_size: size }) {
    const low = this.#report?.low ?? 0;
    const cellOf = (/** @type {number} */ place) =>
      Math.min(CELLS - 1, Math.max(0, Math.floor((place - low) / this.#perCell())));
    return [cellOf(address), cellOf(address + Math.max(size, 1) - 1)];
  }

  /**
   * The smallest block with a part in a cell.
   * @param {number} cell
   * @returns {Block | undefined}
   */
  #blockAt(cell) {
    return this.#report?.survey.rows.findLast((block) => {
      const [first, last] = this.#cellsOf(block);
      return first <= cell && cell <= last;
    });
  }

  /** @param {number} cell */
  #wordsAt(cell) {
    const report = this.#report;
    if (report === undefined) return "";
    const block = this.#blockAt(cell);
    if (block !== undefined) {
      return `${block.kind} of ${bytesOf(block.byte_size)} at ${hexadecimal(block.address)}, from ${block.site}`;
    }
    const start = Math.floor(report.low + cell * this.#perCell());
    const guard = report.guards.find((each) => {
      const [first, last] = this.#cellsOf(each);
      return first <= cell && cell <= last;
    });
    const untouched = report.looked < 1 ? "nothing is found there yet" : "never written to";
    const state = report.written[cell] ? "not ours: the program's, or freed" : untouched;
    return `${hexadecimal(start)}: ${guard?.kind ?? state}`;
  }
}
