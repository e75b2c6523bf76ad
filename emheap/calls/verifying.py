"""Holding what a library declares against the type that a module has for a function."""

from __future__ import annotations

__all__ = ["FunctionType", "contradiction", "legalised", "show_type"]

FunctionType = tuple[tuple[str, ...], tuple[str, ...]]
"""The parameters and the results of a function of WebAssembly: i32, i64, f32, f64."""


def show_type(kind: FunctionType) -> str:
    """A function's type as messages show it: ``(i32, i64) -> f64``.

    >>> show_type((("i32",), ()))
    '(i32) -> nothing'
    """
    params, results = kind
    return f"({', '.join(params)}) -> {', '.join(results) or 'nothing'}"


def contradiction(declared: FunctionType, found: FunctionType | None) -> str:
    """Why two types differ, for a message; empty if they do not. None is a type of which nothing
    is known but that it is another one."""
    if declared == found:
        return ""
    if found is None:
        return f"it is declared as {show_type(declared)}, and the module has it otherwise"
    text = f"it is declared as {show_type(declared)}, and the module has {show_type(found)}"
    if legalised(declared) == found:
        return (
            f"{text}: an integer of 64 bits goes as two of 32, as Emscripten has it without "
            "BigInts; link the module with emcc -sWASM_BIGINT"
        )
    return text


def legalised(kind: FunctionType) -> FunctionType:
    """The type that Emscripten makes of one where integers of 64 bits cannot pass to JavaScript.

    >>> legalised((("i64",), ("i64",)))
    (('i32', 'i32'), ('i32',))
    """
    params, results = kind
    halves: list[str] = []
    for one in params:
        halves += ["i32", "i32"] if one == "i64" else [one]
    return tuple(halves), tuple("i32" if one == "i64" else one for one in results)
