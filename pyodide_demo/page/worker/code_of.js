// Functions as text.

/**
 * The statements of a function.
 * @param {(...given: never[]) => unknown} deed
 */
export function codeOf(deed) {
  const lines = deed.toString().split("\n").slice(1, -1);
  const margin = Math.min(...lines.filter((line) => line.trim()).map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(margin)).join("\n");
}
