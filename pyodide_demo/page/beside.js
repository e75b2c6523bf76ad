// What the worker does beside other tasks: a program that waits must not keep them.

/** @import { Task } from "./protocol.d.ts" */

/** @type {ReadonlySet<Task>} */
export const BESIDE = new Set(["console.run", "console.cancel"]);
