// Compiles Python sources to byte code with the Python inside a Pyodide: node compile_in_pyodide.mjs PYODIDE IN OUT.
// IN is JSON {name: source}; OUT becomes JSON {name + "c": byte code in base64}.
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, input, output] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(resolve(folder, "pyodide.mjs")).href);
// No docstrings and no column numbers, as in wheels.py.
const env = { HOME: "/home/pyodide", PYTHONOPTIMIZE: "2", PYTHONNODEBUGRANGES: "1" };
const pyodide = await loadPyodide({ indexURL: join(resolve(folder), "/"), env });
pyodide.globals.set("sources_json", await readFile(input, "utf8"));
const compiled = pyodide.runPython(`
import base64, json, os, py_compile, tempfile

compiled = {}
with tempfile.TemporaryDirectory() as folder:
    source, target = os.path.join(folder, "a.py"), os.path.join(folder, "a.pyc")
    for name, text in json.loads(sources_json).items():
        with open(source, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        py_compile.compile(source, cfile=target, dfile=name, doraise=True,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        with open(target, "rb") as file:
            compiled[name + "c"] = base64.b64encode(file.read()).decode()
json.dumps(compiled)
`);
await writeFile(output, compiled);
