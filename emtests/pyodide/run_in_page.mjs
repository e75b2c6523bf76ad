// Runs pytest inside Pyodide in a page or in a worker of it; see run_in_node.mjs for its configuration.
//
// Everything goes to the server by synchronous requests: while Python runs, nothing else can leave the
// page, and what was printed before a hang or a fatal error must arrive.
import { loadModules } from "./modules.mjs";

function post(address, body) {
  const request = new XMLHttpRequest();
  request.open("POST", address, false);
  request.send(body);
}

// Lines of output are gathered for a moment: a request for each would cost more than the tests.
const MILLISECONDS = 200;
let waiting = [];
let last_sent = 0;

function flush() {
  if (waiting.length) post("/output", new Blob(waiting));
  waiting = [];
  last_sent = performance.now();
}

function write(bytes) {
  waiting.push(bytes.slice());
  if (performance.now() - last_sent > MILLISECONDS) flush();
  return bytes.length;
}

function endFatally(error) {
  waiting.push(`\n${String(error?.stack ?? error).slice(0, 4000)}\n`);
  flush();
  post("/fatal", String(error?.message ?? error).slice(0, 400));
}

self.addEventListener("unhandledrejection", (event) => endFatally(event.reason));

async function fetchArchive(pyodide, name) {
  const answer = await fetch(`/${name}.zip`);
  pyodide.FS.mkdirTree(`/${name}`);
  pyodide.unpackArchive(await answer.arrayBuffer(), "zip", { extractDir: `/${name}` });
}

function postFiles(pyodide, folder) {
  for (const name of pyodide.FS.readdir(folder)) {
    if (name !== "." && name !== "..") post(`/file/${name}`, pyodide.FS.readFile(`${folder}/${name}`));
  }
}

try {
  const configuration = await (await fetch("/configuration.json")).json();
  const { loadPyodide } = await import("/pyodide/pyodide.mjs");
  const pyodide = await loadPyodide({
    indexURL: new URL("/pyodide/", self.location.href).href,
    env: { HOME: "/home/pyodide", ...configuration.environment },
  });
  pyodide.setStdout({ write, isatty: false });
  pyodide.setStderr({ write, isatty: false });
  await fetchArchive(pyodide, "project");
  await fetchArchive(pyodide, "site");
  pyodide.registerJsModule("emtests_page", { send_events: (lines) => post("/events", lines) });
  const modules = await loadModules(new URL("/modules/", self.location.href).href);
  pyodide.registerJsModule("emtests_modules", modules);
  pyodide.runPython(`import sys; sys.path[:0] = ["/project", "/site"]`);
  const run = pyodide.pyimport("emtests.pyodide.run_pytest").run_pytest;
  // A fatal error is thrown by this call; were it awaited, its promise would never settle.
  const code = run.callKwargs(pyodide.toPy(configuration.arguments), { measure: configuration.measure });
  flush();
  postFiles(pyodide, "/run-folder");
  post("/exit", String(code));
} catch (error) {
  endFatally(error);
}
