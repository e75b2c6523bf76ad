// The picture on the heap, and the canvas that is drawn from it.

import { Problem, fetchFile } from "./downloads.js";
import { toPlain } from "./python.js";

// What is larger is scaled down to this: the filters answer at once, and no screen shows more.
const LONGEST_SIDE = 1600;

let canvas;
let picture; // the Picture of program.py, a proxy

export function start(python, details) {
  canvas = details.canvas;
}

/** Put another picture on the heap: an address of this site, or a file. */
export async function open(python, { source, name, filters }) {
  const blob = typeof source === "string" ? await fetchFile(source, "blob") : source;
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    throw new Problem(`${name} is not a picture that this browser can read. Choose a PNG or JPEG file.`);
  }
  const note = putOnHeap(python, bitmap);
  return { ...filter(python, { filters }), name, note };
}

export function filter(python, { filters }) {
  if (picture === undefined) throw new Problem("There is no picture on the heap: choose one.");
  picture.restore();
  const names = python.pyodide.toPy(filters);
  const timings = python.program("program").apply(picture, names);
  names.destroy();
  draw();
  return {
    timings: toPlain(timings),
    use: toPlain(picture.heap_use()),
    aspect: canvas.width / canvas.height,
  };
}

export async function save() {
  return { blob: await canvas.convertToBlob({ type: "image/png" }) };
}

/** Replace the picture on the heap by this one; return a note for the user, or nothing. */
function putOnHeap(python, bitmap) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const note = scale < 1 ? `scaled down from ${bitmap.width} × ${bitmap.height}` : "";
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);

  picture?.close(); // before the next one is allocated: two large ones need not fit
  picture?.destroy();
  picture = undefined;
  picture = python.program("program").Picture(python.heap, width, height);
  withBytes("original", (bytes) => bytes.set(data));
  canvas.width = width;
  canvas.height = height;
  return note;
}

function draw() {
  withBytes("pixels", (bytes) => {
    // ImageData takes the heap's own bytes, without a copy.
    canvas.getContext("2d").putImageData(new ImageData(bytes, canvas.width, canvas.height), 0, 0);
  });
}

/** Use an array of the picture as a Uint8ClampedArray on its bytes. It is asked for anew every time, because
 * the typed arrays of a WebAssembly memory go blank when the memory grows. */
function withBytes(name, use) {
  const array = picture[name];
  try {
    use(array.js_view);
  } finally {
    array.destroy();
  }
}
