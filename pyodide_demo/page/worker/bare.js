// The mistakes of breaking.py made in JavaScript, on an Emscripten module's typed arrays, which take each of them
// in silence. Every byte that is damaged belongs to a block of the same function.

export const mistakes = {
  "use-after-free"(module) {
    const first = module._malloc(24);
    module.HEAP32[first >> 2] = 41;
    module._free(first);
    const others = Array.from({ length: 8 }, () => module._malloc(24));
    for (const other of others) module.HEAP32[other >> 2] = 99;
    const found = module.HEAP32[first >> 2];
    for (const other of others) module._free(other);
    return `the first number is ${found}`;
  },

  "double-free"(module) {
    const first = module._malloc(24);
    module._free(first);
    const seconds = Array.from({ length: 8 }, () => module._malloc(24));
    for (const second of seconds) module.HEAP32[second >> 2] = 2;
    module._free(first);
    const thirds = Array.from({ length: 8 }, () => module._malloc(24));
    for (const third of thirds) module.HEAP32[third >> 2] = 3;
    const found = Math.max(...seconds.map((second) => module.HEAP32[second >> 2]));
    for (const block of new Set([...seconds, ...thirds])) module._free(block);
    return `a second number is ${found}, though 2 was stored in each`;
  },

  overflow(module) {
    const blocks = Array.from({ length: 8 }, () => module._malloc(16)).sort((a, b) => a - b);
    const [scores, neighbour] = blocks;
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

/** The statements of a function. */
export function codeOf(deed) {
  return deed
    .toString()
    .split("\n")
    .slice(1, -1)
    .map((line) => line.slice(4))
    .join("\n");
}
