"""WebAssembly modules instantiated by JavaScript, from their files, and scripts of Emscripten's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import js
from pyodide.ffi import to_js

from emtests.backends.javascript.buffers import with_room


def instantiate(path: Path, imports: Any = None) -> Any:
    """A WebAssembly.Instance of a file, initialized if it wants to be."""
    module = js.WebAssembly.Module.new(to_js(path.read_bytes()))
    imported = imports or js.Object.new()
    instance = with_room(lambda: js.WebAssembly.Instance.new(module, imported))
    if js.Object.hasOwn(instance.exports, "_initialize"):
        instance.exports._initialize()
    return instance


def run_script(path: Path, options: Any = None) -> Any:
    """The module of a script of Emscripten's that makes it at once."""
    silent = to_js({"printErr": lambda _: None}, dict_converter=js.Object.fromEntries)
    function = js.Function.new("Module", f"{path.read_text()}\nreturn Module;")
    return function(js.Object.assign(silent, options or js.Object.new()))
