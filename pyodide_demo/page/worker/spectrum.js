// The spectrogram: the samples go to a C library's heap and come back as a spectrum, by Python; the columns of
// pixels are drawn from Python's heap.

import { Problem } from "./downloads.js";
import { toPlain } from "./python.js";

const COUNT = 2048; // samples of a spectrum
const TONE_RATE = 48_000;

let canvas;
let context; // asked for once, as in picture.js
let spectrogram; // the Spectrogram of spectrum.py, a proxy
let tone; // the Tone of spectrum.py, a proxy

/** Make the C library's module, and all that lies on the two heaps. */
export async function start(python, details) {
  canvas = details.canvas;
  context = canvas.getContext("2d");
  let module;
  try {
    const { default: createModule } = await import(`../${python.site.modules}@echogarden/pffft-wasm/dist/simd/pffft.js`);
    module = await createModule();
  } catch (error) {
    throw new Problem(`The C library pffft could not be loaded: ${error.message ?? error}`);
  }
  const heap = python.pyodide
    .pyimport("emheap")
    .wrap_emscripten_module_heap.callKwargs(module, { count_allocations: true });
  python.observer.add("pffft's heap", heap);
  const fft = python.program("fft").Fft(module, heap, COUNT);
  const { Spectrogram, Tone } = python.program("spectrum");
  spectrogram = Spectrogram(python.heap, fft.transform, COUNT, canvas.height);
  tone = Tone();
  return { count: COUNT };
}

/** Add a column for the samples of a sound. */
export function add(python, { samples, rate }) {
  return column(spectrogram.add(samples, rate));
}

/** Add a column for a tone. */
export function addTone(python, { frequency }) {
  const samples = tone.samples(frequency, TONE_RATE, COUNT);
  try {
    return column(spectrogram.add(samples, TONE_RATE));
  } finally {
    samples.destroy();
  }
}

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
