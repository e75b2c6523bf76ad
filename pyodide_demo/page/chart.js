// A small line chart: its title, the latest value, and a line of steps.

import { make } from "./dom.js";

const WIDTH = 240;
const HEIGHT = 36;

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {...Node} children
 */
function drawn(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * @param {string} title
 * @param {[number, number][]} points pairs of seconds and values, at least one
 * @param {(value: number) => string} words turns a value into text
 */
export function chart(title, points, words) {
  const [start, end] = [points[0][0], points[points.length - 1][0]];
  const values = points.map(([, value]) => value);
  const most = Math.max(...values, 1);
  const x = (/** @type {number} */ seconds) => ((seconds - start) / Math.max(end - start, 1e-9)) * WIDTH;
  const y = (/** @type {number} */ value) => HEIGHT - 1 - (value / most) * (HEIGHT - 2);
  const steps = points.map(
    ([seconds, value], at) => `${at ? "H" : "M"}${x(seconds).toFixed(1)}${at ? "V" : " "}${y(value).toFixed(1)}`,
  );
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" };
  return make(
    "div",
    { className: "chart" },
    make(
      "p",
      {},
      make("span", {}, title),
      make(
        "span",
        { className: "hint" },
        `${words(Math.min(...values))} to ${words(Math.max(...values))} in ${Math.round(end - start)} s`,
      ),
    ),
    drawn("svg", box, drawn("path", { d: steps.join(""), "vector-effect": "non-scaling-stroke" })),
  );
}
