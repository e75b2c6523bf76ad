"""Functions that are made of source text."""

from __future__ import annotations

from types import CodeType, FunctionType
from typing import Any

__all__ = ["GENERATED", "make_function"]

GENERATED = "<emheap library>"
"""The file that the frames of such functions name."""
_NESTED = 0x10
"""`inspect.CO_NESTED`, which the dis module documents; importing inspect takes long."""


def make_function(source: str, names: dict[str, Any]) -> FunctionType:
    """The function that a text defines, with `names` for its globals, among which it is not: that
    would be a cycle.

    Running the text would define it at the top level of a module. CPython 3.13 never frees such a
    function, nor what its globals refer to, where there is no interpreter's lock and a thread was
    started before. One that is nested in another function goes with its last reference.
    """
    (code,) = (
        constant
        for constant in compile(source, GENERATED, "exec").co_consts
        if isinstance(constant, CodeType)
    )
    return FunctionType(code.replace(co_flags=code.co_flags | _NESTED), names)
