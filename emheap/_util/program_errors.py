"""Errors that come out of the program's own functions, as a value's ``__index__`` is one.

Some C code hides them: an item of a memoryview puts errors of its own in the place of TypeError,
ValueError and OverflowError, and ``struct`` in that of whatever a ``__float__`` raises, and where
C's long has 32 bits of an OverflowError. The value is asked again then, and what it raises the last
time is the error.
"""

from __future__ import annotations

import sys

__all__ = ["is_programs"]

_EXPLAINED = frozenset((*sys.stdlib_module_names, "emheap", "numpy", "pyodide", "wasmtime"))
"""The packages whose refusals a message of ours may replace. What is written in C has no frame."""


def is_programs(error: BaseException) -> bool:
    """Whether an error comes out of a function of the program's, called below the handler that
    asks. It is then raised as it is: no refusal of ours says it better, and to convert the value
    again would call that function twice."""
    entry = error.__traceback__
    while entry is not None:
        module: str = entry.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] not in _EXPLAINED:
            return True
        entry = entry.tb_next
    return False
