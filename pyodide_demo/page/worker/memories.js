// The bytes of the heaps that the map shows, as JavaScript has them.

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

/**
 * Which of `count` cells between two addresses were ever written to: those that are not all zero.
 * @param {string} name
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
export function writtenCells(name, low, high, count) {
  const written = new Uint8Array(count);
  const buffer = buffers.get(name)?.();
  if (buffer === undefined) return written;
  const perCell = Math.max(1, (high - low) / count);
  for (let cell = 0; cell < count; cell++) {
    const start = Math.floor(low + cell * perCell);
    const end = Math.min(Math.floor(start + perCell), high, buffer.byteLength);
    if (start < end) written[cell] = isZero(buffer, start, end) ? 0 : 1;
  }
  return written;
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
