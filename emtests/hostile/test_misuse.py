"""Misuse: a clean error with a message, and the heap as it was; or a success that is in order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

import emheap
from emheap import Arena, ArrayRef, HeapError, HeapManager, ScalarRef, StringRef
from emheap.heap.flat_names import FLAT_NAMES
from emtests.heaps import HeapKind
from emtests.hostile.cases import bulk_cases, flat_cases, generic_cases, maker_cases, several_cases
from emtests.hostile.parameters import Case, is_left_out
from emtests.hostile.ref_cases import array_ref_cases, scalar_ref_cases, string_ref_cases
from emtests.hostile.victim import Victim

CLEAN = (
    HeapError,
    TypeError,
    ValueError,
    OverflowError,
    IndexError,
    MemoryError,
    AttributeError,  # for an attribute that cannot be set
    LookupError,  # for an error handler that Python does not know
)
"""What a misuse may raise: an error of ours or Python's own for such a mistake."""

FAMILIES: dict[str, Callable[[Victim], Iterable[Case]]] = {
    "flat names": flat_cases,
    "generic verbs": generic_cases,
    "heap allocates": lambda victim: maker_cases(victim, victim.heap),
    "bulk verbs": bulk_cases,
    "several values": several_cases,
    "scalar references": scalar_ref_cases,
    "array references": array_ref_cases,
    "string references": string_ref_cases,
}


@pytest.fixture
def victim(kind: HeapKind) -> Iterator[Victim]:
    with kind.open() as heap, kind.open() as other:
        victim = Victim(heap, other)
        yield victim
        victim.close()


def try_everything(kind: HeapKind, victim: Victim, cases: Iterable[Case]) -> None:
    """Make each call with each argument, and judge what comes of it."""
    protected = kind.can("bounds")
    arguments = victim.arguments()
    for case in cases:
        for name, argument in arguments.items():
            if not is_left_out(case, argument, victim.heap, protected=protected):
                judge(victim, case, name, argument)
        assert victim.is_all_unchanged(), f"{case.name}: the heap changed"


def judge(victim: Victim, case: Case, name: str, argument: Any) -> None:
    what = f"{case.name} with {name}"
    accepted = case.accepts(argument)
    failed, message, result = outcome(case, argument)
    if failed:
        assert message, f"{what}: {failed} without a message"
    else:
        assert accepted, f"{what}: it succeeded"
        if case.callable_name.startswith("alloc"):
            result.free()
        del result
        victim.restore()
    assert victim.is_unchanged(), f"{what}: the heap changed"


def outcome(case: Case, argument: Any) -> tuple[str, str, Any]:
    """The name and the message of an error, or the result.

    Not the error itself: its frames would hold views, and those their blocks.
    """
    try:
        return "", "", case.call(argument)
    except CLEAN as error:
        return type(error).__name__, str(error), None


@pytest.mark.parametrize("family", FAMILIES)
def test_misuse_is_refused_and_changes_nothing(kind: HeapKind, victim: Victim, family: str) -> None:
    try_everything(kind, victim, FAMILIES[family](victim))


def test_misuse_of_an_arena(kind: HeapKind, victim: Victim) -> None:
    with victim.heap.arena() as scratch:
        try_everything(kind, victim, maker_cases(victim, scratch))


def test_misuse_of_a_heap_that_keeps_no_table(kind: HeapKind) -> None:
    with kind.open(track_allocations=False) as heap:
        wild: Any = heap
        number, array = heap.alloc(emheap.int32, 5), heap.alloc_array(emheap.int32, [1, 2])
        for bad in (1.5, "", [], object(), True):
            with pytest.raises(TypeError, match="must be an int, not"):
                wild.free(bad)
        for bad in (None, 0, -1, -(2**31)):
            with pytest.raises(HeapError):
                wild.free(bad)
        assert (number.value, array.tolist()) == (5, [1, 2])
        number.free()
        array.free()


# Nothing public is left out


NO_ARGUMENT = {
    "arena",
    "check_leaks",
    "clear",
    "close",
    "detach",
    "edit",
    "free_all",
    "live",
    "map",
    "no_leaks",
    "numpy",
    "read",
    "read_atomic",
    "snapshot",
    "statistics",
    "verify",
    "tolist",
}
"""What takes nothing that could be wrong. (A detached block is for other code to free.)"""
ELSEWHERE = {"adopt", "keep", "layout", "library"}
"""Tested with the blocks of real programs, the arenas that blocks come from, structures and
libraries."""


def public_callables(owner: type[Any]) -> set[str]:
    names = (name for name in dir(owner) if not name.startswith("_"))
    return {name for name in names if inspect.isroutine(inspect.getattr_static(owner, name))}


@pytest.mark.parametrize("owner", [HeapManager, Arena, ScalarRef, ArrayRef, StringRef])
def test_every_public_callable_is_in_the_table(owner: type[Any]) -> None:
    heap, other = emheap.wrap_buffer(bytearray(1 << 14)), emheap.wrap_buffer(bytearray(1 << 14))
    victim = Victim(heap, other)
    tried = {case.callable_name for family in FAMILIES.values() for case in family(victim)}
    victim.close()
    assert set(FLAT_NAMES) <= tried
    assert public_callables(owner) - tried - NO_ARGUMENT - ELSEWHERE == set()
