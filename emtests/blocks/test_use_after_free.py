"""Once a block is freed, by whatever path, every use of a reference to it raises."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import ArrayRef, HeapManager, HeapRef, ScalarRef, StringRef, int32, utf8
from emtests.conftest import OpenHeap
from emtests.structures.kinds import Node
from emtests.types.values import SCALARS, WIDE

Use = Callable[[Any], Any]


def setting(name: str, value: Any) -> Use:
    return lambda ref: setattr(ref, name, value)


OF_ALL: dict[str, Use] = {
    "allocated_bytes_view": lambda ref: ref.allocated_bytes_view,
    "js_view": lambda ref: ref.js_view,
    "clear": lambda ref: ref.clear(),
    "bytes()": bytes,
    "with": lambda ref: ref.__enter__(),
    "edit": lambda ref: ref.edit().__enter__(),
}
USES: dict[str, dict[str, Use]] = {
    "scalar": {
        **OF_ALL,
        "value": lambda ref: ref.value,
        "value =": setting("value", 1),
        "value = x": setting("value", "x"),
        "read": lambda ref: ref.read(),
        "write": lambda ref: ref.write(1),
        "atomic": lambda ref: ref.atomic.load(),
        "read_atomic": lambda ref: ref.read_atomic(),
        "write_atomic": lambda ref: ref.write_atomic(1),
    },
    "array": {
        **OF_ALL,
        "[]": lambda ref: ref[0],
        "[-1]": lambda ref: ref[-1],
        "[9]": lambda ref: ref[9],
        "[:]": lambda ref: ref[:],
        "[::2]": lambda ref: ref[::2],
        "[] =": lambda ref: ref.__setitem__(0, 1),
        "[9] =": lambda ref: ref.__setitem__(9, 1),
        "[:] =": lambda ref: ref.__setitem__(slice(None), [1, 2, 3]),
        "[::2] =": lambda ref: ref.__setitem__(slice(None, None, 2), [1, 2]),
        "read_at": lambda ref: ref.read_at(0),
        "write_at": lambda ref: ref.write_at(0, 1),
        "atomic": lambda ref: ref.atomic[0].load(),
        "read_atomic_at": lambda ref: ref.read_atomic_at(0),
        "write_atomic_at": lambda ref: ref.write_atomic_at(0, 1),
        "tolist": lambda ref: ref.tolist(),
        "iter": list,
        "reversed": lambda ref: list(reversed(ref)),
        "in": lambda ref: 1 in ref,
        "index": lambda ref: ref.index(1),
        "count": lambda ref: ref.count(1),
        "==": lambda ref: ref == [0, 0, 0],
        "== itself": lambda ref: ref == ref,
        "view": lambda ref: ref.view,
    },
    "string": {
        **OF_ALL,
        "value": lambda ref: ref.value,
        "value =": setting("value", "a"),
        "read": lambda ref: ref.read(),
        "write": lambda ref: ref.write("a"),
        "str()": str,
        "encoded_element_count": lambda ref: ref.encoded_element_count,
        "encoded_byte_length": lambda ref: ref.encoded_byte_length,
        "encoded_elements_view": lambda ref: ref.encoded_elements_view,
        "encoded_bytes_view": lambda ref: ref.encoded_bytes_view,
    },
}
if sys.version_info >= (3, 12):
    USES["array"]["memoryview()"] = memoryview

STILL_KNOWN = {
    "address",
    "kind",
    "allocated_byte_size",
    "is_freed",
    "is_not_freed",
    "element_count",
    "bytes_per_element",
    "capacity",
}
"""What a reference tells of a block that is gone."""
ELSEWHERE = {"free", "detach", "resize", "numpy"}
"""They have tests of their own."""


def allocate(heap: HeapManager, family: str) -> Any:
    if family == "scalar":
        return heap.alloc(int32, 5)
    return heap.alloc_array(int32, [1, 2, 3]) if family == "array" else heap.alloc(utf8, "abc")


def wrap(heap: HeapManager, family: str, address: int) -> Any:
    if family == "scalar":
        return heap.wrap(int32, address)
    return heap.wrap_array(int32, address, 3) if family == "array" else heap.wrap(utf8, address, 3)


WAYS: dict[str, Callable[[HeapManager, HeapRef[Any]], None]] = {
    "ref.free()": lambda heap, ref: ref.free(),
    "heap.free(ref)": lambda heap, ref: heap.free(ref),
    "heap.free(address)": lambda heap, ref: heap.free(ref.address),
    "free_all": lambda heap, ref: heap.free_all(),
    "with": lambda heap, ref: ref.__exit__(None, None, None),
    "a second reference": lambda heap, ref: heap.allocated_heap_refs[0].free(),
}


@pytest.mark.parametrize("family", USES)
@pytest.mark.parametrize("way", WAYS)
def test_every_use_raises(heap: HeapManager, family: str, way: str) -> None:
    ref = allocate(heap, family)
    wrapped = wrap(heap, family, ref.address)
    assert (ref.is_freed, ref.is_not_freed, wrapped.is_freed) == (False, True, False)
    address, size = ref.address, ref.allocated_byte_size
    WAYS[way](heap, ref)
    for each in (ref, wrapped):
        for name, use in USES[family].items():
            with pytest.raises(emheap.UseAfterFreeError, match=r"^use after free: the "):
                pytest.fail(f"{name} gave {use(each)!r}")
        assert (each.is_freed, each.is_not_freed) == (True, False)
        assert (each.address, each.allocated_byte_size) == (address, size)
        assert "freed" in repr(each)


@pytest.mark.parametrize("scalar", [*SCALARS, *WIDE], ids=lambda kind: kind.name)
def test_a_freed_number_of_every_type_raises(
    heap: HeapManager, scalar: type[emheap.Scalar[Any]]
) -> None:
    ref: Any = heap.alloc(scalar)
    value = ref.value
    ref.free()
    for use in (lambda: ref.value, lambda: setattr(ref, "value", value), lambda: ref.write(value)):
        with pytest.raises(emheap.UseAfterFreeError, match=r"^use after free: the "):
            use()


def test_no_member_is_left_out() -> None:
    for family, made in (("scalar", ScalarRef), ("array", ArrayRef), ("string", StringRef)):
        members = {name for name in dir(made) if not name.startswith("_")}
        left_out = members - {use.split()[0] for use in USES[family]} - STILL_KNOWN - ELSEWHERE
        assert left_out == set()


@pytest.mark.needs("numpy")
def test_no_numpy_array_of_a_freed_block(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, 3)
    ref.free()
    for use in (ref.numpy, lambda: ref.__array_interface__):
        with pytest.raises(emheap.UseAfterFreeError, match="use after free: the int32 array"):
            use()


def test_the_address_of_a_freed_block_may_be_anothers(heap: HeapManager) -> None:
    old = heap.alloc_array(int32, [1, 2, 3])
    address = old.address
    old.free()
    new = heap.alloc_array(int32, [7, 8, 9])
    if new.address == address:
        # Or else this heap does not hand it out again at once, and nothing can be mistaken.
        assert old.is_freed
    with pytest.raises(emheap.UseAfterFreeError):
        old[0] = 55
    with pytest.raises(emheap.UseAfterFreeError):
        old.clear()
    with pytest.raises(emheap.DoubleFreeError):
        old.free()
    with pytest.raises(emheap.DoubleFreeError):
        heap.free(old)
    assert old.is_freed
    assert new.is_not_freed
    assert new.tolist() == [7, 8, 9]
    new.free()


@pytest.mark.needs("prompt reuse")
def test_addresses_are_reused_and_old_references_stay_dead(heap: HeapManager) -> None:
    for allocate_one in (
        lambda: heap.alloc(int32, 5),
        heap.alloc_int32,
        lambda: heap.alloc_array(int32, 3),
        lambda: heap.alloc(utf8, "x"),
    ):
        old: list[Any] = []
        for _ in range(50):
            ref: Any = allocate_one()
            for each in old:
                assert each.is_freed
                with pytest.raises(emheap.DoubleFreeError):
                    each.free()
            assert ref.is_not_freed
            old.append(ref)
            ref.free()
        assert len({each.address for each in old}) < 50
    assert heap.total_allocated_byte_size == 0


def test_a_freed_reference_raises_a_value_error_as_its_view_does(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, [1, 2])
    view = ref.view
    ref.free()
    for freed in (ref, view):
        with pytest.raises(ValueError, match=r"use after free|released"):
            _ = freed[0]


def test_wrapped_references_end_with_the_block_around_them(heap: HeapManager) -> None:
    room = heap.alloc_array(int32, 8)
    inside: list[HeapRef[Any]] = [
        heap.wrap(int32, room.address + 8),
        heap.wrap_array(int32, room.address + 16, 2),
        heap.wrap(utf8, room.address + 28, 3),
    ]
    room.free()
    for ref in inside:
        assert ref.is_freed
        with pytest.raises(
            emheap.UseAfterFreeError,
            match=r"^use after free: .* inside the int32 array of 32 bytes at .*, "
            r"which was freed at .*test_use_after_free.py:\d+ in test_wrapped_references_end",
        ):
            bytes(ref)


@pytest.mark.parametrize("count", [0, 8])
def test_what_is_lent_of_nothing_ends_with_the_block_that_it_lies_on(
    heap: HeapManager, count: int
) -> None:
    room = heap.alloc_array(int32, count)
    empty, view = heap.wrap_array(int32, room.address, 0), heap.view(int32, room.address, 0)
    room.free()
    assert empty.is_freed
    with pytest.raises(emheap.UseAfterFreeError, match=r"^use after free: the int32 array of 0 b"):
        bytes(empty)
    with pytest.raises(ValueError, match="released"):
        view.tolist()


def test_the_block_around_is_told_whatever_was_freed_since(heap: HeapManager) -> None:
    room, beside = heap.alloc_array(int32, 8), heap.alloc_array(int32, 4)
    inside = heap.wrap(int32, room.address + 8)
    room.free()
    beside.free()
    with pytest.raises(emheap.UseAfterFreeError, match="inside the int32 array of 32 bytes at"):
        _ = inside.value


def test_a_wrapped_reference_survives_what_is_freed_beside_it(heap: HeapManager) -> None:
    first, second = heap.alloc_array(int32, 8, align=16), heap.alloc_array(int32, 8, align=16)
    inside = heap.wrap(int32, second.address)
    first.free()
    inside.value = 5
    assert second[0] == 5
    second.free()


@pytest.mark.needs("raw addresses")
def test_what_another_heap_lent_does_not_end_with_the_block(heap: HeapManager) -> None:
    other = HeapManager(heap.memory, heap.allocator, heap.options)
    block = heap.alloc_array(int32, [1, 2])
    number, array = other.wrap(int32, block.address), other.wrap_array(int32, block.address, 2)
    view = other.view(int32, block.address, 2)
    part = view[:1]
    block.free()
    # Where Python allocates there, too, the bytes may be its own by now.
    for lent, size in ((number, 4), (array, 8)):
        assert lent.is_not_freed
        assert len(bytes(lent)) == size
    assert len(view.tolist()) == 2
    part.release()


def test_untracked_references_die_by_their_own_free(open_heap: OpenHeap) -> None:
    heap = open_heap(track_allocations=False)
    for family, uses in USES.items():
        ref = allocate(heap, family)
        assert bytes(ref)
        ref.free()
        for name, use in uses.items():
            with pytest.raises(emheap.UseAfterFreeError, match=r"^use after free: the "):
                pytest.fail(f"{name} gave {use(ref)!r}")
        with pytest.raises(emheap.DoubleFreeError, match=r"^double free: the "):
            ref.free()
        with pytest.raises(emheap.DoubleFreeError, match=r"^double free: the "):
            heap.free(ref)


def test_what_lies_in_a_block_ends_with_it_on_a_heap_without_a_table(open_heap: OpenHeap) -> None:
    heap = open_heap(track_allocations=False)
    block = heap.alloc(Node, id=1)
    parts: list[Any] = [
        heap.wrap(int32, block.address),
        heap.wrap_array(int32, block.address, 2),
        block.field_ref(Node.id),
        block.pos,
        block.label,
    ]
    block.free()
    for part in parts:
        assert part.is_freed, f"{part.kind} outlived its block"
        with pytest.raises(emheap.UseAfterFreeError, match=r"^use after free: the "):
            part.clear()
    number = heap.alloc_int32(1)
    view = heap.view(int32, number.address, 1)
    held = view[:1]
    with pytest.raises(emheap.BufferInUseError, match=r"still in use: a slice or cast of a view"):
        number.free()
    held.release()
    number.free()
