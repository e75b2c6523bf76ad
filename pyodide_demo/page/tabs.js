// Tabs as the ARIA Authoring Practices have them: one is in the order of the Tab key, the arrows go from one to
// the next, and the address names the one that is shown, so that it can be linked and the page be reloaded.

export function startTabs(list) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const nameOf = (tab) => tab.getAttribute("aria-controls").replace("panel-", "");

  function show(shown) {
    for (const tab of tabs) {
      const selected = tab === shown;
      tab.setAttribute("aria-selected", selected);
      tab.tabIndex = selected ? 0 : -1;
      const panel = document.getElementById(tab.getAttribute("aria-controls"));
      if (panel.hidden === selected) {
        panel.hidden = !selected;
        panel.dispatchEvent(new Event(selected ? "shown" : "left"));
      }
    }
    shown.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function choose(tab) {
    history.replaceState(null, "", `#${nameOf(tab)}`);
    show(tab);
  }

  function showNamed() {
    show(tabs.find((tab) => `#${nameOf(tab)}` === location.hash) ?? tabs[0]);
  }

  const steps = {
    ArrowRight: (at) => at + 1,
    ArrowLeft: (at) => at - 1,
    Home: () => 0,
    End: () => -1,
  };
  list.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const tab = tabs.at(step(tabs.indexOf(event.target)) % tabs.length);
    tab.focus();
    choose(tab);
  });
  for (const tab of tabs) tab.addEventListener("click", () => choose(tab));
  window.addEventListener("hashchange", showNamed);
  showNamed();
}
