// Bundles sources for the Python inside a Pyodide, with that Python: node compile_in_pyodide.mjs PYODIDE WHEEL IN OUT.
// WHEEL is pycore's plain wheel; IN is JSON {name: source}; OUT becomes JSON {name: bytes in base64}.
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, wheel, input, output] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(resolve(folder, "pyodide.mjs")).href);
const pyodide = await loadPyodide({ indexURL: join(resolve(folder), "/") });
const bytes = await readFile(wheel);
pyodide.unpackArchive(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength), "whl");
pyodide.globals.set("sources_json", await readFile(input, "utf8"));
const bundled = pyodide.runPython(`
import base64, json
from pycore.install.bundle import bundled

sources = {name: text.encode() for name, text in json.loads(sources_json).items()}
json.dumps({name: base64.b64encode(data).decode() for name, data in bundled(sources).items()})
`);
await writeFile(output, bundled);
