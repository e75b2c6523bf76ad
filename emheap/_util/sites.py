"""Where in the user's program something happened, recorded cheaply and described later.

A site is a code object and the offset of the instruction in it. Both are read off the caller's
frame; the frame itself is not kept, for it would keep every local variable of the caller alive.
The line number is looked up only when a message needs it: computing it at each allocation costs
as much as the allocation.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType

__all__ = [
    "Origin",
    "Site",
    "caller_site",
    "caller_stack",
    "current_frame",
    "describe_site",
    "shared_offset",
]

Stack = tuple[tuple[CodeType, int], ...]
"""Code objects and offsets of a function, its caller, and so on."""
Origin = CodeType | Stack | None
"""The first half of a site."""
Site = tuple[Origin, int]
"""A code object and an offset into its bytecode; ``(None, 0)`` where nothing is known. A debug heap
has a whole stack in place of the code object, so that both fit the same records."""

current_frame = sys._getframe

_PACKAGE = __name__.partition(".")[0]
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


def caller_stack(depth: int) -> Site:
    """The innermost frame outside this package and its callers, `depth` frames in all."""
    frame: FrameType | None = current_frame(1)
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    stack: list[tuple[CodeType, int]] = []
    while frame is not None and len(stack) < depth:
        stack.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return tuple(stack) or None, 0


def _is_ours(frame: FrameType) -> bool:
    module: str = frame.f_globals.get("__name__", "")
    return module == _PACKAGE or module.startswith(_PACKAGE + ".")


def describe_site(site: Site) -> str:
    """A site as ``file:line in function``, its callers on lines of their own."""
    origin, offset = site
    if origin is None:
        return "an unknown place"
    if isinstance(origin, tuple):
        return "\n    from ".join(_describe_frame(*frame) for frame in origin)
    return _describe_frame(origin, offset)


def _describe_frame(code: CodeType, offset: int) -> str:
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            line = number
    return f"{code.co_filename}:{line} in {code.co_name}"
