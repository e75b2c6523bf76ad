// The page: what the user switches, and what the worker answers. All Python and all drawing is the worker's.

const element = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");

const worker = new Worker("worker.js", { type: "module" });
const chosen = []; // names of filters, in the order in which they were switched on
let started = false;
let busy = true;
let waiting; // the newest request that could not be sent yet: older ones are not worth doing

const answers = {
  progress({ stage, done }) {
    if (element("progress").hidden) return; // it failed, and some of it goes on
    element("stage").textContent = stage;
    if (done === undefined) element("progress").removeAttribute("value");
    else element("progress").value = done;
  },

  site({ filters, chosen: names }) {
    element("chips").append(...filters.map(chip));
    for (const name of names) choose(name, true);
    showChosen();
  },

  started({ picture, runtime }) {
    started = true;
    element("runtime").textContent = `Running on ${runtime}, in a worker.`;
    answers.progress({ stage: "Reading the picture …" });
    send({ task: "open", source: picture.address, name: picture.name, filters: chosen });
  },

  drawn({ timings, use, aspect, name, note }) {
    element("canvas").style.setProperty("--aspect", aspect);
    element("loading").hidden = true;
    element("error").hidden = true;
    if (name !== undefined) {
      element("caption").dataset.name = note ? `${name} (${note})` : name;
    }
    const caption = `${element("caption").dataset.name}, ${use.caption}`;
    element("caption").textContent = caption;
    element("canvas").setAttribute("aria-label", caption);
    showTimes(timings);
    showHeap(use);
    element("status").textContent = `Drawn: ${caption}`;
    enable();
    next();
  },

  saved({ blob }) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "emheap-demo.png";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  },

  failed({ text }) {
    fail(text);
    if (!started) return;
    element("loading").hidden = true;
    element("file").disabled = false;
    next();
  },
};

function send(request, transfer = []) {
  busy = true;
  worker.postMessage(request, transfer);
}

/** Send a request as soon as the worker is free; a newer one takes the place of one that waits. */
function request(details) {
  if (busy) waiting = waiting?.task === "open" ? { ...waiting, filters: details.filters } : details;
  else send(details);
}

function next() {
  busy = false;
  const details = waiting;
  waiting = undefined;
  if (details !== undefined) send(details);
}

function chip({ name, summary }) {
  const box = Object.assign(document.createElement("input"), { type: "checkbox", name, id: `filter-${name}` });
  const place = Object.assign(document.createElement("span"), { className: "place", ariaHidden: "true" });
  const label = Object.assign(document.createElement("label"), { className: "chip", title: summary });
  label.append(box, place, name);
  const item = document.createElement("li");
  item.append(label);
  return item;
}

function choose(name, on) {
  const at = chosen.indexOf(name);
  if (on && at < 0) chosen.push(name);
  if (!on && at >= 0) chosen.splice(at, 1);
}

function showChosen() {
  for (const box of element("chips").querySelectorAll("input")) {
    const at = chosen.indexOf(box.name);
    box.checked = at >= 0;
    box.nextElementSibling.textContent = at < 0 ? "" : at + 1;
  }
  element("reset").disabled = chosen.length === 0 || element("filters").disabled;
}

function showTimes(timings) {
  const milliseconds = (seconds) => (seconds * 1000).toFixed(1);
  element("times").replaceChildren(
    ...timings.map(({ filter, seconds }) => {
      const row = document.createElement("tr");
      const head = Object.assign(document.createElement("th"), { scope: "row", textContent: filter });
      const cell = Object.assign(document.createElement("td"), { textContent: milliseconds(seconds) });
      row.append(head, cell);
      return row;
    }),
  );
  element("total").textContent = milliseconds(timings.reduce((sum, { seconds }) => sum + seconds, 0));
}

function showHeap(use) {
  element("blocks").textContent = number.format(use.blocks);
  element("bytes").textContent = number.format(use.bytes);
  element("peak").textContent = number.format(use.peak_bytes);
  element("address").textContent = `0x${use.address.toString(16)}`;
}

function fail(text) {
  element("error").textContent = text;
  element("error").hidden = false;
  if (!started) {
    element("stage").textContent = "The picture cannot be shown.";
    element("progress").hidden = true;
  }
}

function enable() {
  for (const id of ["filters", "file", "save"]) element(id).disabled = false;
  showChosen();
}

function open(file) {
  if (file === undefined || !started) return;
  request({ task: "open", source: file, name: file.name, filters: chosen });
}

element("controls").addEventListener("change", ({ target }) => {
  choose(target.name, target.checked);
  showChosen();
  request({ task: "filter", filters: chosen });
});

element("controls").addEventListener("reset", (event) => {
  event.preventDefault(); // the boxes follow `chosen`
  chosen.length = 0;
  showChosen();
  request({ task: "filter", filters: chosen });
});

element("file").addEventListener("change", ({ target }) => {
  open(target.files[0]);
  target.value = ""; // the same file can be chosen again
});

element("save").addEventListener("click", () => worker.postMessage({ task: "save" }));

for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault(); // or the browser would leave the page and show the file
    document.body.classList.toggle("dropping", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") open(event.dataTransfer.files[0]);
  });
}

worker.addEventListener("message", ({ data: { kind, ...details } }) => answers[kind](details));

worker.addEventListener("error", (event) => {
  event.preventDefault();
  const reason = event.message ?? "a file of it could not be fetched, or this browser is too old";
  fail(`The worker of this page could not be started: ${reason}.`);
});

if (element("canvas").transferControlToOffscreen === undefined) {
  fail("This browser cannot draw from a worker. A current Chromium, Firefox or Safari can.");
} else {
  const canvas = element("canvas").transferControlToOffscreen();
  send({ task: "start", canvas }, [canvas]);
}
