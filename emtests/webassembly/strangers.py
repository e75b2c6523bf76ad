"""Modules with allocators of other kinds than malloc and free, in whatever runs WebAssembly here.

Two of them are other people's, from npm. What they import is a function that does nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from emheap._util.platform import IN_PYODIDE
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import FIXTURES

PACKAGES = ("@webbuf/blake3@3.8.0", "@fluffylabs/anan-as@1.2.0")
RUST, WASM_BINDGEN, ASSEMBLYSCRIPT = "rust", "wasm-bindgen", "AssemblyScript"
FILES = {
    WASM_BINDGEN: "@webbuf/blake3/src/rs-webbuf_blake3-bundler/webbuf_blake3_bg.wasm",
    ASSEMBLYSCRIPT: "@fluffylabs/anan-as/dist/build/release.wasm",
}
"""Where the modules are beneath ``node_modules``; modules.mjs has them too."""


class Stranger:
    """An instance."""

    parts: tuple[Any, ...]
    """What `wrap_wasm_instance` takes."""
    exports: Any
    collects = False
    """Whether what was freed comes back when its collector is called, and not before."""

    def member(self, name: str) -> Any:
        """An export, as whatever runs it has it."""
        raise NotImplementedError

    def without_memory(self, *names: str) -> Any:
        """An object like that of the exports, with those of these names alone."""
        raise NotImplementedError

    def call(self, name: str, *numbers: int) -> int:
        """Call an export; gives an address or a size."""
        raise NotImplementedError


class WasmtimeStranger(Stranger):
    def __init__(self, code: bytes) -> None:
        import wasmtime

        store = wasmtime.Store()
        module = wasmtime.Module(store.engine, code)
        kinds: list[Any] = [imported.type for imported in module.imports]
        imports = [wasmtime.Func(store, kind, lambda *_: None) for kind in kinds]
        instance = wasmtime.Instance(store, module, imports)
        self.parts = (store, instance)
        self.exports = instance.exports(store)

    def member(self, name: str) -> Any:
        return self.exports[name]

    def without_memory(self, *names: str) -> Any:
        return {name: self.exports[name] for name in names}

    def call(self, name: str, *numbers: int) -> int:
        result = self.exports[name](self.parts[0], *numbers)
        return 0 if result is None else result % (1 << 32)


class JavaScriptStranger(Stranger):
    def __init__(self, module: Any) -> None:
        from pyodide.code import run_js

        instance = run_js(
            """(module) => {
              const imports = {};
              for (const { module: from, name } of WebAssembly.Module.imports(module))
                (imports[from] ??= {})[name] = () => 0;
              return new WebAssembly.Instance(module, imports);
            }"""
        )(module)
        self.parts = (instance,)
        self.exports = instance.exports

    def member(self, name: str) -> Any:
        return getattr(self.exports, name)

    def without_memory(self, *names: str) -> Any:
        import js

        return js.Object.fromEntries([[name, self.member(name)] for name in names])

    def call(self, name: str, *numbers: int) -> int:
        result = getattr(self.exports, name)(*numbers)
        return 0 if result is None else result % (1 << 32)


def open_stranger(name: str) -> Stranger:
    """A new instance of one of the modules."""
    made = JavaScriptStranger(_javascript_module(name)) if IN_PYODIDE else _native(name)
    made.collects = name == ASSEMBLYSCRIPT
    return made


def _native(name: str) -> Stranger:
    if name == RUST:
        return WasmtimeStranger((FIXTURES / "rust_allocator.wasm").read_bytes())
    return WasmtimeStranger((_packages() / FILES[name]).read_bytes())


@cache
def _packages() -> Path:
    from pyodide_demo.environment import EnvironmentProblem, npm_install

    try:
        return npm_install("allocators", PACKAGES)
    except EnvironmentProblem as problem:
        skip_for_gap("modules from npm", str(problem).splitlines()[0])


def _javascript_module(name: str) -> Any:
    import emtests_modules
    import js
    from pyodide.ffi import to_js

    if name == RUST:
        code = (FIXTURES / "rust_allocator.wasm").read_bytes()
        return js.WebAssembly.Module.new(to_js(code))
    found = {WASM_BINDGEN: emtests_modules.blake3, ASSEMBLYSCRIPT: emtests_modules.ananas}[name]
    if found is None:
        skip_for_gap("modules from npm", "the page does not bring this one")
    return found
