"""Writing small WebAssembly modules, byte by byte: the sections that calls need, and no more."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["function_type", "import_of", "module_of", "section", "unsigned", "vector", "wasm_text"]

_TYPES = {"i32": 0x7F, "i64": 0x7E, "f32": 0x7D, "f64": 0x7C}


def unsigned(number: int) -> bytes:
    """A number in LEB128.

    >>> unsigned(624485).hex()
    'e58e26'
    """
    made = bytearray()
    while True:
        number, low = number >> 7, number & 127
        made.append(low | (128 if number else 0))
        if not number:
            return bytes(made)


def vector(items: Sequence[bytes]) -> bytes:
    """A number of things, one after the other."""
    return unsigned(len(items)) + b"".join(items)


def wasm_text(text: str) -> bytes:
    """A name."""
    data = text.encode()
    return unsigned(len(data)) + data


def section(number: int, body: bytes) -> bytes:
    """A section by its number."""
    return bytes([number]) + unsigned(len(body)) + body


def function_type(params: Sequence[str], results: Sequence[str]) -> bytes:
    """A function's type, of i32, i64, f32 and f64."""
    takes, gives = (vector([bytes([_TYPES[one]]) for one in side]) for side in (params, results))
    return b"\x60" + takes + gives


def import_of(module: str, name: str, kind: bytes) -> bytes:
    """An import; `kind` says of what: ``b"\\0"`` and a type's number for a function."""
    return wasm_text(module) + wasm_text(name) + kind


def module_of(*sections: bytes) -> bytes:
    """A module of its sections, in their order."""
    return b"\0asm\1\0\0\0" + b"".join(sections)
