"""How many edits lie between two texts, by a C library that runs wherever Python does.

>>> distance("kitten", "sitting")
3
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import emheap
from emheap import Function, Library, Pointer, c, utf8

__all__ = ["distance", "nearest"]


class _EditDistance(Library):
    distance: Function[[c.string, c.string], c.int]
    nearest: Function[[c.string, c.pointer[Pointer[utf8]], c.size_t], c.size_t]


_heap = emheap.load_wasm(files(__name__).joinpath("edit_distance.wasm").read_bytes())
_library = _heap.library(_EditDistance)


def distance(a: str, b: str) -> int:
    """The fewest characters to insert, delete or replace that make `b` of `a`."""
    return _library.distance(a, b)


def nearest(text: str, words: Sequence[str]) -> str:
    """The word that is nearest to a text. Raises ValueError if there are none."""
    if not words:
        raise ValueError("nearest() needs at least one word")
    with _heap.arena() as scratch:
        copies = [scratch.alloc(utf8, word) for word in words]
        pointers = scratch.alloc_array(Pointer[utf8], copies)
        return words[_library.nearest(text, pointers, len(words))]
