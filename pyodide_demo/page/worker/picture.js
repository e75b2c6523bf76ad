// The picture on the heap, and the canvas that is drawn from it.

import { Problem, fetchFile } from "./downloads.js";
import { toPlain } from "./python.js";

// What is larger is scaled down to this: the filters answer at once, and no screen shows more.
const LONGEST_SIDE = 1600;
const LONGEST_OF_CAMERA = 480; // many times a second
const MEASURED_MILLISECONDS = 1000;

let canvas;
let context; // asked for once: Firefox refuses a second getContext on a canvas that came from the page
let picture; // the Picture of program.py, a proxy

export function start(python, details) {
  canvas = details.canvas;
  context = canvas.getContext("2d");
}

/** Put another picture on the heap: an address of this site, or a file. */
export async function open(python, { source, name, ...drawing }) {
  const blob = typeof source === "string" ? await fetchFile(source, "blob") : source;
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    throw new Problem(`${name} is not a picture that this browser can read. Choose a PNG or JPEG file.`);
  }
  const { width, height } = bitmap;
  const scaled = putOnHeap(python, bitmap, LONGEST_SIDE);
  const note = scaled ? `scaled down from ${width} × ${height}` : "";
  return { ...filter(python, drawing), name, note };
}

/** Put one frame of the camera on the heap. */
export function frame(python, { bitmap, ...drawing }) {
  putOnHeap(python, bitmap, LONGEST_OF_CAMERA);
  return { ...filter(python, drawing), name: "camera", note: "" };
}

export function filter(python, { filters, way }) {
  if (picture === undefined) throw new Problem("There is no picture on the heap: choose one.");
  picture.restore();
  const names = python.pyodide.toPy(filters);
  const timings = python.program("program").apply(picture, names);
  names.destroy();
  return {
    timings: toPlain(timings),
    copied: draw(python, way),
    use: toPlain(picture.heap_use()),
    aspect: canvas.width / canvas.height,
  };
}

/** Draw in one way, and do nothing else, as often as it goes. */
export function measure(python, { way }) {
  if (picture === undefined) throw new Problem("There is no picture on the heap: choose one.");
  let frames = 0;
  let copied = 0;
  const start = performance.now();
  let elapsed = 0;
  while (elapsed < MEASURED_MILLISECONDS) {
    copied += draw(python, way);
    frames += 1;
    elapsed = performance.now() - start;
  }
  return { frames, copied, rate: frames / (elapsed / 1000) };
}

export async function save() {
  return { blob: await canvas.convertToBlob({ type: "image/png" }) };
}

/** Put the pixels of a bitmap on the heap, in the place of those that were there; tell whether they were scaled. */
function putOnHeap(python, bitmap, longest) {
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const scaled = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  scaled.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const { data } = scaled.getImageData(0, 0, width, height);

  if (picture?.width !== width || picture.height !== height) {
    picture?.close(); // before the next one is allocated: two large ones need not fit
    picture?.destroy();
    picture = undefined;
    picture = python.program("program").Picture(python.heap, width, height);
    canvas.width = width;
    canvas.height = height;
  }
  const original = picture.original;
  original.js_view.set(data);
  original.destroy();
  return scale < 1;
}

/** Draw the pixels; return how many of their bytes were copied on the way from Python to JavaScript. */
function draw(python, way) {
  const bytes = ways[way](python);
  context.putImageData(new ImageData(bytes, canvas.width, canvas.height), 0, 0);
  return bytes.buffer === python.pyodide._module.HEAPU8.buffer ? 0 : bytes.byteLength;
}

const ways = {
  // The heap's own bytes. They are asked for anew every time, because the typed arrays of a WebAssembly memory go
  // blank when the memory grows.
  view() {
    const pixels = picture.pixels;
    const bytes = pixels.js_view;
    pixels.destroy();
    return bytes;
  },

  to_js(python) {
    const copy = python.program("copying").copy_to_js(picture);
    return new Uint8ClampedArray(copy.buffer, copy.byteOffset, copy.byteLength);
  },
};
