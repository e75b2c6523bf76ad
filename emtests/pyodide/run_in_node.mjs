// Runs pytest inside Pyodide under Node. Its only argument is a file of JSON:
//   pyodide      folder of the Pyodide release
//   modules      folder that npm put other people's modules into
//   moreModules  another one, with those that tests load when they need them
//   mounts       folders of this machine by the name that Python sees
//   environment  environment variables
//   arguments    pytest's arguments
//   measure      whether to leave coverage data
// The exit code is pytest's own, or 98 after a fatal error.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { loadModules } from "./modules.mjs";

const FATAL = 98;
const configuration = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));

// A pipe whose reader is slow answers EAGAIN; nothing may be lost by that.
function writeFully(descriptor) {
  return (bytes) => {
    for (let written = 0; written < bytes.length; ) {
      try {
        written += fs.writeSync(descriptor, bytes, written);
      } catch (error) {
        if (error.code !== "EAGAIN") throw error;
      }
    }
    return bytes.length;
  };
}

function endFatally(error) {
  // Node would print the line of code that failed, and in Pyodide that line has a million characters.
  console.error(`fatal error: ${String(error?.message ?? error).slice(-4000)}`);
  process.exit(FATAL);
}

// Python waits for no promise while pytest runs, and this module is ready after one.
async function loadMore(requireMore) {
  const libflac = requireMore("libflacjs")();
  await new Promise((resolve) => (libflac.isReady() ? resolve() : libflac.on("ready", resolve)));
  return { requireMore, libflac };
}

process.on("uncaughtException", endFatally);
process.on("unhandledRejection", endFatally);

try {
  const { loadPyodide } = await import(pathToFileURL(path.join(configuration.pyodide, "pyodide.mjs")));
  const pyodide = await loadPyodide({ env: { HOME: "/home/pyodide", ...configuration.environment } });
  pyodide.setStdout({ write: writeFully(1), isatty: false });
  pyodide.setStderr({ write: writeFully(2), isatty: false });
  for (const [name, folder] of Object.entries(configuration.mounts)) {
    pyodide.FS.mkdirTree(name);
    pyodide.mountNodeFS(name, folder);
  }
  const modules = await loadModules(`${pathToFileURL(configuration.modules)}/`);
  Object.assign(modules, await loadMore(createRequire(`${pathToFileURL(configuration.moreModules)}/`)));
  pyodide.registerJsModule("emtests_modules", modules);
  pyodide.runPython(`import sys; sys.path[:0] = ["/project", "/site"]`);
  const run = pyodide.pyimport("emtests.pyodide.run_pytest").run_pytest;
  process.exit(run.callKwargs(pyodide.toPy(configuration.arguments), { measure: configuration.measure }));
} catch (error) {
  endFatally(error);
}
