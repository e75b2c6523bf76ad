"""Traps in a module's malloc and free: the same error in wasmtime and in JavaScript."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from emheap import ForeignTrapError, HeapManager, int32, uint8, utf8
from emheap._util.platform import IN_PYODIDE
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import Guest, open_guest

LARGE = 2000
"""More than a pool keeps, so that freeing calls the module."""


@pytest.fixture
def guest() -> Guest:
    if not IN_PYODIDE and importlib.util.find_spec("wasmtime") is None:
        skip_for_gap("modules", "wasmtime is not installed here")
    return open_guest("calls", wrap_only=True)


def nothing(address: int) -> None:
    """A free that frees nothing."""


def module_error() -> tuple[type[BaseException], ...]:
    """What whatever runs the module raises."""
    if IN_PYODIDE:
        from pyodide.ffi import JsException

        return (JsException,)
    import wasmtime

    return (wasmtime.Trap,)


def check_trap(error: ForeignTrapError, function: str, words: str) -> None:
    assert error.function == function
    assert str(error).startswith(f"the module's {function}(")
    assert words in str(error)
    assert f"), which the heap called, did not return: {error.reason}" in str(error)
    assert isinstance(error.__cause__, module_error())


ALLOCATE: tuple[Callable[[HeapManager], Any], ...] = (
    lambda heap: heap.alloc(int32, 5),
    lambda heap: heap.alloc_int32(5),
    lambda heap: heap.alloc_array(uint8, LARGE),
    lambda heap: heap.alloc(utf8, "text"),
    lambda heap: heap.alloc_strings(utf8, ["a", "b"]),
    lambda heap: heap.arena().alloc(int32),
)


@pytest.mark.parametrize("allocate", ALLOCATE)
def test_a_trap_in_malloc(guest: Guest, allocate: Callable[[HeapManager], Any]) -> None:
    heap = guest.open(malloc="trap_deep", free=nothing)
    with pytest.raises(ForeignTrapError) as caught:
        allocate(heap)
    check_trap(caught.value, "trap_deep", "unreachable")
    assert heap.total_allocated_byte_size == 0
    assert heap.allocated_heap_refs == []


def test_a_trap_in_free(guest: Guest) -> None:
    # As a function pointer, no block's address is one of a function.
    heap = guest.open(malloc="malloc", free="apply_void")
    block = heap.alloc_array(uint8, bytes(range(200)) * 10)
    with pytest.raises(ForeignTrapError) as caught:
        block.free()
    check_trap(caught.value, "apply_void", f"apply_void({block.address})")
    # The block is live still, and nothing was changed.
    assert block[:] == list(range(200)) * 10
    assert heap.total_allocated_byte_size == LARGE
    block.detach()


def test_an_access_out_of_bounds_is_no_want_of_memory(guest: Guest) -> None:
    # It calls itself until its stack of 64 KiB has run over the beginning of the memory.
    heap = guest.open(malloc="recurse", free=nothing)
    with pytest.raises(ForeignTrapError, match="out of bounds") as caught:
        heap.alloc_array(uint8, LARGE * LARGE)
    check_trap(caught.value, "recurse", f"recurse({LARGE * LARGE})")


def test_a_trap_in_a_function_that_calls_the_module(guest: Guest) -> None:
    heap = guest.open(malloc=guest.function("trap_deep"), free=nothing)
    with pytest.raises(ForeignTrapError) as caught:
        heap.alloc_array(uint8, LARGE)
    check_trap(caught.value, "malloc", f"malloc({LARGE})")


def test_an_error_of_the_users_own_function_stays_what_it_is(guest: Guest) -> None:
    def refuse(size: int) -> int:
        raise ConnectionError(f"no {size}")

    heap = guest.open(malloc=refuse, free=nothing)
    with pytest.raises(ConnectionError, match=f"no {LARGE}"):
        heap.alloc_array(uint8, LARGE)
