// The page's line to Python, which runs in a worker: tasks, news, and a new worker where one is lost.

import { BESIDE } from "./beside.js";

/** @import { Message, News, Site, Started, Task, Tasks } from "./protocol.d.ts" */

/** How long Python may be at a task before the page says so. */
const MILLISECONDS_UNTIL_BUSY = 600;
/** How often it is asked whether it answers while a program runs, which may wait or compute. Both together are less
 * than a second, in which the page is to say that Python is busy. */
const MILLISECONDS_BETWEEN_BEATS = 200;
const SIGINT = 2;
/** What an input line becomes, which a program waits for. */
const ANSWERED = 1;
const INTERRUPTED = 2;
/** The shared bytes: the interrupt, then the state and length of an input line, and its text. */
export const SHARED_BYTES = 4096;

/** @typedef {{ [K in keyof News]?: (details: News[K]) => void }} Listeners */
/** @typedef {{ task: Task, since: number, resolve: (result: any) => void, reject: (error: Error) => void }} Asked */
/** @typedef {"starting" | "ready" | "busy" | "dead"} Condition */

/** What a task is rejected with when its worker was ended. */
export class Restarted extends Error {
  constructor() {
    super("Python was restarted before this was done.");
  }
}

export class Python extends EventTarget {
  /** @type {Worker | undefined} */
  #worker;
  /** @type {Map<number, Asked>} */
  #asked = new Map();
  #count = 0;
  /** @type {Listeners} */
  #listeners;
  /** @type {Site} */
  #site;
  /** @type {SharedArrayBuffer | undefined} */
  #shared;
  /** @type {Condition} */
  #condition = "starting";
  #timer = 0;
  /** Why Python is dead, in words. */
  reason = "";

  /**
   * @param {Site} site
   * @param {Listeners} listeners functions by the kind of news
   */
  constructor(site, listeners) {
    super();
    this.#site = site;
    this.#listeners = listeners;
  }

  /** Whether Python can be used, and why not. */
  get condition() {
    return this.#condition;
  }

  /** Whether a running program can be interrupted: where the host isolates the page. */
  get canBeInterrupted() {
    return this.#shared !== undefined;
  }

  /** The task that has taken longest. */
  get longest() {
    return this.#asked.values().next().value?.task;
  }

  /**
   * Start Python in a worker, or in a new one in the place of a worker that is lost.
   * @returns {Promise<Started>}
   */
  async start() {
    this.#worker?.terminate();
    for (const id of [...this.#asked.keys()]) this.#settle(id, (asked) => asked.reject(new Restarted()));
    this.#become("starting");
    this.#shared = self.crossOriginIsolated ? new SharedArrayBuffer(SHARED_BYTES) : undefined;
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker = worker;
    worker.addEventListener("message", ({ data }) => this.#hear(data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      const words = event.message || "a file of it could not be fetched, or this browser is too old";
      this.#die(`the worker of this page could not be started: ${words}`);
    });
    const details = { site: this.#site, base: document.baseURI, shared: this.#shared };
    const started = await this.call("start", details);
    this.#become("ready");
    return started;
  }

  /**
   * Have a task done after those asked for before; rejects with an Error for people to read.
   * @template {Task} T
   * @param {T} task
   * @param {Tasks[T]["details"]} details
   * @param {Transferable[]} [transfer]
   * @returns {Promise<Tasks[T]["result"]>}
   */
  call(task, details, transfer = []) {
    if (this.#condition === "dead" || this.#worker === undefined) {
      return Promise.reject(new Error(`Python has stopped: ${this.reason}. Restart it.`));
    }
    const id = ++this.#count;
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { task, since: performance.now(), resolve, reject });
      worker.postMessage({ id, task, details }, transfer);
      this.#watch();
    });
  }

  /** End the program that runs, as Ctrl-C does in a terminal. */
  interrupt() {
    if (this.#shared === undefined) return;
    Atomics.store(new Uint8Array(this.#shared), 0, SIGINT);
    this.#wake(INTERRUPTED);
    // What waits while other tasks go on looks at no signal, and has room for a message.
    this.call("console.cancel", {}).catch(() => {});
  }

  /**
   * Answer a program that waits for a line of input.
   * @param {string} line
   */
  answer(line) {
    if (this.#shared === undefined) return;
    const bytes = new TextEncoder().encode(line).subarray(0, SHARED_BYTES - 16);
    new Uint8Array(this.#shared, 12).set(bytes);
    const words = new Int32Array(this.#shared, 4, 2);
    words[1] = bytes.length;
    this.#wake(ANSWERED);
  }

  /**
   * Wake a program that waits for a line of input.
   * @param {number} why
   */
  #wake(why) {
    if (this.#shared === undefined) return;
    const words = new Int32Array(this.#shared, 4, 1);
    Atomics.store(words, 0, why);
    Atomics.notify(words, 0);
  }

  /** @param {Message} message */
  #hear(message) {
    if ("news" in message) {
      if (message.news === "dead") this.#die(message.details.reason);
      else this.#listeners[message.news]?.(/** @type {any} */ (message.details));
    } else if ("failure" in message) {
      this.#settle(message.id, (asked) => asked.reject(new Error(message.failure)));
    } else {
      this.#settle(message.id, (asked) => asked.resolve(message.result));
    }
  }

  /**
   * @param {number} id
   * @param {(asked: Asked) => void} settle
   */
  #settle(id, settle) {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    settle(asked);
    if (this.#condition === "busy") this.#become("ready");
    this.#watch();
  }

  /** Look again when the oldest of the tasks that wait for each other will have taken too long. */
  #watch() {
    clearTimeout(this.#timer);
    if (this.#condition !== "ready") return;
    const oldest = [...this.#asked.values()].find(({ task }) => !BESIDE.has(task));
    if (oldest !== undefined) {
      const left = oldest.since + MILLISECONDS_UNTIL_BUSY - performance.now();
      this.#timer = setTimeout(() => this.#become("busy"), Math.max(0, left));
    } else if (this.#asked.size) {
      // A program runs: Python answers while it waits, and does not while it computes.
      const beat = () => void this.call("beat", {}).catch(() => {});
      this.#timer = setTimeout(beat, MILLISECONDS_BETWEEN_BEATS);
    }
  }

  /** @param {string} reason */
  #die(reason) {
    this.reason = reason;
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#become("dead");
    for (const id of [...this.#asked.keys()]) {
      this.#settle(id, (asked) => asked.reject(new Error(`Python has stopped: ${reason}.`)));
    }
  }

  /** @param {Condition} condition */
  #become(condition) {
    clearTimeout(this.#timer);
    if (condition === this.#condition) return;
    this.#condition = condition;
    this.dispatchEvent(new Event("condition"));
  }
}
