// Tabs as the ARIA Authoring Practices have them: one is in the order of the Tab key, the arrows go from one to
// the next. Which of them is shown, the state knows.

/** @import { PanelName, State } from "./state.js" */

/** @type {Record<string, (at: number) => number>} */
const STEPS = {
  ArrowRight: (at) => at + 1,
  ArrowLeft: (at) => at - 1,
  Home: () => 0,
  End: () => -1,
};

/**
 * @param {HTMLElement} list
 * @param {State} state
 */
export function startTabs(list, state) {
  const tabs = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=tab]")]);
  const panelOf = (/** @type {HTMLElement} */ tab) => {
    const panel = document.getElementById(tab.getAttribute("aria-controls") ?? "");
    if (panel === null) throw new Error(`${tab.id} controls no panel`);
    return panel;
  };
  const nameOf = (/** @type {HTMLElement} */ tab) => /** @type {PanelName} */ (panelOf(tab).id.replace("panel-", ""));

  state.listenToShown((shown) => {
    for (const tab of tabs) {
      const selected = nameOf(tab) === shown;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
      const panel = panelOf(tab);
      if (panel.hidden === selected) {
        panel.hidden = !selected;
        panel.dispatchEvent(new Event(selected ? "shown" : "left"));
      }
      if (selected) {
        // Not scrollIntoView, which would scroll the page to the tabs as well.
        const { left, right } = tab.getBoundingClientRect();
        const box = list.getBoundingClientRect();
        if (left < box.left || right > box.right) list.scrollLeft += left - box.left - 24;
      }
    }
  });

  list.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const at = tabs.indexOf(/** @type {HTMLElement} */ (event.target));
    const tab = tabs.at(step(at) % tabs.length);
    if (tab === undefined) return;
    tab.focus();
    state.show(nameOf(tab));
  });
  for (const tab of tabs) tab.addEventListener("click", () => state.show(nameOf(tab)));
}
