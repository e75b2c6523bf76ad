// The bytes of the heaps that the map shows, as JavaScript has them.

const MOST_MILLISECONDS = 100;
/** What is read at once, without a quick look before. */
const MOST_BYTES_AT_ONCE = 2 ** 27;
const PAGE = 2 ** 16; // of WebAssembly
const SAMPLE = 2 ** 12; // a page of most systems

/** @type {Map<string, () => ArrayBufferLike>} */
const buffers = new Map();

/**
 * Note where the bytes of a heap are; a buffer is asked for each time, because memories grow.
 * @param {string} name
 * @param {() => ArrayBufferLike} buffer
 */
export function noteBuffer(name, buffer) {
  buffers.set(name, buffer);
}

/** @type {Look | undefined} */
let last;

/**
 * Which of `count` cells between two addresses were ever written to, as far as it is known: those that are not all
 * zero. `looked` says how much of the memory was read, from 0 to 1; the next call goes on from there.
 * @param {string} name
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
export function writtenCells(name, low, high, count) {
  const buffer = buffers.get(name)?.();
  if (buffer === undefined) return { written: new Uint8Array(count), looked: 1 };
  if (!last?.isOf(buffer, low, high, count)) last = new Look(buffer, low, high, count);
  last.goOn();
  return { written: last.written.slice(), looked: last.looked };
}

/**
 * A look at the cells of a memory. A system gives a memory its pages one by one as they are read, so that gigabytes
 * take it many seconds: they are read piece by piece, between the other tasks.
 */
class Look {
  written;
  #buffer;
  #low;
  #high;
  #next = 0;
  #rounds; // the first, through a large memory, is a quick one

  /**
   * @param {ArrayBufferLike} buffer
   * @param {number} low
   * @param {number} high
   * @param {number} count
   */
  constructor(buffer, low, high, count) {
    this.written = new Uint8Array(count);
    this.#buffer = buffer;
    this.#low = low;
    this.#high = high;
    this.#rounds = high - low > MOST_BYTES_AT_ONCE ? -1 : 0;
  }

  /**
   * @param {ArrayBufferLike} buffer
   * @param {number} low
   * @param {number} high
   * @param {number} count
   */
  isOf(buffer, low, high, count) {
    return buffer === this.#buffer && low === this.#low && high === this.#high && count === this.written.length;
  }

  /** How much was read, from 0 to 1. */
  get looked() {
    if (this.#rounds > 0) return 1;
    return this.#rounds < 0 ? 0 : this.#next / this.written.length;
  }

  /** Read for a while, or to the end of the round. */
  goOn() {
    const until = performance.now() + MOST_MILLISECONDS;
    const count = this.written.length;
    do {
      // What was written to stays so.
      if (!this.written[this.#next]) this.written[this.#next] = this.#isWritten(this.#next) ? 1 : 0;
      this.#next = (this.#next + 1) % count;
      if (this.#next === 0 && ++this.#rounds > 0) break;
    } while (performance.now() < until);
  }

  /** @param {number} cell */
  #isWritten(cell) {
    const perCell = Math.max(1, (this.#high - this.#low) / this.written.length);
    const start = Math.floor(this.#low + cell * perCell);
    const end = Math.min(Math.floor(start + perCell), this.#high, this.#buffer.byteLength);
    if (this.#rounds >= 0) return !isZero(this.#buffer, start, end);
    for (let at = start; at < end; at += PAGE) {
      if (!isZero(this.#buffer, at, Math.min(at + SAMPLE, end))) return true;
    }
    return false;
  }
}

/**
 * Whether bytes are all zero. Four at a time where that goes, for an untouched megabyte is read to its end.
 * @param {ArrayBufferLike} buffer
 * @param {number} start
 * @param {number} end
 */
function isZero(buffer, start, end) {
  const first = Math.ceil(start / 4) * 4;
  const last = Math.floor(end / 4) * 4;
  const bytes = new Uint8Array(buffer);
  if (first >= last) return bytes.subarray(start, end).every((byte) => byte === 0);
  const words = new Int32Array(buffer, first, (last - first) / 4);
  for (let at = 0; at < words.length; at++) if (words[at] !== 0) return false;
  const edges = [...bytes.subarray(start, first), ...bytes.subarray(last, end)];
  return edges.every((byte) => byte === 0);
}
