"""Bit-fields: every width at every offset, signed and not; and no byte beside them is touched."""

from __future__ import annotations

from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    HeapManager,
    Struct,
    bits,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from emtests.structures.kinds import Node

UNSIGNED = {8: uint8, 16: uint16, 32: uint32, 64: uint64}
SIGNED = {8: int8, 16: int16, 32: int32, 64: int64}


def make(before: int, width: int, kind: Any, pack: int | None) -> Any:
    """A structure with a bit-field of some width after some other bits, between two bytes."""
    notes: dict[str, Any] = {"guard": uint8}
    space: dict[str, Any] = {"__module__": __name__}
    if before:
        notes["before"] = int
        space["before"] = bits(kind, before)
    notes.update(value=int, end=uint8)
    space["value"] = bits(kind, width)
    metaclass: Any = type(Struct)
    return metaclass("Made", (Struct,), {**space, "__annotations__": notes}, pack=pack)


@pytest.mark.parametrize("pack", [None, 1])
@pytest.mark.parametrize("size", [8, 16, 32, 64])
@pytest.mark.parametrize("signed", [False, True])
def test_every_width_and_offset(size: int, signed: bool, pack: int | None) -> None:
    heap = emheap.wrap_buffer(bytearray(4096))
    kind = (SIGNED if signed else UNSIGNED)[size]
    for width in range(1, size + 1, 1 if size < 32 else 3):
        offsets = {0, 1, 3, 7, 8, 9, size - width} if pack is None else set(range(9))
        for before in sorted(offset for offset in offsets if offset <= size):
            check(heap, make(before, width, kind, pack), width, signed)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("pack", [None, 1])
@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_every_width_at_every_offset(size: int, pack: int | None) -> None:
    heap = emheap.wrap_buffer(bytearray(4096))
    for width in range(1, size + 1):
        for before in range(size + 1):
            signed = bool((width + before) % 2)
            kind = (SIGNED if signed else UNSIGNED)[size]
            check(heap, make(before, width, kind, pack), width, signed)


def check(heap: HeapManager, made: Any, width: int, signed: bool) -> None:
    layout = heap.layout(made)
    start, length = layout.placed.bits["value"]
    assert length == width
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    mask = (1 << width) - 1
    with heap.alloc(made) as each, heap.alloc_array(uint8, layout.size) as ones:
        for background in (0, -1 & (1 << 8 * layout.size) - 1):
            for value in {low, high, high // 3, 0}:
                heap.memory.write_bytes(each.address, background.to_bytes(layout.size, "little"))
                each.value = value
                assert each.value == value
                expected = background & ~(mask << start) | (value & mask) << start
                assert int.from_bytes(bytes(each), "little") == expected
        before = bytes(each)
        for wrong in (low - 1, high + 1):
            with pytest.raises(OverflowError, match=r"Made\.value: .* does not fit"):
                each.value = wrong
        assert bytes(each) == before
        assert not any(ones)


@pytest.mark.parametrize("width", [17, 24])
def test_a_store_writes_no_byte_that_has_none_of_the_bits(width: int) -> None:
    """Another thread may be storing to the byte beside it: what is not ours is not written back."""
    buffer = bytearray(256)
    heap = emheap.wrap_buffer(buffer)
    written: list[tuple[int, int]] = []

    class Odd(Struct, pack=1):
        first: uint8
        value: int = bits(uint32, width)
        last: uint8

    layout = heap.layout(Odd)
    assert layout.fields["value"].size == 3
    with heap.alloc(Odd, first=1, value=2, last=3) as odd:
        cells: Any = odd._elements
        write = type(cells).write

        class Watched(type(cells)):  # type: ignore[misc]
            __slots__ = ()

            def write(self, offset: int, data: bytes) -> None:
                written.append((offset, len(data)))
                write(self, offset, data)

        cells.__class__ = Watched
        odd.value = 5
        assert odd.to_tuple() == (1, 5, 3)
        assert written == [(1, 3)]


def test_a_truth_of_several_bits_is_stored_as_one(scratch: Arena) -> None:
    class Loose(Struct):
        before: int = bits(uint8, 2)
        truth: bool = bits(uint8, 3)
        after: int = bits(uint8, 3)

    loose = scratch.alloc(Loose)
    loose.allocated_bytes_view[:] = b"\xff"
    assert loose.truth is True
    loose.truth = True
    assert bytes(loose) == bytes([0b111_001_11])
    loose.truth = False
    assert bytes(loose) == bytes([0b111_000_11])


def test_flags_and_enumerations(heap: HeapManager) -> None:
    with heap.alloc(Node, id=1) as node:
        node.hot = True
        assert node.hot is True
        node.level = -1
        node.hot = False
        assert (node.hot, node.level) == (False, -1)
        heap.memory.write_bytes(node.address + heap.layout(Node).fields["color"].offset, b"\7")
        with pytest.raises(ValueError, match=r"Node\.color holds 7, which is no Color"):
            _ = node.color
        assert "unreadable" in repr(node)
