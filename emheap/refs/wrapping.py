"""Borrowing a number in one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emheap.blocks.block import Layout
from emheap.blocks.table import BlockTable
from emheap.memories.window import WindowMemory
from emheap.refs import make
from emheap.refs.classes import wrapping_scalar_ref
from emheap.types import Scalar

__all__ = ["scalar_wrapper"]


def scalar_wrapper(table: BlockTable, scalar: type[Scalar[Any]]) -> Callable[[int], Any]:
    """A function ``wrap(address)`` that makes references to numbers that are there already."""

    def wrap_any(address: int) -> Any:
        return make.wrap_scalar(table, scalar, address)

    memory = table.raw_memory
    simple = isinstance(memory, WindowMemory) and memory.stable
    if not simple or scalar.decodes or not scalar.format:
        return wrap_any
    window: Any = memory.typed_window(scalar.format)  # type: ignore[attr-defined]
    lowest, size = max(memory.lowest_address, 2), scalar.size
    mask, shift = size - 1, size.bit_length() - 1
    layout = Layout(table, scalar, None, size, borrowed=True)
    remember = table.loans.add_elements
    cls, new = wrapping_scalar_ref(scalar), object.__new__

    def wrap(address: int) -> Any:
        try:
            if address >= lowest and not address & mask:
                index = address >> shift
                elements = window[index : index + 1]
                if elements:  # not so beyond the window
                    ref = new(cls)
                    ref._elements = elements
                    ref._block = elements, address, layout, None, 0
                    remember(address, size, elements)
                    return ref
        except TypeError:
            pass
        return wrap_any(address)

    return wrap
