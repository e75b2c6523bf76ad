// wasm-heap-manager's side. Its only argument is JSON:
//   modules   the folder that npm put it and sql.js into
//   rows      of each its work, `original` and `most`; see rows.py
//   seconds   how long to measure a row
// Prints the fastest batch of each row as a line of JSON.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";

const { modules, rows, seconds } = JSON.parse(process.argv[2]);
const require = createRequire(path.join(modules, "any.js"));
const { createWasmHeapManager } = await import(require.resolve("wasm-heap-manager"));

const BATCH = 1e6; // nanoseconds

/** The memory, malloc and free of a module that Emscripten compiled. */
async function openModule() {
  let memory;
  const wasm = fs.readFileSync(require.resolve("sql.js/dist/sql-wasm.wasm"));
  const module = await require("sql.js")({
    instantiateWasm(imports, receive) {
      WebAssembly.instantiate(wasm, imports).then(({ instance, module }) => {
        memory = Object.values(instance.exports).find((it) => it instanceof WebAssembly.Memory);
        receive(instance, module);
      });
      return {};
    },
  });
  return [() => memory.buffer, module._malloc, module._free];
}

/** Nanoseconds of one time, in a batch; and the last result. */
function batch({ items, run }, count) {
  const prepared = items ? items(count) : undefined;
  let result;
  const start = process.hrtime.bigint();
  if (prepared) for (const item of prepared) result = run(item);
  else for (let i = 0; i < count; i++) result = run();
  return [Number(process.hrtime.bigint() - start) / count, result];
}

function calibrated(way, most) {
  let count = 1;
  while (count * 2 <= most && Math.min(batch(way, count)[0], batch(way, count)[0]) * count < BATCH) {
    count *= 2;
  }
  return count;
}

function shown(result) {
  return ArrayBuffer.isView(result) ? [result.length, ...result.subarray(0, 4)] : (result ?? null);
}

const module = await openModule();
for (const { work, original, most } of rows) {
  const heap = createWasmHeapManager(...module);
  const made = new Function("heap", original)(heap);
  const way = typeof made === "function" ? { run: made } : made;
  const result = shown(batch(way, 1)[1]);
  const count = calibrated(way, most);
  const deadline = performance.now() + seconds * 1000;
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3 || performance.now() < deadline; round++) {
    fastest = Math.min(fastest, batch(way, count)[0]);
  }
  console.log(JSON.stringify({ work, ns: fastest, result }));
}
