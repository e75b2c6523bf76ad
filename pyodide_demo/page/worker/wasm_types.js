// Reads of a WebAssembly module what JavaScript does not tell: the types of what it imports and exports, which
// are needed to make what it imports.

const FUNCTION = 0;
const TABLE = 1;
const MEMORY = 2;
const GLOBAL = 3;

/** @type {Record<number, string>} */
const VALUES = { 0x7f: "i32", 0x7e: "i64", 0x7d: "f32", 0x7c: "f64", 0x7b: "v128", 0x70: "funcref", 0x6f: "externref" };

/** @typedef {{ parameters: string[], results: string[] }} Signature */
/** @typedef {{ minimum: number, maximum: number | undefined, shared: boolean, wide: boolean }} Limits */
/** @typedef {{ module: string, name: string, kind: string, signature?: Signature, limits?: Limits, value?: string, mutable?: boolean }} Import */

class Reader {
  #at;
  #bytes;

  /**
   * @param {Uint8Array} bytes
   * @param {number} [at]
   */
  constructor(bytes, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get done() {
    return this.#at >= this.#bytes.length;
  }

  byte() {
    return this.#bytes[this.#at++] ?? 0;
  }

  /** A number in LEB128. */
  number() {
    let result = 0;
    let factor = 1;
    for (;;) {
      const byte = this.byte();
      result += (byte & 0x7f) * factor;
      if (byte < 0x80) return result;
      factor *= 128;
    }
  }

  text() {
    const length = this.number();
    this.#at += length;
    return new TextDecoder().decode(this.#bytes.subarray(this.#at - length, this.#at));
  }

  part() {
    const length = this.number();
    this.#at += length;
    return new Reader(this.#bytes.subarray(this.#at - length, this.#at));
  }

  value() {
    const byte = this.byte();
    if (byte === 0x63 || byte === 0x64) this.number(); // a reference to a type of the module
    return VALUES[byte] ?? "ref";
  }

  /** @returns {Limits} */
  limits() {
    const flags = this.byte();
    const minimum = this.number();
    const maximum = flags & 1 ? this.number() : undefined;
    return { minimum, maximum, shared: (flags & 2) !== 0, wide: (flags & 4) !== 0 };
  }

  /**
   * @template T
   * @param {() => T} read
   */
  list(read) {
    return Array.from({ length: this.number() }, read);
  }
}

/**
 * The imports of a module with their types, and the signatures of the functions it exports.
 * @param {ArrayBuffer} buffer of a module that WebAssembly has compiled
 */
export function typesOf(buffer) {
  const reader = new Reader(new Uint8Array(buffer), 8);
  /** @type {Signature[]} */
  let types = [];
  /** @type {Import[]} */
  let imports = [];
  /** @type {(Signature | undefined)[]} */
  const functions = [];
  /** @type {Map<string, Signature | undefined>} */
  const exported = new Map();
  while (!reader.done) {
    const section = reader.byte();
    const part = reader.part();
    if (section === 1) types = readTypes(part);
    if (section === 2) {
      imports = part.list(() => readImport(part, types));
      functions.push(...imports.filter(({ kind }) => kind === "function").map(({ signature }) => signature));
    }
    if (section === 3) functions.push(...part.list(() => types[part.number()]));
    if (section === 7) {
      part.list(() => {
        const [name, kind, index] = [part.text(), part.byte(), part.number()];
        if (kind === FUNCTION) exported.set(name, functions[index]);
      });
    }
  }
  return { imports, exported };
}

/**
 * @param {Reader} part
 * @returns {Signature[]}
 */
function readTypes(part) {
  /** @type {Signature[]} */
  const found = [];
  for (let count = part.number(); count > 0; count--) {
    // Types of garbage-collected values follow another grammar; what stands after them stays unknown.
    if (part.byte() !== 0x60) return found;
    found.push({ parameters: part.list(() => part.value()), results: part.list(() => part.value()) });
  }
  return found;
}

/**
 * @param {Reader} part
 * @param {Signature[]} types
 * @returns {Import}
 */
function readImport(part, types) {
  const names = { module: part.text(), name: part.text() };
  const kind = part.byte();
  if (kind === FUNCTION) return { ...names, kind: "function", signature: types[part.number()] };
  if (kind === TABLE) return { ...names, kind: "table", value: part.value(), limits: part.limits() };
  if (kind === MEMORY) return { ...names, kind: "memory", limits: part.limits() };
  if (kind === GLOBAL) return { ...names, kind: "global", value: part.value(), mutable: part.byte() === 1 };
  part.byte();
  return { ...names, kind: "tag", signature: types[part.number()] };
}

/** @param {Signature | undefined} signature */
export const wordsOf = (signature) =>
  signature === undefined ? "?" : `(${signature.parameters.join(", ")}) → ${signature.results.join(", ") || "nothing"}`;
