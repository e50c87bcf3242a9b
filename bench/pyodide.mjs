// The engine's figures and the time of the import, in Pyodide under Node:
// node pyodide.mjs PYODIDE_FOLDER WHEEL ENGINE.py [import-only]. Prints one line of JSON.
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, wheel, engine, only] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(resolve(folder, "pyodide.mjs")).href);
const pyodide = await loadPyodide({ indexURL: join(resolve(folder), "/") });
const bytes = await readFile(wheel);
const before = performance.now();
pyodide.unpackArchive(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength), "whl");
const unpacked = performance.now();
pyodide.pyimport("pycore.bridge");
const imported = performance.now();
let figures = "[]";
if (only !== "import-only") {
  pyodide.FS.writeFile("engine.py", await readFile(engine, "utf8"));
  figures = pyodide.runPython("import json, engine; json.dumps(engine.figures('pyodide'))");
}
console.log(JSON.stringify({ unpack_ms: unpacked - before, import_ms: imported - unpacked, figures: JSON.parse(figures) }));
