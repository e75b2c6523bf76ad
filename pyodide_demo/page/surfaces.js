// Canvases that a worker draws on.

import { canvas } from "./dom.js";

/**
 * A canvas for a new worker. One that was given to a worker is that worker's for ever, so that another takes its
 * place in the page.
 * @param {string} id
 */
export function freshCanvas(id) {
  let found = canvas(id);
  if (found.dataset.given) {
    const next = /** @type {HTMLCanvasElement} */ (found.cloneNode());
    delete next.dataset.given;
    found.replaceWith(next);
    found = next;
  }
  found.dataset.given = "true";
  return found.transferControlToOffscreen();
}
