"""Small WebAssembly modules between Python and another module's functions.

JavaScript cannot say of what type a WebAssembly function is, nor make one of a function of its
own: ``WebAssembly.Function`` is in no engine yet. But an instance that imports a function does
both: instantiating it fails where an exported function has another type than the import, and what
is exported again is a WebAssembly function. This module is imported inside Pyodide only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import js
from pyodide.ffi import JsException, create_proxy, to_js

from emheap._util.wasm_binary import (
    function_type,
    import_of,
    module_of,
    section,
    unsigned,
    vector,
    wasm_text,
)
from emheap.javascript.bridge import read_member

__all__ = [
    "fits_type",
    "instantiate",
    "is_exported_function",
    "keep_sign",
    "trampoline",
    "type_of_function",
]

FunctionType = tuple[tuple[str, ...], tuple[str, ...]]

_modules: dict[tuple[str, FunctionType], Any] = {}
"""One compiled module for each type."""

_FUNCTION, _GLOBAL = b"\x00", b"\x03"
_SIGN_BIT = {"f32": b"\xbc\x41\x1f\x76", "f64": b"\xbd\x42\x3f\x88\xa7"}
"""Takes a float as an integer of its size, and shifts that right."""
_LOCAL_GET, _LOCAL_TEE, _CALL, _GLOBAL_SET, _END = b"\x20", b"\x22", b"\x10", b"\x24", b"\x0b"


def _module(shape: str, kind: FunctionType) -> Any:
    if (shape, kind) not in _modules:
        _modules[shape, kind] = js.WebAssembly.Module.new(to_js(_SHAPES[shape](kind)))
    return _modules[shape, kind]


def _passing(kind: FunctionType) -> bytes:
    """Imports a function and exports it again."""
    return module_of(
        section(1, vector([function_type(*kind)])),
        section(2, vector([import_of("e", "f", _FUNCTION + unsigned(0))])),
        section(7, vector([wasm_text("f") + _FUNCTION + unsigned(0)])),
    )


def _giving_signs(kind: FunctionType) -> bytes:
    """Exports a function that calls the imported one with one argument more: the sign bits of those
    that are floats."""
    params, results = kind
    code = bytearray(unsigned(0))
    for index in range(len(params)):
        code += _LOCAL_GET + unsigned(index)
    code += b"\x41\x00"
    for bit, index in enumerate(_floats(params)):
        code += _LOCAL_GET + unsigned(index) + _SIGN_BIT[params[index]]
        code += b"\x41" + unsigned(bit) + b"\x74\x72"  # ... shifted left, combined
    code += _CALL + unsigned(0) + _END
    return module_of(
        section(1, vector([function_type((*params, "i32"), results), function_type(*kind)])),
        section(2, vector([import_of("e", "f", _FUNCTION + unsigned(0))])),
        section(3, vector([unsigned(1)])),
        section(7, vector([wasm_text("f") + _FUNCTION + unsigned(1)])),
        section(10, vector([unsigned(len(code)) + bytes(code)])),
    )


def _floats(params: Sequence[str]) -> list[int]:
    """The places of the floats, of as many as an i32 has bits for."""
    return [index for index, one in enumerate(params) if one[0] == "f"][:32]


def _keeping_sign(kind: FunctionType) -> bytes:
    """Exports a function that calls the imported one, and a global with its result's sign bit."""
    params, (result,) = kind
    wide = result == "f64"
    number = unsigned(len(params))
    code = (
        vector([unsigned(1) + (b"\x7c" if wide else b"\x7d")])
        + b"".join(_LOCAL_GET + unsigned(index) for index in range(len(params)))
        + _CALL + unsigned(0) + _LOCAL_TEE + number + _SIGN_BIT[result]
        + _GLOBAL_SET + unsigned(0) + _LOCAL_GET + number + _END
    )  # fmt: skip
    return module_of(
        section(1, vector([function_type(*kind)])),
        section(2, vector([import_of("e", "f", _FUNCTION + unsigned(0))])),
        section(3, vector([unsigned(0)])),
        section(6, vector([b"\x7f\x01\x41\x00" + _END])),
        section(
            7,
            vector(
                [
                    wasm_text("f") + _FUNCTION + unsigned(1),
                    wasm_text("s") + _GLOBAL + unsigned(0),
                ]
            ),
        ),
        section(10, vector([unsigned(len(code)) + code])),
    )


_SHAPES: dict[str, Callable[[FunctionType], bytes]] = {
    "pass": _passing,
    "sign": _keeping_sign,
    "signs": _giving_signs,
}


def _exports_with(module: Any, function: Any) -> Any:
    imports = js.Object.new()
    imports.e = js.Object.new()
    imports.e.f = function
    return js.WebAssembly.Instance.new(module, imports).exports


def instantiate(binary: bytes, members: dict[str, Any]) -> Any:
    """The exports of a module whose imports are members of ``e``."""
    imports = js.Object.new()
    imports.e = js.Object.new()
    for name, value in members.items():
        setattr(imports.e, name, value)
    module = js.WebAssembly.Module.new(to_js(binary))
    return js.WebAssembly.Instance.new(module, imports).exports


def trampoline(kind: FunctionType, function: Callable[..., Any]) -> Any:
    """A WebAssembly function that calls a Python function, for a table's entry.

    Floats that are whole reach it as integers, but for -0.0.
    """
    floats = _floats(kind[0])
    if not floats:
        return _exports_with(_module("pass", kind), create_proxy(function)).f

    def call(*arguments: Any) -> Any:
        *given, signs = arguments
        if signs:
            for bit, index in enumerate(floats):
                if not given[index] and signs >> bit & 1:
                    given[index] = -0.0
        return function(*given)

    return _exports_with(_module("signs", kind), create_proxy(call)).f


def keep_sign(kind: FunctionType, function: Any) -> tuple[Any, Any]:
    """A function that does as `function` does, which returns a float, and a global whose value is
    not 0 if the last result was negative: JavaScript's numbers reach Python as integers where they
    are whole, and then -0.0 is 0."""
    exports = _exports_with(_module("sign", kind), function)
    return exports.f, exports.s


def is_exported_function(function: Any) -> bool:
    """Whether a JavaScript function is one of WebAssembly, which has a type."""
    text = js.Function.prototype.toString.call(function)
    return "[native code]" in text and str(read_member(function, "name", "the function")).isdigit()


def fits_type(kind: FunctionType, function: Any) -> bool:
    """Whether an exported function has this type."""
    try:
        _exports_with(_module("pass", kind), function)
    except JsException as error:
        if error.name != "LinkError":
            raise
        return False
    return True


def type_of_function(function: Any) -> FunctionType | None:
    """The type of an exported function of few parameters, found by trying; None for others."""
    count = function.length
    if count > 4:
        return None
    names: Sequence[str] = ("i32", "f64", "f32", "i64")
    for params in itertools.product(names, repeat=count):
        for results in ((), *((name,) for name in names)):
            if fits_type((params, results), function):
                return params, results
    return None
