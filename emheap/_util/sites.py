"""Where in the user's program something happened, recorded cheaply and described later.

A site is a code object and the offset of the instruction in it. Both are read off the caller's
frame; the frame itself is not kept, for it would keep every local variable of the caller alive.
The line number is looked up only when a message needs it: computing it at each allocation costs
as much as the allocation.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from types import CodeType, FrameType

from emheap._util.platform import HAS_GIL

__all__ = [
    "Origin",
    "Site",
    "caller_site",
    "caller_stack",
    "current_frame",
    "describe_site",
    "is_within_elsewhere",
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


# Frames are asked for by number: where there is no memory for one, `f_back` is None and CPython
# raises its MemoryError later, in whatever is called next, be it the taking of a lock.


def caller_site() -> Site:
    """The innermost frame outside this package."""
    number = 1
    try:
        frame = current_frame(1)
        while _is_ours(frame):
            number += 1
            frame = current_frame(number)
    except ValueError:  # there are not so many
        return None, 0
    offset = frame.f_lasti
    return frame.f_code, shared_offset(offset, offset)


def caller_stack(depth: int) -> Site:
    """The innermost frame outside this package and its callers, `depth` frames in all."""
    number = 1
    stack: list[tuple[CodeType, int]] = []
    try:
        while _is_ours(current_frame(number)):
            number += 1
        while len(stack) < depth:
            frame = current_frame(number + len(stack))
            stack.append((frame.f_code, frame.f_lasti))
    except ValueError:
        pass
    return tuple(stack) or None, 0


def _is_ours(frame: FrameType) -> bool:
    module: str = frame.f_globals.get("__name__", "")
    return module == _PACKAGE or module.startswith(_PACKAGE + ".")


def is_within_elsewhere() -> bool:
    """Whether a function of this package is under way in another thread, or in this one but for
    those that led here."""
    own, frames = get_ident(), sys._current_frames()
    # Its own frame has `frames`: without another one in its place, both wait for the collector.
    frames[own] = current_frame(1)
    if not HAS_GIL and len(frames) > 1:
        return True  # perhaps: the frames of a thread that is running must not be looked at
    for thread, innermost in frames.items():
        frame: FrameType | None = innermost
        while thread == own and frame is not None and _is_ours(frame):
            frame = frame.f_back
        while frame is not None and not _is_ours(frame):
            frame = frame.f_back
        if frame is not None:
            return True
    return False


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
