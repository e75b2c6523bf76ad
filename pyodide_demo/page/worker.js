// Python and its heap. It runs beside the page so that the page never waits for it, and draws by itself: a
// view of the heap cannot be handed to another thread, but the canvas can be handed to this one.

import { Problem, fetchFile, watchDownloads } from "./downloads.js";

// What is larger is scaled down to this: the filters answer at once, and no screen shows more.
const LONGEST_SIDE = 1600;

let python; // what startPython returns
let picture; // the Picture of program.py, a proxy
let canvas;

const say = (kind, details = {}) => self.postMessage({ kind, ...details });

const tasks = {
  async start({ canvas: offscreen }) {
    canvas = offscreen;
    const site = await fetchFile("site.json", "json");
    say("site", { filters: site.filters, chosen: site.chosen });
    python = await startPython(site);
    say("started", { picture: site.picture, runtime: python.home });
  },

  async open({ source, name, filters }) {
    const blob = typeof source === "string" ? await fetchFile(source, "blob") : source;
    let bitmap;
    try {
      bitmap = await createImageBitmap(blob);
    } catch {
      throw new Problem(`${name} is not a picture that this browser can read. Choose a PNG or JPEG file.`);
    }
    const note = putOnHeap(bitmap);
    tasks.filter({ filters, name, note });
  },

  filter({ filters, ...about }) {
    if (picture === undefined) throw new Problem("There is no picture on the heap: choose one.");
    picture.restore();
    const names = python.toPython(filters);
    const timings = python.program.apply(picture, names);
    draw();
    const use = picture.heap_use();
    say("drawn", {
      timings: toPlain(timings),
      use: toPlain(use),
      aspect: canvas.width / canvas.height,
      ...about,
    });
    names.destroy();
  },

  async save() {
    say("saved", { blob: await canvas.convertToBlob({ type: "image/png" }) });
  },
};

async function startPython(site) {
  const pyodide = await watchDownloads(
    () => startPyodide(site),
    (bytes) =>
      bytes < site.bytesToFetch
        ? say("progress", { stage: "Fetching Python …", done: bytes / site.bytesToFetch })
        : say("progress", { stage: "Starting Python …" }),
  );
  for (const file of site.program) {
    const place = `/program/${file}`;
    pyodide.FS.mkdirTree(place.slice(0, place.lastIndexOf("/")));
    pyodide.FS.writeFile(place, await fetchFile(`python/${file}`, "text"));
  }
  const namespace = pyodide.toPy({});
  pyodide.runPython(
    `
import sys
sys.path.insert(0, "/program")
import emheap
from pyodide_demo import program
heap = emheap.open()
`,
    { globals: namespace },
  );
  const program = namespace.get("program");
  return {
    program,
    heap: namespace.get("heap"),
    home: program.home(),
    toPython: (value) => pyodide.toPy(value),
  };
}

async function startPyodide(site) {
  const address = (relative) => new URL(relative, self.location.href).href;
  try {
    const { loadPyodide } = await import("./pyodide/pyodide.mjs");
    const pyodide = await loadPyodide({ indexURL: address("pyodide/") });
    await pyodide.loadPackage(address(site.wheel), { messageCallback() {} });
    return pyodide;
  } catch (error) {
    throw new Problem(`Python could not be started: ${lastLine(error)}`);
  }
}

/** Replace the picture on the heap by this one; return a note for the user, or nothing. */
function putOnHeap(bitmap) {
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
  picture = python.program.Picture(python.heap, width, height);
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

/** Turn a Python value into a plain one that can be posted. */
function toPlain(proxy) {
  const plain = proxy.toJs({ dict_converter: Object.fromEntries, create_pyproxies: false });
  proxy.destroy();
  return plain;
}

function lastLine(error) {
  return String(error?.message ?? error).trim().split("\n").at(-1);
}

// One task at a time, in the order they were asked for.
let last = Promise.resolve();
self.onmessage = ({ data: { task, ...details } }) => {
  last = last
    .then(() => tasks[task](details))
    .catch((error) => {
      if (!(error instanceof Problem)) console.error(error);
      say("failed", { task, text: error instanceof Problem ? error.message : lastLine(error) });
    });
};
