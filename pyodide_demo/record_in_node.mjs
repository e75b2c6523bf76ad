// Records in Pyodide under Node what the page shows until Python runs there.
//
//   node record_in_node.mjs DISTRIBUTION WHEEL SOURCE
//
// The last line on standard output is the JSON.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [distribution, wheel, source] = process.argv.slice(2);

try {
  const { loadPyodide } = await import(pathToFileURL(join(distribution, "pyodide.mjs")).href);
  // As text, because a file .js is no module to every Node.
  const load = (name) => {
    const text = readFileSync(join(source, "page", "worker", name), "utf8");
    return import(`data:text/javascript,${encodeURIComponent(text)}`);
  };
  const { mistakes } = await load("bare.js");
  const { codeOf } = await load("code_of.js");
  const pyodide = await loadPyodide({ env: { HOME: "/home/pyodide", PYTHONDONTWRITEBYTECODE: "1" } });
  await pyodide.loadPackage(pathToFileURL(wheel).href, { messageCallback: () => {} });
  pyodide.FS.mkdirTree("/program/pyodide_demo");
  pyodide.mountNodeFS("/program/pyodide_demo", source);
  pyodide.runPython(`import sys; sys.path.insert(0, "/program")`);
  const recorded = JSON.parse(pyodide.pyimport("pyodide_demo.recordings").recordings());
  for (const [name, accounts] of Object.entries(recorded.mistakes)) {
    const deed = mistakes[name];
    accounts.javascript = { code: codeOf(deed), error: "", text: deed(pyodide._module), where: "", lines: {} };
  }
  console.log(JSON.stringify(recorded));
} catch (error) {
  console.error(String(error?.message ?? error));
  process.exitCode = 1;
}
