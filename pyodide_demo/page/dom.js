// Small help with the document.

export const element = (id) => document.getElementById(id);

const format = new Intl.NumberFormat("en");

/** A number with its thousands set apart. */
export const number = (value) => format.format(value);

/** An address as Python prints it. */
export const hexadecimal = (address) => `0x${address.toString(16)}`;

/** A new element with properties, and children that are elements or text. */
export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Show an error in a panel, or with no text hide it. */
export function showError(id, text = "") {
  const place = element(id);
  place.textContent = text;
  place.hidden = !text;
}

/** A size in megabytes. */
export const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
