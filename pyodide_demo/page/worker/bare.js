// The mistakes of breaking.py made in JavaScript, on an Emscripten module's typed arrays, which take each of them
// in silence. Every byte that is damaged belongs to a block of the same function.

/** @import { Pyodide } from "./pyodide.d.ts" */
/** @typedef {Pyodide["_module"]} Module */

const SIZE = 24;
const MOST_BLOCKS = 4096;
let kept = 0;

/**
 * A block that was freed, and the next one, which got its bytes: two equal addresses; see bare.py.
 * @param {Module} module
 */
function freedAndNext(module) {
  for (; kept < MOST_BLOCKS; kept++) {
    const first = module._malloc(SIZE);
    module._free(first);
    const second = module._malloc(SIZE);
    if (first === second) return [first, second];
  }
  throw new Error(`malloc handed none of ${MOST_BLOCKS} blocks out again`);
}

/** @type {Record<string, (module: Module) => string>} */
export const mistakes = {
  "use-after-free"(module) {
    const [first, second] = freedAndNext(module);
    module.HEAP32[second >> 2] = 99;
    const found = module.HEAP32[first >> 2];
    module._free(second);
    return `the first number is ${found}`;
  },

  "double-free"(module) {
    const [first, second] = freedAndNext(module);
    module.HEAP32[second >> 2] = 2;
    module._free(first);
    const thirds = Array.from({ length: 64 }, () => module._malloc(SIZE));
    for (const third of thirds) module.HEAP32.fill(3, third >> 2, (third + SIZE) >> 2);
    const found = module.HEAP32[second >> 2];
    for (const third of thirds) module._free(third);
    return `the second number was 2 and is ${found}`;
  },

  overflow(module) {
    const blocks = Array.from({ length: 64 }, () => module._malloc(16)).sort((a, b) => a - b);
    const gaps = blocks.slice(1).map((block, at) => block - blocks[at]);
    const at = gaps.indexOf(Math.min(...gaps));
    const [scores, neighbour] = [blocks[at], blocks[at + 1]];
    module.HEAP32[neighbour >> 2] = 7;
    const beyond = (neighbour - scores) / 4;
    module.HEAP32[(scores >> 2) + beyond] = 13;
    const found = module.HEAP32[neighbour >> 2];
    for (const block of blocks) module._free(block);
    return `stored as element ${beyond} of 4; the neighbour was 7 and is ${found}`;
  },

  "out-of-range"(module) {
    const level = module._malloc(1);
    module.HEAPU8[level] = 300;
    const found = module.HEAPU8[level];
    module._free(level);
    return `the level is ${found}`;
  },

  leak(module) {
    const lost = module._malloc(4000);
    const following = module._malloc(4000);
    module._free(following);
    return `0x${lost.toString(16)} stays taken (the next block was at 0x${following.toString(16)}), and nothing was said`;
  },
};
