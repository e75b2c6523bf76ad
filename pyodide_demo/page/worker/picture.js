// The picture on the heap, and the canvas that is drawn from it.

import { Problem, fetchFile } from "./downloads.js";
import { toPlain } from "./python.js";

/** @import { Drawing, Drawn, Tasks, Way } from "../protocol.d.ts" */
/** @import { PyProxy } from "./pyodide.d.ts" */
/** @import { Surroundings } from "./python.js" */

// What is larger is scaled down to this: the filters answer at once, and no screen shows more.
const LONGEST_SIDE = 1600;
const LONGEST_OF_CAMERA = 480; // many times a second
const MEASURED_MILLISECONDS = 400;

/** @type {OffscreenCanvas} */
let canvas;
/** @type {OffscreenCanvasRenderingContext2D} */
let context; // asked for once: Firefox refuses a second getContext on a canvas that came from the page
/** @type {PyProxy} */
let picture; // the Picture of picture.py

/**
 * @param {Surroundings} _python
 * @param {Tasks["picture.start"]["details"]} details
 */
export function start(_python, details) {
  canvas = details.canvas;
  context = contextOf(canvas);
}

/**
 * Put another picture on the heap: an address of this site, or a file.
 * @param {Surroundings} python
 * @param {Tasks["picture.open"]["details"]} details
 * @returns {Promise<Drawn>}
 */
export async function open(python, { source, name, ...drawing }) {
  const blob = typeof source === "string" ? await (await fetchFile(new URL(source, python.base))).blob() : source;
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

/**
 * Put one frame of the camera on the heap.
 * @param {Surroundings} python
 * @param {Tasks["picture.frame"]["details"]} details
 * @returns {Drawn}
 */
export function frame(python, { bitmap, ...drawing }) {
  putOnHeap(python, bitmap, LONGEST_OF_CAMERA);
  return { ...filter(python, drawing), name: "camera", note: "" };
}

/**
 * @param {Surroundings} python
 * @param {Drawing} drawing
 * @returns {Drawn}
 */
export function filter(python, { filters, way }) {
  const shown = current(python);
  shown.restore();
  const names = python.pyodide.toPy(filters);
  const timings = python.program("program").apply(shown, names);
  names.destroy();
  return {
    timings: toPlain(timings),
    copied: draw(python, way),
    use: toPlain(shown.heap_use()),
    aspect: canvas.width / canvas.height,
  };
}

/**
 * Draw in one way, and do nothing else, as often as it goes.
 * @param {Surroundings} python
 * @param {{ way: Way }} details
 */
export function measure(python, { way }) {
  current(python);
  let frames = 0;
  let copied = 0;
  const start = performance.now();
  let elapsed = 0;
  while (elapsed < MEASURED_MILLISECONDS) {
    copied += draw(python, way);
    frames += 1;
    elapsed = performance.now() - start;
  }
  return { milliseconds: elapsed / frames, copied: copied / frames, byteSize: 4 * canvas.width * canvas.height };
}

export async function save() {
  return { blob: await canvas.convertToBlob({ type: "image/png" }) };
}

/**
 * The picture on the heap; the visitor may have freed it in the console.
 * @param {Surroundings} python
 * @returns {PyProxy}
 */
function current(python) {
  if (picture !== undefined && python.program("picture").is_whole(picture)) return picture;
  const freed = picture !== undefined;
  picture?.destroy();
  picture = undefined;
  throw new Problem(
    freed ? "The picture was freed, in the console perhaps. Choose another one." : "There is no picture: choose one.",
  );
}

/**
 * Put the pixels of a bitmap on the heap, in the place of those that were there; tell whether they were scaled.
 * @param {Surroundings} python
 * @param {ImageBitmap} bitmap
 * @param {number} longest
 */
function putOnHeap(python, bitmap, longest) {
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const scaled = contextOf(new OffscreenCanvas(width, height), { willReadFrequently: true });
  scaled.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const { data } = scaled.getImageData(0, 0, width, height);

  const whole = picture !== undefined && python.program("picture").is_whole(picture);
  if (!whole || picture.width !== width || picture.height !== height) {
    if (whole) picture.close(); // before the next one is allocated: two large ones need not fit
    picture?.destroy();
    picture = undefined;
    picture = python.program("picture").Picture(python.heap, width, height);
    canvas.width = width;
    canvas.height = height;
  }
  const original = picture.original;
  original.js_view.set(data);
  original.destroy();
  return scale < 1;
}

/**
 * Draw the pixels; return how many of their bytes were copied on the way from Python to JavaScript.
 * @param {Surroundings} python
 * @param {Way} way
 */
function draw(python, way) {
  const bytes = ways[way](python);
  context.putImageData(new ImageData(bytes, canvas.width, canvas.height), 0, 0);
  return bytes.buffer === python.pyodide._module.HEAPU8.buffer ? 0 : bytes.byteLength;
}

/** @type {Record<Way, (python: Surroundings) => Uint8ClampedArray<ArrayBuffer>>} */
const ways = {
  // The heap's own bytes. They are asked for each time, because the typed arrays of a WebAssembly memory go
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

/**
 * @param {OffscreenCanvas} surface
 * @param {CanvasRenderingContext2DSettings} [settings]
 */
function contextOf(surface, settings) {
  const found = surface.getContext("2d", settings);
  if (found === null) throw new Problem("This browser cannot draw here.");
  return found;
}
