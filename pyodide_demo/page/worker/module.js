// A WebAssembly module of the visitor's: what it has, and a heap on its memory.

import { addPrompt } from "./console.js";
import { Problem } from "./downloads.js";
import { noteBuffer } from "./memories.js";
import { lastLine } from "./python.js";
import { typesOf, wordsOf } from "./wasm_types.js";

/** @import { OpenedModule, Tasks } from "../protocol.d.ts" */
/** @import { Surroundings } from "./python.js" */
/** @import { Import, Limits } from "./wasm_types.js" */

/**
 * Compile and instantiate a module, and open a heap on it. Throws Problem.
 * @param {Surroundings} python
 * @param {Tasks["module.open"]["details"]} details
 * @returns {Promise<OpenedModule>}
 */
export async function open(python, { name, bytes }) {
  let module;
  try {
    module = await WebAssembly.compile(bytes);
  } catch (error) {
    throw new Problem(`${name} is not a WebAssembly module that this browser can compile: ${words(error)}`);
  }
  const { imports, exported } = typesOf(bytes);
  let instance;
  try {
    instance = await WebAssembly.instantiate(module, importsFor(imports));
  } catch (error) {
    throw new Problem(`${name} could not be instantiated: ${words(error)}`);
  }
  const exports = WebAssembly.Module.exports(module);
  const memory = exports.find(({ kind }) => kind === "memory");
  const { heap, problem } = openHeap(python, name, instance, imports);
  return {
    name,
    heap,
    imports: imports.map((each) => ({ module: each.module, name: each.name, kind: each.kind, type: typeOf(each) })),
    exports: exports.map((each) => ({
      ...each,
      type: each.kind === "function" ? wordsOf(exported.get(each.name)) : "",
    })),
    memory: {
      size: heap === "" ? 0 : python.observer.heap(heap).memory.size,
      note: memory === undefined ? "imported" : `exported as ${memory.name}`,
    },
    problem,
  };
}

/** @type {WebAssembly.Memory | undefined} */
let imported; // the memory that was made for a module that imports one

/**
 * @param {Surroundings} python
 * @param {string} name
 * @param {WebAssembly.Instance} instance
 * @param {Import[]} imports
 */
function openHeap(python, name, instance, imports) {
  const scope = python.program("opened").scope;
  try {
    initialize(instance);
    const found = Object.values(instance.exports).find((each) => each instanceof WebAssembly.Memory);
    const memory = found ?? (imports.some(({ kind }) => kind === "memory") ? imported : undefined);
    if (memory === undefined) throw new Problem("It has no memory, so there is no heap to open.");
    const { heap, problem } = python.program("opened").open_heap(instance, memory);
    python.observer.add(name, heap);
    noteBuffer(name, () => memory.buffer);
    addPrompt(python, "module", scope(instance, heap));
    return { heap: name, problem };
  } catch (error) {
    addPrompt(python, "module", scope(instance, undefined));
    return { heap: "", problem: lastLine(error) };
  }
}

/**
 * Call what a module without a main function wants called once. Throws Problem.
 * @param {WebAssembly.Instance} instance
 */
function initialize({ exports }) {
  if (typeof exports._initialize !== "function") return;
  try {
    /** @type {() => void} */ (exports._initialize)();
  } catch (error) {
    throw new Problem(`Its _initialize failed: ${words(error)}`);
  }
}

/**
 * What a module imports, so that it can be instantiated: functions that do nothing but return 0.
 * @param {Import[]} imports
 */
function importsFor(imports) {
  /** @type {Record<string, Record<string, WebAssembly.ImportValue>>} */
  const made = {};
  imported = undefined;
  for (const each of imports) {
    made[each.module] ??= {};
    const target = made[each.module];
    if (each.kind === "function") {
      const wide = each.signature?.results[0] === "i64";
      target[each.name] = () => (wide ? 0n : 0);
    } else if (each.kind === "memory") {
      imported = new WebAssembly.Memory(memoryOf(each.limits));
      target[each.name] = imported;
    } else if (each.kind === "table") {
      const element = each.value === "externref" ? "externref" : "anyfunc";
      target[each.name] = new WebAssembly.Table({
        element,
        initial: each.limits?.minimum ?? 0,
        maximum: each.limits?.maximum,
      });
    } else if (each.kind === "global") {
      const first = /** @type {any} */ (each.value === "i64" ? 0n : 0);
      const value = /** @type {"i32"} */ (each.value);
      target[each.name] = new WebAssembly.Global({ value, mutable: each.mutable }, first);
    }
  }
  return made;
}

/** @param {Limits | undefined} limits */
function memoryOf({ minimum, maximum, shared } = { minimum: 1, maximum: undefined, shared: false, wide: false }) {
  return { initial: minimum, maximum, shared };
}

/** @param {Import} each */
function typeOf({ kind, signature, limits, value }) {
  if (kind === "function") return wordsOf(signature);
  if (kind === "memory" && limits) return `${limits.minimum} pages of 64 KiB${limits.shared ? ", shared" : ""}`;
  return value ?? "";
}

/** @param {unknown} error */
const words = (error) => (error instanceof Error ? error.message : String(error));
