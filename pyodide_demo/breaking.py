"""The mistakes of the page: each is made on a heap, and explained by the heap's own error.

`bare.py` makes the same ones with ctypes alone, which reports nothing.
"""

from __future__ import annotations

import inspect
import re
import textwrap
import traceback
import warnings
from collections.abc import Callable
from typing import NamedTuple, TypedDict

from emheap import HeapError, HeapManager, float32, int32, uint8
from pyodide_demo import bare

Deed = Callable[[HeapManager], str]

_LINES_OF_HEAD = 2
"""The head of a mistake's function, and its docstring."""


class Mistake(NamedTuple):
    """A mistake as the page offers it."""

    title: str
    words: str
    with_emheap: Deed
    with_ctypes: Callable[[], str]


class Account(TypedDict):
    """What came of making a mistake in one way."""

    code: str
    error: str
    """The class of the error; empty where there was none."""
    text: str
    """The error's own text, or what the program found."""
    where: str
    """The line that raised the error, as ``file:line in function``; empty where there was none."""
    lines: dict[str, int]
    """The lines of the code that the error is about, by what happened there."""


def use_after_free(heap: HeapManager) -> str:
    """Read a number after it was freed"""
    first = heap.alloc(int32, 41)
    first.free()
    with heap.alloc(int32, 99):
        return f"the first number is {first.value}"


def double_free(heap: HeapManager) -> str:
    """Free a block whose bytes belong to another one by now"""
    first = heap.alloc(int32, 1)
    first.free()
    with heap.alloc(int32, 2) as second:
        first.free()
        return f"the second number is {second.value}"


def overflow(heap: HeapManager) -> str:
    """Store an element beyond the end of an array"""
    with heap.alloc_array(int32, 4) as scores:
        scores[6] = 13
        return f"element 6 is {scores[6]}"


def out_of_range(heap: HeapManager) -> str:
    """Store 300 in a byte"""
    with heap.alloc(uint8) as level:
        level.value = 300
        return f"the level is {level.value}"


def leak(heap: HeapManager) -> str:
    """Forget a block"""
    with heap.no_leaks():
        heap.alloc_array(float32, 1000)
    return "nothing was said"


MISTAKES = {
    "use-after-free": Mistake(
        "Use after free",
        "A number is freed, its bytes are reused for another one, and then the first is read.",
        use_after_free,
        bare.use_after_free,
    ),
    "double-free": Mistake(
        "Double free",
        "A block is freed twice. By the second time, its bytes belong to another block, which "
        "loses them.",
        double_free,
        bare.double_free,
    ),
    "overflow": Mistake(
        "Overflow",
        "An array has four elements, and a value is stored beyond its end.",
        overflow,
        bare.overflow,
    ),
    "out-of-range": Mistake(
        "Value out of range",
        "A byte can store 0 to 255, and 300 is assigned to it.",
        out_of_range,
        bare.out_of_range,
    ),
    "leak": Mistake(
        "Leak",
        "A block is allocated, and the only reference to it is dropped.",
        leak,
        bare.leak,
    ),
}


def make_with_emheap(heap: HeapManager, name: str) -> Account:
    """Make a mistake on `heap`; what it leaves there is freed afterwards."""
    deed = MISTAKES[name].with_emheap
    before = heap.snapshot()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        error = where = ""
        try:
            said = deed(heap)
        except HeapError as problem:
            error, said, where = type(problem).__name__, str(problem), _line_in(deed, problem)
    for block in before.diff(heap.snapshot()).allocated:
        heap.free(block.address)
    warned = [f"{each.category.__name__}: {each.message}" for each in caught]
    text = "\n\n".join([said, *warned])
    return {
        "code": _source(deed),
        "error": error,
        "text": text,
        "where": where,
        "lines": _lines(deed, f"{text} raised at {where}" if where else text),
    }


def make_with_ctypes(name: str) -> Account:
    """Make a mistake on the same interpreter's C heap, with nothing but ctypes."""
    deed = MISTAKES[name].with_ctypes
    return {"code": _source(deed), "error": "", "text": deed(), "where": "", "lines": {}}


def _line_in(deed: Callable[..., str], problem: HeapError) -> str:
    """The line of a function that an error came through."""
    for frame in traceback.extract_tb(problem.__traceback__):
        if frame.name == deed.__name__:
            return f"{frame.filename}:{frame.lineno} in {frame.name}"
    return ""


def _lines(deed: Callable[..., str], text: str) -> dict[str, int]:
    """The lines of a function's statements, from 1, that a text says something happened at."""
    first = deed.__code__.co_firstlineno + _LINES_OF_HEAD
    places = re.findall(rf"(\w+) at \S+:(\d+) in {deed.__name__}\b", text)
    return {what: int(line) - first + 1 for what, line in places}


def _source(deed: Callable[..., str]) -> str:
    """The statements of a function, without its head and docstring."""
    lines = inspect.getsource(deed).splitlines()
    return textwrap.dedent("\n".join(lines[_LINES_OF_HEAD:]))
