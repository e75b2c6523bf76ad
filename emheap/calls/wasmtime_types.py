"""The types of functions in wasmtime, found without asking for those that end the process.

``Func.type`` makes an object of C's for each parameter, and wasmtime's C API has none for vectors
(``v128``) and references with a type of their own: there it aborts. Before, the function is given
to a module that imports one of another type. wasmtime refuses that, and says which type it found.
"""

from __future__ import annotations

import atexit
import re
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from emheap._util.wasm_binary import function_type, import_of, module_of, section, vector

if TYPE_CHECKING:
    import wasmtime

    from emheap.calls.verifying import FunctionType

__all__ = ["type_of_wasmtime_function"]

_FOUND = re.compile(
    r"found type `\(func(?: \(param(?P<params>.*?)\))?(?: \(result(?P<results>.*?)\))?\)`"
)
_UNLIKELY = ["f32", "i64", "f64", "i32"] * 4
"""What no function takes. If one did, it would be imported, and its type is safe to ask for."""

_probes: WeakKeyDictionary[Any, wasmtime.Module] = WeakKeyDictionary()
"""The module that imports such a function, for each engine."""


def type_of_wasmtime_function(
    store: wasmtime.Store, function: wasmtime.Func
) -> FunctionType | None:
    """What a function takes and gives; None for types that are more than a name."""
    found = _FOUND.search(_refusal(store, function))
    if found is None:  # another release may have other words for it
        kind = function.type(store)
        return tuple(map(str, kind.params)), tuple(map(str, kind.results))
    params, results = ((found[side] or "").split() for side in ("params", "results"))
    if "(" in "".join([*params, *results]):
        return None
    return tuple(params), tuple(results)


def _refusal(store: wasmtime.Store, function: wasmtime.Func) -> str:
    """What wasmtime says when the function is imported as another one."""
    import wasmtime

    engine = getattr(store, "engine", None)  # the Caller of a function has none
    if engine is None:
        return ""
    try:
        wasmtime.Instance(store, _probe(engine), [function])
    except wasmtime.WasmtimeError as error:
        return str(error)
    return ""


def _probe(engine: wasmtime.Engine) -> wasmtime.Module:
    import wasmtime

    if engine not in _probes:
        if not _probes:  # or the interpreter would let go of wasmtime before it does of these
            atexit.register(_probes.clear)
        types = section(1, vector([function_type(_UNLIKELY, [])]))
        imports = section(2, vector([import_of("", "f", b"\0\0")]))
        _probes[engine] = wasmtime.Module(engine, module_of(types, imports))
    return _probes[engine]
