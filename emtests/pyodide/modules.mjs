// What the tests find beside Pyodide: other people's modules, and a worker that shares a memory.
//
// Both take promises to make, and Python waits for none while pytest runs. So they are made before,
// and Python imports them as `emtests_modules`.

const IN_NODE = typeof process === "object" && Boolean(process.versions?.node);

async function read(address) {
  if (!IN_NODE) return (await fetch(address)).arrayBuffer();
  const { readFileSync } = await import("node:fs");
  return readFileSync(new URL(address));
}

// A script in the manner of CommonJS; only Node can import one.
async function require(address) {
  if (IN_NODE) return (await import(address)).default;
  const module = { exports: {} };
  new Function("module", "exports", new TextDecoder().decode(await read(address)))(module, module.exports);
  return module.exports;
}

async function create(factory, options) {
  return (await factory)(options);
}

async function startPeer(memory, control) {
  const peer = new URL("peer.mjs", import.meta.url);
  const { Worker } = IN_NODE ? await import("node:worker_threads") : globalThis;
  const worker = new Worker(peer, { type: "module" });
  const started = new Promise((resolve, reject) => {
    if (IN_NODE) {
      worker.once("message", resolve);
      worker.once("error", reject);
    } else {
      worker.onmessage = resolve;
      worker.onerror = (event) => reject(new Error(`the peer: ${event.message}`));
    }
  });
  worker.postMessage({ memory, control });
  await started;
  if (IN_NODE) worker.unref(); // it serves for as long as Python runs, and no longer
}

// Those that the page of the site does not bring: they are `undefined` there. That is None to every
// Pyodide; null has a value of its own in the newest.
async function loadFurther(at) {
  const absent = !IN_NODE && !(await fetch(at("opusscript/package.json"), { method: "HEAD" })).ok;
  if (absent) return { blake3: undefined, ananas: undefined, opus: undefined, sqlite3: undefined };
  const sqlite3 = at(`@sqlite.org/sqlite-wasm/dist/${IN_NODE ? "node" : "index"}.mjs`);
  const compiled = (path) => read(at(path)).then((code) => WebAssembly.compile(code));
  return {
    blake3: await compiled("@webbuf/blake3/src/rs-webbuf_blake3-bundler/webbuf_blake3_bg.wasm"),
    ananas: await compiled("@fluffylabs/anan-as/dist/build/release.wasm"),
    opus: await create(require(at("opusscript/build/opusscript_native_nasm.js"))), // no WebAssembly
    sqlite3: await (await import(sqlite3)).default({ print() {}, printErr() {} }),
  };
}

// `address` is where npm's folder node_modules is.
export async function loadModules(address) {
  const at = (path) => new URL(path, address).href;
  const imported = async (path) => (await import(at(path))).default;
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 256, shared: true });
  const control = new SharedArrayBuffer(64);
  const [pffft, kissfft, harfbuzz, harfbuzzSubset, lazPerf] = await Promise.all([
    create(imported("@echogarden/pffft-wasm/dist/simd/pffft.js")),
    create(imported("@echogarden/kissfft-wasm/kissfft.js")),
    create(imported("harfbuzzjs/dist/harfbuzz.js")),
    read(at("harfbuzzjs/dist/harfbuzz-subset.wasm")).then((code) => WebAssembly.compile(code)),
    create(require(at(`laz-perf/lib/${IN_NODE ? "node" : "worker"}/laz-perf.js`)), {
      wasmBinary: await read(at("laz-perf/lib/laz-perf.wasm")),
    }),
    startPeer(memory, control),
  ]);
  const further = await loadFurther(at);
  const more = { requireMore: undefined, libflac: undefined }; // run_in_node.mjs has them
  return { pffft, kissfft, harfbuzz, harfbuzzSubset, lazPerf, memory, control, ...further, ...more };
}
