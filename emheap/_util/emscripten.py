"""What errors say of the options of Emscripten's compiler."""

from __future__ import annotations

__all__ = ["add_to_list"]


def add_to_list(option: str, *names: str) -> str:
    """The advice to add names to an option of emcc that is a list.

    The option must not be given a second time: emcc uses the last list only.

    >>> add_to_list("EXPORTED_FUNCTIONS", "_add")
    'add _add to the list of emcc -sEXPORTED_FUNCTIONS (a second list replaces the first)'
    """
    listed = ",".join(names)
    return f"add {listed} to the list of emcc -s{option} (a second list replaces the first)"
