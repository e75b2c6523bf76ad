"""The structure explorer: a declaration, its layout for each ABI, its bytes and its values.

The declaration is Python that the visitor writes. Its last line is the structure that is shown,
``Pixel(red=255)``; without one it is the last structure that is declared, all zeros.
"""

from __future__ import annotations

import ast
import enum
import math
import traceback
from typing import Any, NamedTuple, TypedDict

import emheap
from emheap import HeapManager, Struct
from pyodide_demo.explorer_parts import Part, parts_of

__all__ = ["MACHINES", "MOST_BYTES", "ExplorerError", "Report", "move", "read", "write"]

MOST_BYTES = 256
"""Of a structure that is shown byte by byte."""
_PLACE = 1024
"""Where the structure lies in the buffer of its machine: aligned to whatever it may ask for, and
behind what is allocated there."""
_FILE = "<declaration>"


class ExplorerError(Exception):
    """The declaration or a value cannot be used; the text says why."""


class Machine(TypedDict):
    """An ABI, and what the structure takes there."""

    name: str
    title: str
    byte_size: int
    alignment: int


class Report(TypedDict):
    """A structure as it is shown."""

    name: str
    machines: list[Machine]
    bytes: str
    """In hexadecimal."""
    parts: list[Part]
    """In the order in which they lie; those of a union lie upon each other."""
    code: str
    """What was run."""


MACHINES = (
    "wasm32-unknown-unknown",
    "wasm64-unknown-unknown",
    "x86_64-linux-gnu",
    "i386-linux-gnu",
    "aarch64-linux-gnu",
    "armv7-linux-gnueabihf",
    "arm64-apple-macos",
    "x86_64-pc-windows-msvc",
    "i386-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
)
"""The ABIs, as `wrap_buffer` calls them."""

_heaps = {name: emheap.wrap_buffer(bytearray(_PLACE + MOST_BYTES), abi=name) for name in MACHINES}


class _Declared(NamedTuple):
    """What a declaration came to."""

    names: dict[str, Any]
    kind: type[Struct]
    value: Struct | None
    """What the last line gave; None for zeros."""
    line: str

    @property
    def variable(self) -> str:
        """What the structure is called where fields are set."""
        return self.kind.__name__.lower()


def read(code: str, machine: str, data: str = "") -> Report:
    """Show the structure of a declaration as a machine has it.

    `data` are its bytes in hexadecimal; without them it is what the declaration says. Raises
    ExplorerError.
    """
    declared = _declare(code)
    heap = _heaps[machine]
    given = bytes.fromhex(data) if data else _copied(heap, declared.kind, declared.value)
    _place(heap, declared.kind, given)
    arguments = declared.kind.__name__ + (f", {declared.line}" if declared.value else "")
    return _report(declared, heap, f"{declared.variable} = heap.alloc({arguments})")


def write(code: str, machine: str, data: str, field: str, value: str) -> Report:
    """Show it after a field was set to an expression. Raises ExplorerError."""
    declared = _declare(code)
    heap = _heaps[machine]
    structure = _place(heap, declared.kind, bytes.fromhex(data))
    statement = f"{declared.variable}.{field} = {value}"
    try:
        compiled = compile(statement, "<field>", "exec", dont_inherit=True)
        exec(compiled, {**declared.names, declared.variable: structure})
    except Exception as error:  # noqa: BLE001 - of the visitor's own expression: it is shown
        raise ExplorerError(f"{type(error).__name__}: {error}") from None
    return _report(declared, heap, statement)


def move(code: str, machine: str, data: str, target: str) -> Report:
    """Show it with the same values as another machine has it. Raises ExplorerError."""
    declared = _declare(code)
    here, there = _heaps[machine], _heaps[target]
    original = _place(here, declared.kind, bytes.fromhex(data))
    _place(there, declared.kind, _copied(there, declared.kind, original))
    return _report(declared, there, f"there.alloc({declared.kind.__name__}, {declared.variable})")


def _copied(heap: HeapManager, kind: type[Struct], original: Struct | None) -> bytes:
    """The bytes of a structure like another one in a heap, or of zeros."""
    _check_size(kind, heap.layout(kind).size)
    try:
        with heap.alloc(kind) if original is None else heap.alloc(kind, original) as made:
            return bytes(made)
    except (ValueError, OverflowError, TypeError) as error:
        raise ExplorerError(f"{type(error).__name__}: {error}") from None


def _place(heap: HeapManager, kind: type[Struct], data: bytes) -> Any:
    """The structure with these bytes, in a heap's memory."""
    size = heap.layout(kind).size
    _check_size(kind, size)
    heap.memory.write_bytes(_PLACE, data[:size].ljust(size, b"\0"))
    return heap.wrap(kind, _PLACE)


def _check_size(kind: type[Struct], size: int) -> None:
    if size > MOST_BYTES:
        raise ExplorerError(
            f"{kind.__name__} takes {size:,} bytes; structures of up to {MOST_BYTES} are shown."
        )


def _report(declared: _Declared, heap: HeapManager, code: str) -> Report:
    structure = heap.wrap(declared.kind, _PLACE)
    machines = []
    for name, each in _heaps.items():
        layout = each.layout(declared.kind)
        machines.append(
            Machine(
                name=name,
                title=layout.abi.name,
                byte_size=layout.size,
                alignment=layout.alignment,
            )
        )
    return {
        "name": declared.kind.__name__,
        "machines": machines,
        "bytes": bytes(structure).hex(),
        "parts": parts_of(heap, structure),
        "code": code,
    }


def _declare(code: str) -> _Declared:
    names = _names()
    known = set(names)
    try:
        tree = ast.parse(code, _FILE)
        line = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, _FILE, "exec", dont_inherit=True), names)
        value = _evaluate(line, names) if isinstance(line, ast.Expr) else None
    except SyntaxError as error:
        raise ExplorerError(f"Line {error.lineno}: {error.msg}") from None
    except Exception as error:  # noqa: BLE001 - of the visitor's own code: it is shown
        raise ExplorerError(f"{_line_of(error)}{type(error).__name__}: {error}") from None
    if isinstance(value, Struct):
        assert line is not None
        return _Declared(names, value.kind, value, ast.get_source_segment(code, line) or "")
    if value is None:
        made = [each for name, each in names.items() if name not in known]
        problem = "There is no structure. Declare one, class Point(Struct), with fields below it."
    else:
        made = [value]
        problem = (
            f"The last line gives {type(value).__name__} {value!r:.60}, which is no structure."
        )
    kinds = [each for each in made if isinstance(each, type) and issubclass(each, Struct)]
    if not kinds:
        raise ExplorerError(problem)
    if not kinds[-1]._declaration.named:
        raise ExplorerError(f"{kinds[-1].__name__} has no fields yet.")
    return _Declared(names, kinds[-1], None, "")


def _names() -> dict[str, Any]:
    """What a declaration may use without importing it."""
    public = {name: getattr(emheap, name) for name in emheap.__all__}
    plain = {"enum": enum, "Enum": enum.Enum, "IntFlag": enum.IntFlag}
    return {**public, **plain, "inf": math.inf, "nan": math.nan, "__name__": "__declaration__"}


def _evaluate(line: ast.Expr, names: dict[str, Any]) -> Any:
    return eval(compile(ast.Expression(line.value), _FILE, "eval", dont_inherit=True), names)


def _line_of(error: Exception) -> str:
    """Where in the declaration an error came from."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == _FILE]
    return f"Line {lines[-1]}: " if lines else ""
