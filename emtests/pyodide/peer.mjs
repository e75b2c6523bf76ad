// Executes commands on a memory that it shares with Python, in a worker of its own.
//
// The words of `control` are: whose turn it is (0 Python's, 1 the peer's), what to do, and numbers
// for it. The answer takes the place of the first number.
const TURN = 0, TASK = 1, FIRST = 2, SECOND = 3, THIRD = 4;
const FAILED = -1;

const TASKS = {
  // Adds `amount` to each of `count` numbers.
  1: (memory, address, count, amount) => {
    const numbers = new Int32Array(memory.buffer, address, count);
    for (let i = 0; i < count; i++) numbers[i] += amount;
    return count;
  },
  // Stores a text with its terminator; tells its length.
  2: (memory, address) => {
    const text = new TextEncoder().encode("gr\u00fc\u00dfe vom Nachbarn \u{1f41d}\0");
    new Uint8Array(memory.buffer, address, text.length).set(text);
    return text.length - 1;
  },
  // Grows the memory and stores a number in its last word; tells that word's address.
  3: (memory, pages, number) => {
    memory.grow(pages);
    const words = new Int32Array(memory.buffer);
    words[words.length - 1] = number;
    return 4 * (words.length - 1);
  },
  // Counts up to `limit`, one atomic step at a time.
  4: (memory, address, limit) => {
    const words = new Int32Array(memory.buffer);
    for (let i = 1; i <= limit; i++) Atomics.store(words, address / 4, i);
    return limit;
  },
  // Adds up float64 numbers, rounded.
  5: (memory, address, count) => new Float64Array(memory.buffer, address, count).reduce((sum, each) => sum + each),
  // Adds 1 to a number `count` times.
  6: (memory, address, count) => {
    const words = new Int32Array(memory.buffer);
    for (let i = 0; i < count; i++) Atomics.add(words, address / 4, 1);
    return count;
  },
  // Stores the numbers up to `count`, one after the other; tells the sum of those that were there.
  7: (memory, address, count) => {
    const words = new Int32Array(memory.buffer);
    let sum = 0;
    for (let i = 1; i <= count; i++) sum = (sum + Atomics.exchange(words, address / 4, i)) | 0;
    return sum;
  },
};

function serve({ memory, control }, tell) {
  const words = new Int32Array(control);
  tell("ready");
  for (;;) {
    Atomics.wait(words, TURN, 0);
    try {
      const task = TASKS[words[TASK]];
      words[FIRST] = task(memory, words[FIRST], words[SECOND], words[THIRD]);
    } catch (error) {
      console.error(`the peer: ${error}`);
      words[TASK] = FAILED;
    }
    Atomics.store(words, TURN, 0);
    Atomics.notify(words, TURN);
  }
}

if (typeof process === "object" && process.versions?.node) {
  const { parentPort } = await import("node:worker_threads");
  parentPort.once("message", (shared) => serve(shared, (words) => parentPort.postMessage(words)));
} else {
  self.onmessage = (event) => serve(event.data, (words) => self.postMessage(words));
}
