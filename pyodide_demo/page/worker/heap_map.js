// Tells what is on a heap, and what it was like before.

import { toPlain } from "./python.js";

const MOST_BYTES = 512; // of a block that is shown byte by byte

export function report(python, { heap: name, chosen, perLine }) {
  const map = python.program("heap_map");
  const names = toPlain(python.observer.names);
  const shown = names.includes(name) ? name : names[0];
  const heap = python.observer.heap(shown);
  try {
    const survey = toPlain(map.survey(heap));
    const block = survey.rows.find(({ address }) => address === chosen);
    return {
      names,
      shown,
      survey,
      history: toPlain(python.observer.history(shown)),
      block,
      dump: block && map.hexdump(heap, block.address, Math.min(block.byte_size, MOST_BYTES), perLine),
    };
  } finally {
    heap.destroy();
  }
}
