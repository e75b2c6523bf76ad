"""Where in the user's program something happened, recorded cheaply and told later.

A site is a code object and the offset of the instruction in it. Both are read off the caller's
frame; the frame itself is not kept, for it would keep every local variable of the caller alive.
The line number is looked up only when a message needs it: computing it at each allocation costs
as much as the allocation.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType

__all__ = ["Site", "caller_site", "current_frame", "describe_site", "shared_offset"]

Site = tuple[CodeType | None, int]
"""A code object and an offset into its bytecode; ``(None, 0)`` where nothing is known."""

current_frame = sys._getframe

_PACKAGE = __name__.rpartition(".")[0]
_offsets: dict[int, int] = {}
shared_offset = _offsets.setdefault
"""``shared_offset(offset, offset)`` gives one int object for each value: CPython shares those up to
256 only, and another one would cost 32 bytes in every live block."""


def caller_site() -> Site:
    """The innermost frame outside this package."""
    frame: FrameType | None = current_frame(1)
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    if frame is None:
        return None, 0
    offset = frame.f_lasti
    return frame.f_code, shared_offset(offset, offset)


def _is_ours(frame: FrameType) -> bool:
    module: str = frame.f_globals.get("__name__", "")
    return module == _PACKAGE or module.startswith(_PACKAGE + ".")


def describe_site(site: Site) -> str:
    """A site as ``file:line in function``."""
    code, offset = site
    if code is None:
        return "an unknown place"
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            line = number
    return f"{code.co_filename}:{line} in {code.co_name}"
