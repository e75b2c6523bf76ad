"""Modules in which a mistake of their linking is mended, one after the other, as errors say.

Each is made with the options of an earlier one and those that the error about that one names.
build.py compiles them, of advice.cpp unless it is said otherwise.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = [
    "CLANG_STEPS",
    "EMCC_SCRIPT_STEPS",
    "EMCC_STEPS",
    "NEWER_CLANG_STEPS",
    "Options",
    "Step",
    "options_of",
    "says",
]

Options = dict[str, str]
"""Options by what is before their ``=``, with the names of a list behind it."""


class Step(NamedTuple):
    """How a module comes of another."""

    before: str
    """The module with the mistake; empty for the first."""
    added: Options
    """What its error says to add."""


EMCC_SCRIPT_STEPS = {
    "emcc_hidden": Step("", {"-sEXPORTED_FUNCTIONS": "_apply,_trap_if", "-sWASM_BIGINT=0": ""}),
    "emcc_shown": Step("emcc_hidden", {"-sEXPORTED_RUNTIME_METHODS": "HEAPU8,wasmMemory"}),
    "emcc_allocating": Step("emcc_shown", {"-sEXPORTED_FUNCTIONS": "_malloc,_free"}),
    "emcc_exporting": Step("emcc_allocating", {"-sEXPORTED_FUNCTIONS": "_twice"}),
    "emcc_whole_integers": Step("emcc_exporting", {"-sWASM_BIGINT": ""}),
    "emcc_table": Step(
        "emcc_whole_integers",
        {"-sALLOW_TABLE_GROWTH": "", "-sEXPORTED_RUNTIME_METHODS": "wasmTable"},
    ),
    "emcc_growing": Step("emcc_table", {"-sALLOW_MEMORY_GROWTH": ""}),
    "emcc_refusing": Step("emcc_table", {"-sABORTING_MALLOC=0": ""}),
    "emcc_saving": Step("emcc_table", {"-sEXPORTED_RUNTIME_METHODS": "stackSave,stackRestore"}),
    # What the errors warn of: a list of its own, which is the last.
    "emcc_second_list": Step("emcc_allocating", {"-sEXPORTED_FUNCTIONS=_twice": ""}),
}
"""Modules of Emscripten's with their JavaScript."""

EMCC_STEPS = {
    "emcc_program": Step("", {"-fwasm-exceptions": "", "-sEXPORTED_FUNCTIONS": (
        "_main,_malloc,_free,_trap_if,_throw_if,_catch_it"
    )}),
    "emcc_library": Step("emcc_program", {"--no-entry": ""}),
    "emcc_exceptions": Step("emcc_library", {"-sWASM_LEGACY_EXCEPTIONS=0": ""}),
    "emcc_stack": Step("emcc_exceptions", {"-Wl,--export=__stack_pointer": ""}),
    "emcc_closed": Step("", {"--no-entry": "", "-sEXPORTED_FUNCTIONS": "_malloc,_free"}),
    "emcc_calling": Step("emcc_closed", {"-Wl,--export=apply": ""}),
    "emcc_calling_back": Step("emcc_calling", {"-sALLOW_TABLE_GROWTH": ""}),
}  # fmt: skip
"""Modules of Emscripten's for any engine, without JavaScript."""

CLANG_STEPS = {
    "clang_program": Step("", {"--target=wasm32-wasi": ""}),
    "clang_library": Step("clang_program", {"-mexec-model=reactor": ""}),
    "clang_exporting": Step("clang_library", {"-Wl,--export=trap_if": ""}),
    "clang_stack": Step(
        "clang_exporting", {"-Wl,--export=__stack_pointer": "", "-mmutable-globals": ""}
    ),
    "clang_malloc": Step("clang_stack", {"-Wl,--export=malloc": ""}),
    "clang_free": Step("clang_malloc", {"-Wl,--export=free": ""}),
    "clang_calling": Step("clang_free", {"-Wl,--export=apply": ""}),
    "clang_table": Step("clang_calling", {"-Wl,--export-table,--growable-table": ""}),
    "clang_import": Step("clang_table", {"-Wl,--import-memory": ""}),
}
"""Modules of clang's with wasi-libc."""

NEWER_CLANG_STEPS = {
    "clang_throwing": Step("", {"--target=wasm32": "", "-fwasm-exceptions": ""}),
    "clang_exceptions": Step("clang_throwing", {"-mllvm -wasm-use-legacy-eh=false": ""}),
}
"""Modules of a newer clang's, with no library at all, made of throwing.cpp."""


def options_of(name: str, steps: dict[str, Step]) -> list[str]:
    """All options that a module is made with, each with what belongs to it."""
    merged: Options = {}
    pending = [name]
    while before := steps[pending[-1]].before:
        pending.append(before)
    for one in reversed(pending):
        for option, names in steps[one].added.items():
            merged[option] = ",".join(filter(None, (merged.get(option), names)))
    return [f"{option}={names}" if names else option for option, names in merged.items()]


def says(message: str, added: Options) -> bool:
    """Whether a message names all these options as they are to be added."""
    return all(
        re.search(rf"{re.escape(_in_words(option, names))}(?![\w=-])", message)
        for option, names in added.items()
    )


def _in_words(option: str, names: str) -> str:
    return f"add {names} to the list of emcc {option}" if names else option
