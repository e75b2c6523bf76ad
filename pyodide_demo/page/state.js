// What the visitor chose, in one place. The address carries it, so that it can be linked, reloaded and gone
// back to: `#picture?filters=sepia,blur` is a panel and what differs in it from the page as it first comes.

/**
 * @typedef {object} Choices what can be chosen in each panel
 * @property {{ filters: string, way: string }} picture
 * @property {{ sound: string, frequency: string }} spectrum
 * @property {{ heap: string, range: string }} map
 * @property {{ mistake: string }} break
 * @property {{ stored: string }} bytes
 * @property {{ example: string, code: string, machine: string, bytes: string }} structures
 * @property {{ sample: string }} module
 * @property {{ code: string, run: string }} console
 * @property {{ part: string }} tests
 */
/** @typedef {keyof Choices} PanelName */

/** @type {Choices} */
const FIRST = {
  picture: { filters: "", way: "view" },
  spectrum: { sound: "tone", frequency: "440" },
  map: { heap: "", range: "blocks" },
  break: { mistake: "" },
  bytes: { stored: "" },
  structures: { example: "node", code: "", machine: "wasm32-unknown-unknown", bytes: "" },
  module: { sample: "" },
  console: { code: "", run: "" },
  tests: { part: "" },
};

export const PANELS = /** @type {PanelName[]} */ (Object.keys(FIRST));

export class State {
  #first = structuredClone(FIRST);
  #now = structuredClone(FIRST);
  /** @type {Map<PanelName, ((values: any) => void)[]>} */
  #listeners = new Map(PANELS.map((name) => [name, []]));
  /** @type {((panel: PanelName) => void)[]} */
  #shownListeners = [];
  /** @type {PanelName} */
  #panel = "picture";

  constructor() {
    const follow = () => {
      if (this.#read()) this.#tellShown();
    };
    addEventListener("popstate", follow);
    addEventListener("hashchange", follow);
  }

  /** The panel that is shown. */
  get panel() {
    return this.#panel;
  }

  /**
   * What is chosen in a panel.
   * @template {PanelName} P
   * @param {P} panel
   * @returns {Readonly<Choices[P]>}
   */
  of(panel) {
    return this.#now[panel];
  }

  /**
   * Set what a panel has before anything is chosen; the address need not say it.
   * @template {PanelName} P
   * @param {P} panel
   * @param {Partial<Choices[P]>} values
   */
  begin(panel, values) {
    Object.assign(this.#first[panel], values);
    Object.assign(this.#now[panel], values);
  }

  /** Read the address for the first time. */
  open() {
    this.#read();
    this.#tellShown();
  }

  /**
   * Choose something in a panel; those who listen to it hear of it.
   * @template {PanelName} P
   * @param {P} panel
   * @param {Partial<Choices[P]>} values
   */
  choose(panel, values) {
    Object.assign(this.#now[panel], values);
    if (panel === this.#panel) history.replaceState(null, "", this.addressOf(panel));
    this.#tell(panel);
  }

  /**
   * Show a panel: a step that the browser can go back from.
   * @param {PanelName} panel
   */
  show(panel) {
    if (panel === this.#panel && location.hash !== "") return;
    this.#panel = panel;
    history.pushState(null, "", this.addressOf(panel));
    this.#tellShown();
  }

  /**
   * The address of a panel as it is now.
   * @param {PanelName} panel
   */
  addressOf(panel) {
    const first = /** @type {Record<string, string>} */ (this.#first[panel]);
    const changed = Object.entries(this.#now[panel]).filter(([key, value]) => value !== first[key]);
    // Not URLSearchParams, which writes a space as a plus; the links of the documentation do not.
    const query = changed.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
    return `#${panel}${query && `?${query}`}`;
  }

  /**
   * Register a function for what is chosen in a panel, by the visitor or the address.
   * @template {PanelName} P
   * @param {P} panel
   * @param {(values: Readonly<Choices[P]>) => void} listener
   */
  listen(panel, listener) {
    this.#listeners.get(panel)?.push(listener);
  }

  /**
   * Call a function whenever another panel is shown.
   * @param {(panel: PanelName) => void} listener
   */
  listenToShown(listener) {
    this.#shownListeners.push(listener);
  }

  /** Take the address over; false where it names something else of the page, as a skip link does. */
  #read() {
    const [name, query = ""] = location.hash.slice(1).split("?");
    if (name !== "" && !PANELS.some((each) => each === name)) return false;
    this.#panel = name === "" ? "picture" : /** @type {PanelName} */ (name);
    const values = /** @type {Record<string, string>} */ (this.#now[this.#panel]);
    for (const [key, value] of new URLSearchParams(query.replaceAll("+", "%2B"))) {
      if (key in values) values[key] = value;
    }
    this.#tell(this.#panel);
    return true;
  }

  /** @param {PanelName} panel */
  #tell(panel) {
    for (const listener of this.#listeners.get(panel) ?? []) listener(this.#now[panel]);
  }

  #tellShown() {
    for (const listener of this.#shownListeners) listener(this.#panel);
  }
}
