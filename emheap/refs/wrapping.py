"""Borrowing a number, or a view of several, in one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

from emheap._util.checks import check_aligned, check_count
from emheap._util.platform import HAS_GIL
from emheap._util.pointers import Pinned
from emheap.blocks.block import Layout
from emheap.blocks.table import BlockTable
from emheap.memories.elements import exporter
from emheap.memories.process import ProcessMemory
from emheap.refs import make
from emheap.refs.cells import is_direct
from emheap.refs.classes import wrapping_scalar_ref
from emheap.types import Scalar, WideInteger, uint8

__all__ = ["array_viewer", "scalar_wrapper"]


def scalar_wrapper(table: BlockTable, scalar: type[Scalar[Any]]) -> Callable[[int], Any]:
    """A function ``wrap(address)`` that makes references to numbers that are there already."""

    def wrap_any(address: int) -> Any:
        return make.wrap_scalar(table, scalar, address)

    memory = table.raw_memory
    if not is_direct(memory) or scalar.decodes or not scalar.format:
        return wrap_any
    window: Any = memory.typed_window(scalar.format)  # type: ignore[attr-defined]
    lowest, size = max(memory.lowest_address, 2), scalar.size
    mask, shift = size - 1, size.bit_length() - 1
    end = len(window) * size  # of its whole numbers
    layout = Layout(table, scalar, None, size, borrowed=True)
    loans = table.loans
    entries = loans.entries
    cls, new = wrapping_scalar_ref(scalar), object.__new__

    def wrap(address: int) -> Any:
        try:
            if lowest <= address < end and not address & mask:
                ref = new(cls)
                # With an end the slice would cost a twentieth more.
                elements = ref._elements = window[address >> shift :]
                block = ref._block = elements, address, layout, None, 0
                entries.append(block)
                if len(entries) > loans.most:
                    loans.sweep()
                return ref
        except TypeError:
            pass
        return wrap_any(address)

    return wrap


def array_viewer(table: BlockTable, scalar: type[Scalar[Any]]) -> Callable[[Any, int], Any]:
    """A function ``view(address, count)`` that gives the user a view of what is there."""
    memory, loans, what = table.raw_memory, table.loans, f"view of {scalar.name}"
    unit = uint8 if issubclass(scalar, WideInteger) else scalar
    size = scalar.size

    def view_any(address: int, count: int) -> Any:
        number = check_count(count, "count", size, memory.largest_block)
        with Pinned(address):
            start = memory.check_extent(address, number * size, what)
            check_aligned(start, scalar.alignment, f"a {what}")
            loan = memory.lend(unit, start, number * size // unit.size)
            loans.add(start, number * size, loan, what)
        return loan.view

    if type(memory) is not ProcessMemory or not HAS_GIL or unit is not scalar:
        return view_any
    window: Any = memory.typed_window(scalar.format)
    lowest, mask, shift = memory.lowest_address, size - 1, size.bit_length() - 1
    entries, export = loans.entries, exporter()

    def view(address: int, count: int) -> Any:
        nonlocal window
        if type(address) is int and type(count) is int and count > 0 and address >= lowest:
            first = address >> shift
            elements = window[first : first + count]
            if not address & mask and len(elements) == count:
                made = memoryview(export(elements))
                entries.append((elements, address, WeakReference(made), what))
                if len(entries) > loans.most:
                    loans.sweep()
                return made
            window = memory.typed_window(scalar.format)  # the heap may have grown
        return view_any(address, count)

    return view
