// Not a module, so that it runs where one cannot: says that a file of the page is missing, which would otherwise
// leave it as it is for ever. "data-started" is set by main.js.

addEventListener("load", () => {
  if (document.documentElement.dataset.started) return;
  const words = document.getElementById("never-started");
  if (words !== null) words.hidden = false;
});
