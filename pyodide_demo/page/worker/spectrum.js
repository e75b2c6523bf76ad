// The spectrogram: the samples go to a C library's heap and come back as a spectrum, by Python; the columns of
// pixels are drawn from Python's heap.

import { Problem } from "./downloads.js";
import { noteBuffer } from "./memories.js";
import { toPlain } from "./python.js";

/** @import { Reading, Tasks } from "../protocol.d.ts" */
/** @import { PyProxy } from "./pyodide.d.ts" */
/** @import { Surroundings } from "./python.js" */

const COUNT = 2048; // samples of a spectrum
const HEAP = "pffft's heap";

/** @type {OffscreenCanvas} */
let canvas;
/** @type {OffscreenCanvasRenderingContext2D} */
let context; // asked for once, as in picture.js
/** @type {PyProxy} */
let spectrogram; // the Spectrogram of spectrum.py
/** @type {PyProxy} */
let tone; // the Tone of spectrum.py

/**
 * Make the C library's module, and all that lies on the two heaps.
 * @param {Surroundings} python
 * @param {Tasks["spectrum.start"]["details"]} details
 */
export async function start(python, details) {
  canvas = details.canvas;
  const found = canvas.getContext("2d");
  if (found === null) throw new Problem("This browser cannot draw here.");
  context = found;
  let module;
  try {
    const address = new URL(`${python.site.modules}@echogarden/pffft-wasm/dist/simd/pffft.js`, python.base);
    const { default: createModule } = await import(address.href);
    module = await createModule();
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Problem(`The C library pffft could not be loaded: ${words}`);
  }
  const heap = python.pyodide
    .pyimport("emheap")
    .wrap_emscripten_module_heap.callKwargs(module, { count_allocations: true });
  python.observer.add(HEAP, heap);
  noteBuffer(HEAP, () => module.HEAPU8.buffer);
  const fft = python.program("fft").Fft(module, heap, COUNT);
  const { Spectrogram, Tone } = python.program("spectrum");
  spectrogram = Spectrogram(python.heap, fft.transform, COUNT, canvas.height);
  tone = Tone();
  return { count: COUNT };
}

/**
 * Add a column for the samples of a sound.
 * @param {Surroundings} _python
 * @param {Tasks["spectrum.add"]["details"]} details
 */
export function add(_python, { samples, rate }) {
  return column(spectrogram.add(samples, rate));
}

/**
 * Add a column for a tone, which Python makes.
 * @param {Surroundings} _python
 * @param {Tasks["spectrum.addTone"]["details"]} details
 */
export function addTone(_python, { frequency, rate }) {
  const samples = tone.samples(frequency, rate, COUNT);
  try {
    return column(spectrogram.add(samples, rate));
  } finally {
    samples.destroy();
  }
}

/** Forget what was drawn: another sound begins. */
export function clear() {
  context.clearRect(0, 0, canvas.width, canvas.height);
}

/**
 * @param {PyProxy} reading
 * @returns {Reading}
 */
function column(reading) {
  context.drawImage(canvas, -1, 0);
  const pixels = spectrogram.column;
  try {
    // ImageData takes the heap's own bytes, without a copy.
    context.putImageData(new ImageData(pixels.js_view, 1, canvas.height), canvas.width - 1, 0);
  } finally {
    pixels.destroy();
  }
  return toPlain(reading);
}
