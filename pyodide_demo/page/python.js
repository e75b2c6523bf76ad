// The page's line to Python, which runs in a worker.

/** Asks the worker for tasks, and tells of what it says unasked. */
export class Python {
  #worker = new Worker("worker.js", { type: "module" });
  #asked = new Map(); // by number: how to settle the promise
  #count = 0;

  /** `listeners` holds functions by the kind of what the worker says. */
  constructor(listeners) {
    this.#worker.addEventListener("message", ({ data: { id, result, failure, kind, details } }) => {
      if (kind !== undefined) listeners[kind](details);
      else this.#settle(id, failure, result);
    });
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      const reason = event.message ?? "a file of it could not be fetched, or this browser is too old";
      for (const id of [...this.#asked.keys()]) {
        this.#settle(id, `The worker of this page could not be started: ${reason}.`);
      }
    });
  }

  /** Have a task done after those asked for before; rejects with an Error for people to read. */
  call(task, details = {}, transfer = []) {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#worker.postMessage({ id, task, details }, transfer);
    });
  }

  #settle(id, failure, result) {
    const { resolve, reject } = this.#asked.get(id);
    this.#asked.delete(id);
    if (failure === undefined) resolve(result);
    else reject(new Error(failure));
  }
}
