"""A WebAssembly module with a loop that calls one function for each element of arrays."""

from __future__ import annotations

import struct

from emheap._util.wasm_binary import (
    function_type,
    import_of,
    module_of,
    section,
    unsigned,
    vector,
    wasm_text,
)
from emheap.calls.linker import Wire

__all__ = ["loop_module"]

_LOADS = {
    "b": 0x2C, "B": 0x2D, "h": 0x2E, "H": 0x2F, "i": 0x28, "I": 0x28, "q": 0x29, "Q": 0x29,
    "f": 0x2A, "d": 0x2B,
}  # fmt: skip
_STORES = {
    "b": 0x3A, "B": 0x3A, "h": 0x3B, "H": 0x3B, "i": 0x36, "I": 0x36, "q": 0x37, "Q": 0x37,
    "f": 0x38, "d": 0x39,
}  # fmt: skip
_GET, _SET, _CALL, _END = 0x20, 0x21, 0x10, 0x0B
_BLOCK, _LOOP, _BRANCH, _BRANCH_IF, _NO_RESULT = 0x02, 0x03, 0x0C, 0x0D, 0x40
_I32, _ADD, _SUBTRACT, _IS_ZERO = 0x41, 0x6A, 0x6B, 0x45


def loop_module(wire: Wire) -> bytes:
    """A module that imports ``e.f``, of the type of `wire`, and ``e.memory``; its export ``map``
    takes the address of an array for each parameter, one for the results, and the count."""
    addresses = ["i32"] * (len(wire.params) + bool(wire.result) + 1)
    code = unsigned(0) + _loop(wire)
    return module_of(
        section(1, vector([function_type(*wire.wasm()), function_type(addresses, [])])),
        section(
            2,
            vector([import_of("e", "f", b"\0\0"), import_of("e", "memory", b"\2\0\0")]),
        ),
        section(3, vector([unsigned(1)])),
        section(7, vector([wasm_text("map") + b"\0\1"])),
        section(10, vector([unsigned(len(code)) + code])),
    )


def _loop(wire: Wire) -> bytes:
    count = len(wire.params) + bool(wire.result)
    code = bytearray([_BLOCK, _NO_RESULT, _LOOP, _NO_RESULT])
    code += bytes([_GET, count, _IS_ZERO, _BRANCH_IF, 1])
    if wire.result:
        code += bytes([_GET, len(wire.params)])
    for number, letter in enumerate(wire.params):
        code += bytes([_GET, number, _LOADS[letter], 0, 0])
    code += bytes([_CALL, 0])
    if wire.result:
        code += bytes([_STORES[wire.result], 0, 0])
    for number, letter in enumerate([*wire.params, *wire.result]):
        code += bytes([_GET, number, _I32, struct.calcsize(f"={letter}"), _ADD, _SET, number])
    code += bytes([_GET, count, _I32, 1, _SUBTRACT, _SET, count, _BRANCH, 0])
    return bytes([*code, _END, _END, _END])
