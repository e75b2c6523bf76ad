"""What does not return: the error says why, and the library works on."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from typing import Any

import pytest

from emheap import ForeignTrapError, Function, HeapManager, Library, load_wasm
from emtests.calls.declared import Calls, Traps
from emtests.calls.ways import RUNNING, Way

# Natively a trap is a fault of the process.
pytestmark = pytest.mark.parametrize("way", [way for way in RUNNING if way.is_wasm], ids=str)


@pytest.fixture
def traps(way: Way, c_heap: HeapManager, calls: Calls) -> Traps:
    return way.bind(Traps, c_heap)


TRAPS: tuple[tuple[str, Callable[[Any, Any], Any], str], ...] = (
    ("boom", lambda traps, calls: traps.boom(), "unreachable"),
    ("trap_deep", lambda traps, calls: traps.trap_deep(1), "unreachable"),
    ("divide", lambda traps, calls: calls.divide(1, 0, None), "divide.* by zero"),
    ("divide", lambda traps, calls: calls.divide(-(2**31), -1, None), "overflow|unrepresentable"),
    ("load", lambda traps, calls: traps.load(2**32 - 8), "out of bounds"),
    ("recurse", lambda traps, calls: traps.recurse(10**7), "out of bounds|stack"),
    ("apply", lambda traps, calls: calls.apply(None, 0), "null|uninitialized|signature"),
)


@pytest.mark.parametrize(("function", "fail", "reason"), TRAPS, ids=[one[0] for one in TRAPS])
def test_a_trap_is_an_error_and_the_library_works_on(
    traps: Traps, calls: Calls, function: str, fail: Callable[[Any, Any], Any], reason: str
) -> None:
    stack = traps.stack_address()
    with pytest.raises(ForeignTrapError, match=rf"^{function}\(\) did not return: ") as caught:
        fail(traps, calls)
    assert caught.value.function == function
    assert re.search(reason, caught.value.reason)
    assert "the library can be used further" in str(caught.value)
    assert isinstance(caught.value, RuntimeError)
    assert caught.value.__cause__ is not None  # with the names of the functions it went through
    assert traps.stack_address() == stack
    assert calls.add(2, 3) == 5
    assert not calls.is_closed


def test_a_thousand_traps_use_up_no_stack(traps: Traps) -> None:
    stack = traps.stack_address()
    for _ in range(1000):  # the array of each is larger than a thousandth of the stack
        with pytest.raises(ForeignTrapError):
            traps.trap_deep(1)
    assert traps.stack_address() == stack


def test_a_trap_within_a_callback(traps: Traps, calls: Calls) -> None:
    stack = traps.stack_address()
    seen = []

    def trap(value: int) -> int:
        return traps.trap_deep(value)

    with pytest.raises(ForeignTrapError, match=r"trap_deep\(\) did not return"):
        calls.apply_deep(trap, 1)
    assert traps.stack_address() == stack

    def caught(value: int) -> int:
        with pytest.raises(ForeignTrapError):
            traps.trap_deep(value)
        seen.append(calls.add(value, 1))
        return 7

    assert calls.apply_deep(caught, 1) == 7
    assert calls.apply(caught, 1) == 7
    assert seen == [2, 2]
    assert traps.stack_address() == stack
    assert not traps._services.state.pending


def test_a_function_outlives_its_library_and_its_store(way: Way) -> None:
    heap = way.open_heap()
    add = way.bind(Calls, heap).add
    parts = getattr(heap, "_table", None)
    assert parts is not None
    del heap, parts
    gc.collect()
    assert add(2, 3) == 5


NAMED = bytes.fromhex(
    "0061736d01000000 0104016000000305 0400000000050301 0001071803066d65 6d6f727902000473 "
    "746f70000104626f 6f6d00030a130403 00000b040010000b 0300000b04001002 0b0022046e616d65 "
    "011b04000561626f 7274010473746f70 0205636865636b03 04626f6f6d"
)
"""A module whose functions have names: ``stop`` calls ``abort`` and ``boom`` calls ``check``, both
of which are nothing but an unreachable instruction."""


class Ending(Library):
    stop: Function[[], None]
    boom: Function[[], None]


def test_abort_is_told_from_other_traps_by_its_name(way: Way) -> None:
    heap = load_wasm(NAMED, wrap_only=True)
    library = heap.library(Ending)
    with pytest.raises(ForeignTrapError) as caught:
        library.boom()
    assert caught.value.reason == (
        "unreachable code in check(): abort(), a failed assertion, or __builtin_trap()"
    )
    assert "closed" not in repr(library)
    words = (
        r"^stop\(\) did not return: it called abort\(\).*; the library is closed, for its code "
        "cannot go on: load the module again$"
    )
    with pytest.raises(ForeignTrapError, match=words):
        library.stop()
    assert library.is_closed
    again = heap.library(Ending)
    assert again.is_closed
    for closed in (library, again):
        words = (
            r"^boom\(\) was not called: the library is closed since it called abort\(\) in stop.*; "
            "load the module again$"
        )
        with pytest.raises(ForeignTrapError, match=words):
            closed.boom()
    loaded = load_wasm(NAMED, wrap_only=True).library(Ending)
    with pytest.raises(ForeignTrapError, match=r"boom\(\) did not return"):
        loaded.boom()
    assert not loaded.is_closed
