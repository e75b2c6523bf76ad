"""Any sequence of operations, against a model: a dict of bytearrays.

The machine allocates, writes, reads, views, slices and frees, in and out of arenas, by references
and by addresses; after each step every live block holds what the model says, no two blocks
overlap, all are aligned, and the sums are right.
"""

from __future__ import annotations

import os
import struct
from contextlib import ExitStack
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from emheap import Arena, ArrayRef, BufferInUseError, DoubleFreeError, HeapRef, UseAfterFreeError
from emheap.types import int8, int16, int32, int64, uint8, uint32, utf8, utf16, utf32
from emtests.heaps import RUNNING, HeapKind

SCALARS: dict[Any, str] = {int8: "b", uint8: "B", int16: "h", int32: "i", uint32: "I", int64: "q"}
TEXTS: dict[Any, str] = {utf8: "utf-8", utf16: "utf-16-le", utf32: "utf-32-le"}
SCALAR = st.sampled_from(list(SCALARS))
SEED = st.integers(0, 255)
MOST_ELEMENTS = 40
STEPS = 30
EXAMPLES = 200 if os.environ.get("EMHEAP_HYPOTHESIS") == "thorough" else 12


def number(scalar: Any, seed: int) -> int:
    """A number that fits, different for most seeds, up to the limits of the type."""
    limits: tuple[int, int] = (scalar.minimum, scalar.maximum)
    if seed < 2:
        return limits[seed]
    return int(seed * 0x9E3779B97F4A7C15 % (limits[1] // 2 + 1))


class HeapMachine(RuleBasedStateMachine):
    """What a program may do with a heap."""

    refs = Bundle("refs")

    kind: ClassVar[HeapKind]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.heap = self.stack.enter_context(self.kind.open())
        self.blocks: dict[int, tuple[HeapRef[Any], bytearray]] = {}
        """What is live, by address, and the bytes it must have."""
        self.arenas: list[tuple[Arena, list[HeapRef[Any]]]] = []

    def teardown(self) -> None:
        while self.arenas:
            self.close_arena()
        self.heap.free_all()
        assert self.heap.total_allocated_byte_size == 0
        self.blocks.clear()
        self.stack.close()

    @initialize(target=refs, scalar=SCALAR)
    def start(self, scalar: Any) -> Any:
        return self.remember(self.heap.alloc(scalar), bytes(scalar.size))

    def maker(self) -> Any:
        return self.arenas[-1][0] if self.arenas else self.heap

    def remember(self, ref: HeapRef[Any], data: bytes) -> HeapRef[Any]:
        assert ref.address not in self.blocks
        self.blocks[ref.address] = (ref, bytearray(data))
        if self.arenas:
            self.arenas[-1][1].append(ref)
        return ref

    def forget(self, ref: HeapRef[Any]) -> None:
        del self.blocks[ref.address]
        assert ref.is_freed

    def is_live(self, ref: HeapRef[Any]) -> bool:
        return self.blocks.get(ref.address, (None,))[0] is ref

    # Allocating

    @rule(target=refs, scalar=SCALAR, seed=SEED, align=st.sampled_from([None, 1, 16, 64]))
    def allocate_scalar(self, scalar: Any, seed: int, align: int | None) -> Any:
        value = number(scalar, seed)
        if align is None:
            ref = getattr(self.maker(), f"alloc_{scalar.name}")(value)
        else:
            ref = self.maker().alloc(scalar, value, align=align)
            assert ref.address % align == 0
        return self.remember(ref, struct.pack("=" + SCALARS[scalar], value))

    @rule(target=refs, scalar=SCALAR, count=st.integers(0, MOST_ELEMENTS), seed=SEED)
    def allocate_array(self, scalar: Any, count: int, seed: int) -> Any:
        values = [number(scalar, (seed + index) % 256) for index in range(count)]
        ref = self.maker().alloc_array(scalar, values)
        return self.remember(ref, struct.pack(f"={count}{SCALARS[scalar]}", *values))

    @rule(target=refs, scalar=SCALAR, count=st.integers(0, MOST_ELEMENTS))
    def allocate_zeros(self, scalar: Any, count: int) -> Any:
        return self.remember(self.maker().alloc_array(scalar, count), bytes(count * scalar.size))

    @rule(target=refs, text=st.sampled_from(list(TEXTS)), content=st.text("aé€𝄞", max_size=12))
    def allocate_text(self, text: Any, content: str) -> Any:
        data = content.encode(TEXTS[text]) + bytes(text.size)
        return self.remember(self.maker().alloc(text, content), data)

    # Writing and reading

    @rule(ref=refs, index=st.integers(-2, MOST_ELEMENTS), seed=SEED)
    def write_element(self, ref: HeapRef[Any], index: int, seed: int) -> None:
        if not isinstance(ref, ArrayRef) or not self.is_live(ref):
            return
        value = number(ref.kind, seed)
        if not -len(ref) <= index < len(ref):
            with pytest.raises(IndexError, match="is outside the"):
                ref[index] = value
            return
        ref[index] = value
        self.store(ref, index % len(ref), value)

    @rule(ref=refs, seed=SEED)
    def write_raw(self, ref: HeapRef[Any], seed: int) -> None:
        scalar: Any = ref.kind
        if not self.is_live(ref) or scalar in TEXTS or ref.allocated_byte_size < scalar.size:
            return
        value = number(scalar, seed)
        self.heap.write(scalar, ref.address, value)
        assert self.heap.read(scalar, ref.address) == value
        self.store(ref, 0, value)

    @rule(ref=refs, first=st.integers(0, 20), count=st.integers(0, 20), seed=SEED)
    def write_slice(self, ref: HeapRef[Any], first: int, count: int, seed: int) -> None:
        if not isinstance(ref, ArrayRef) or not self.is_live(ref) or first + count > len(ref):
            return
        values = [number(ref.kind, (seed + offset) % 256) for offset in range(count)]
        ref[first : first + count] = values
        for offset, value in enumerate(values):
            self.store(ref, first + offset, value)
        assert ref[first : first + count] == values

    @rule(ref=refs)
    def clear(self, ref: HeapRef[Any]) -> None:
        if self.is_live(ref):
            ref.clear()
            self.blocks[ref.address][1][:] = bytes(ref.allocated_byte_size)

    def store(self, ref: HeapRef[Any], index: int, value: int) -> None:
        code, size = SCALARS[ref.kind], ref.kind.size
        struct.pack_into("=" + code, self.blocks[ref.address][1], index * size, value)

    # Views

    @rule(ref=refs, seed=SEED)
    def write_through_a_view(self, ref: HeapRef[Any], seed: int) -> None:
        if not self.is_live(ref) or not ref.allocated_byte_size:
            return
        view = ref.allocated_bytes_view
        index = seed % len(view)
        view[index] = seed
        self.blocks[ref.address][1][index] = seed
        assert view[index] == seed
        view.release()

    @rule(ref=refs)
    def free_under_a_slice(self, ref: HeapRef[Any]) -> None:
        if not self.is_live(ref) or len(ref.allocated_bytes_view) < 2:
            return
        part = ref.allocated_bytes_view[1:]
        if isinstance(part, memoryview):
            with pytest.raises(BufferInUseError, match="still in use"):
                ref.free()
            assert ref.is_not_freed
            part.release()

    # Freeing

    @rule(ref=consumes(refs), by_address=st.booleans())
    def free(self, ref: HeapRef[Any], by_address: bool) -> None:
        if not self.is_live(ref):
            with pytest.raises(DoubleFreeError):
                ref.free()
            with pytest.raises(UseAfterFreeError):
                bytes(ref)
            return
        if by_address:
            self.heap.free(ref.address)
        else:
            ref.free()
        self.forget(ref)

    @precondition(lambda self: len(self.arenas) < 3)
    @rule()
    def open_arena(self) -> None:
        arena = (self.arenas[-1][0] if self.arenas else self.heap).arena()
        self.arenas.append((arena.__enter__(), []))

    @precondition(lambda self: self.arenas)
    @rule()
    def close_arena(self) -> None:
        arena, refs = self.arenas.pop()
        live = [ref for ref in refs if self.is_live(ref)]
        arena.__exit__(None, None, None)
        for ref in live:
            self.forget(ref)

    @rule(target=refs)
    def find_again(self) -> Any:
        found = {ref.address: ref for ref in self.heap.allocated_heap_refs}
        assert found.keys() == self.blocks.keys()
        assert all(found[address] is ref for address, (ref, _) in self.blocks.items())
        return multiple()

    # What is always true

    @invariant()
    def bytes_are_the_models(self) -> None:
        for ref, expected in self.blocks.values():
            assert bytes(ref) == expected

    @invariant()
    def blocks_do_not_overlap(self) -> None:
        end = 0
        for address in sorted(self.blocks):
            ref, data = self.blocks[address]
            assert address >= end, "two blocks overlap"
            assert address % ref.kind.alignment == 0
            end = address + max(len(data), 1)

    @invariant()
    def sums_are_right(self) -> None:
        sizes = sum(len(data) for _, data in self.blocks.values())
        assert self.heap.total_allocated_byte_size == sizes


@pytest.mark.parametrize("kind", RUNNING, ids=str)
def test_every_sequence_of_operations_agrees_with_the_model(kind: HeapKind) -> None:
    class Machine(HeapMachine):
        pass

    Machine.kind = kind
    run_state_machine_as_test(
        Machine,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None),
    )
