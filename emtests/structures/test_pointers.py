"""Pointers of their own, in arrays and in fields: each knows the block that it was set to."""

from __future__ import annotations

import copy
import gc
import operator
import pickle
import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

import pytest

import emheap
from emheap import (
    Arena,
    Array,
    HeapManager,
    NotAllocatedError,
    OutOfBoundsError,
    Pointer,
    Struct,
    UseAfterFreeError,
    array,
    field,
    int32,
    pointer32,
    pointer53,
    pointer64,
    uint64,
    utf8,
)
from emheap._util.platform import HAS_GIL
from emheap.types.pointers import pointer_to
from emtests.conftest import skip_where_classes_stay
from emtests.structures.kinds import Vec


class Table(Struct):
    """Pointers in every shape."""

    count: int32 = field()
    row: Array[Pointer[Vec]] = array(3)
    grid: Array[Pointer[Vec]] = array(2, 3)
    back: Pointer[Pointer[Vec]] = field()


class Ends(Struct):
    count: int32 = field()
    rest: Array[Pointer[Vec]] = array()


Places = dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]


def places_of(scratch: Arena, heap: HeapManager) -> Places:
    """Where a pointer can be: for each place what reads it and what stores it."""
    single: Any = scratch.alloc(Pointer[Vec])
    many: Any = scratch.alloc_array(Pointer[Vec], 4)
    table: Any = scratch.alloc(Table)
    ends: Any = scratch.alloc(Ends, rest=[None, None])
    wrapped: Any = heap.wrap(Pointer[Vec], scratch.alloc(Pointer[Vec]).address)
    read, write = heap.read, heap.write
    inner: Any = table.field_ref(heap.layout(Table).fields["back"])
    table.back = many

    return {
        "alloc": (lambda: single.value, lambda value: setattr(single, "value", value)),
        "read and write": (single.read, single.write),
        "an element": (lambda: many[1], lambda value: many.__setitem__(1, value)),
        "the last element": (lambda: many[-1], lambda value: many.write_at(-1, value)),
        "read_at": (lambda: many.read_at(2), lambda value: many.write_at(2, value)),
        "a slice": (
            lambda: many[3:0:-2][1],
            lambda value: many.__setitem__(slice(3, 0, -2), [None, value]),
        ),
        "an array in a structure": (
            lambda: table.row[1],
            lambda value: table.row.__setitem__(1, value),
        ),
        "an array stored whole": (
            lambda: table.row[2],
            lambda value: setattr(table, "row", [None, None, value]),
        ),
        "two dimensions": (
            lambda: table.grid[1, 2],
            lambda value: table.grid.__setitem__((1, 2), value),
        ),
        "the same as one": (
            lambda: table.grid[5],
            lambda value: table.grid.__setitem__((-1, -1), value),
        ),
        "a flexible array": (
            lambda: ends.rest[1],
            lambda value: ends.rest.__setitem__(1, value),
        ),
        "wrapped": (lambda: wrapped.value, lambda value: setattr(wrapped, "value", value)),
        "a pointer to pointers": (
            lambda: table.back[1],
            lambda value: table.back.__setitem__(1, value),
        ),
        "through two ways": (lambda: table.back.array(4)[3], lambda value: many.write_at(3, value)),
        "by address": (
            lambda: read(Pointer[Vec], single.address),
            lambda value: write(Pointer[Vec], single.address, value),
        ),
        "a field's reference": (
            lambda: inner.value.cast(Pointer[Vec]),
            lambda value: setattr(table, "back", value and value.address),
        ),
    }


def test_a_pointer_leads_to_what_was_stored(scratch: Arena, heap: HeapManager) -> None:
    vecs = scratch.alloc_array(Vec, [(1, 2), (3, 4)])
    for name, (read, store) in places_of(scratch, heap).items():
        assert not read() or name == "a field's reference", name
        store(vecs[1])
        assert read().target.to_tuple() == (3, 4), name
        store(None)
        assert read().get() is None, name


def test_a_pointer_to_a_freed_block_raises(scratch: Arena, heap: HeapManager) -> None:
    places = places_of(scratch, heap)
    del places["a field's reference"]  # it was stored as an address, which means no block
    for name, (read, store) in places.items():
        vec = heap.alloc(Vec, x=1, y=2)
        store(vec)
        pointer = read()
        vec.free()
        with heap.alloc(Vec, x=7, y=8) as other:  # at the same address, perhaps
            for found in (pointer, read()):
                with pytest.raises(UseAfterFreeError) as caught:
                    _ = found.target
                assert "the Vec of 8 bytes" in str(caught.value), name
            store(other)
            assert read().target.x == 7, name
            store(other.address)  # as C would
            assert read().target.x == 7, name
            store(None)


def test_what_was_allocated_with_pointers_knows_them(heap: HeapManager) -> None:
    vec, kept = heap.alloc(Vec, x=1, y=2), heap.alloc(Vec, x=3, y=4)
    with (
        heap.alloc(Pointer[Vec], vec) as single,
        heap.alloc_array(Pointer[Vec], [kept, None, vec]) as many,
        heap.alloc(Table, row=[vec, None, kept], grid=[[None, vec, kept], [None] * 3]) as table,
    ):
        many.resize(5)
        vec.free()
        value = table.read()
        for pointer in (single.value, many[2], table.row[0], table.grid[0, 1], value.row[0]):
            with pytest.raises(UseAfterFreeError):
                _ = pointer.target
        for pointer in (many[0], table.row[2], table.grid[0, 2], value.grid[2]):
            assert pointer.target.x == 3
        assert [bool(each) for each in many] == [True, False, True, False, False]
        many.free(free_elements=False)
    kept.free()


class Step(Struct):
    number: int32
    next: Pointer[Step] = field()


def test_an_array_that_is_resized_knows_the_blocks_that_its_pointers_mean(
    heap: HeapManager,
) -> None:
    far = heap.alloc(Step, number=7)
    with heap.alloc_array(Step, [(1, far), (2, None)]) as steps:
        steps[1].next = far
        steps.resize(100)
        assert [step.next.target.number for step in steps[:2]] == [7, 7]
        far.free()
        for step in steps[:2]:
            with pytest.raises(UseAfterFreeError):
                _ = step.next.target


def test_a_freed_structure_forgets_the_blocks_that_its_pointers_meant(heap: HeapManager) -> None:
    """Or the blocks of a long list would hang on each other, and taking the first would take them
    all, one in the middle of the other: in Pyodide 10,000 are too many for the stack."""
    first, second = heap.alloc(Step, number=1), heap.alloc(Step, number=2)
    third, many = heap.alloc(Step, number=3, next=first), heap.alloc_array(Step, [(4, first)])
    second.next = first
    cells: list[Any] = [each._elements for each in (second, third, many)]
    assert all(each.pointees for each in cells)
    heap.free_all()
    # Without the interpreter's lock nothing has a stack as small as Pyodide's.
    assert not any(each.pointees for each in cells) or not HAS_GIL


class Changing:
    """An index that is another one each time."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = iter(numbers)

    def __index__(self) -> int:
        return next(self._numbers)


def test_an_index_is_asked_for_its_number_once(heap: HeapManager) -> None:
    vec = heap.alloc(Vec, x=1, y=2)
    many: Any
    with heap.alloc_array(Pointer[Vec], 4) as many:
        many[Changing(0, 1)] = vec
        many[Changing(2) : Changing(4)] = [None, vec]
        many[Changing(-3, 9)] = vec
        assert many[Changing(0, 9)].target.x == 1
        assert many[Changing(3) :][0].target.x == 1
        assert many[True] == vec
        vec.free()
        for index in (0, 1, 3):
            with pytest.raises(UseAfterFreeError):
                _ = many[index].target
        with pytest.raises(TypeError, match=r"index must be an int, not float 1\.5"):
            _ = many[1.5]


def test_a_pointer_stays_inside_of_the_block_that_it_knows(heap: HeapManager) -> None:
    arrays: tuple[tuple[Any, Any], ...] = (
        (int32, [1, 2, 3]),
        (Vec, [(1, 2), (3, 4), (5, 6)]),
        (Pointer[Vec], [None, None, None]),
    )
    for kind, values in arrays:
        array = heap.alloc_array(kind, values)
        pointer_kind: Any = pointer_to(kind)
        with array, heap.alloc(pointer_kind, array) as place:
            pointer: Any = place.value
            before = bytes(array)
            uses: list[Callable[[], Any]] = [partial(pointer.array, 4)]
            uses.append(partial(pointer.cast(Pointer[Table]).array, 1))
            uses.append(partial(pointer.cast(Pointer[Table]).__getitem__, 0))
            for index in (-1, 3, 1000):
                uses.append(partial(pointer.__getitem__, index))
                uses.append(partial(pointer.__setitem__, index, values[0]))
            for use in uses:
                with pytest.raises(OutOfBoundsError, match=r"array of .* bytes at"):
                    use()
            assert bytes(array) == before
            pointer[2] = values[1]
            assert array[2] == array[1] == pointer[2]
            assert list(pointer.array(3)) == list(array)
            assert len(pointer.array(0)) == 0


def test_a_pointer_is_not_iterated_over_to_the_end_of_the_memory(heap: HeapManager) -> None:
    with heap.alloc_array(int32, [1, 2, 3]) as array, heap.alloc(Pointer[int32], array) as place:
        for pointer in (place.value, heap.read(Pointer[int32], place)):
            wild: Any = pointer
            for iterate in (iter, list, lambda pointer: dict.fromkeys(pointer)):
                with pytest.raises(TypeError, match=r"iterate over pointer\.array\(count\)$"):
                    iterate(wild)
            with pytest.raises(TypeError):  # in Python's own words
                _ = 3 in wild
            with pytest.raises(TypeError):
                _, _, _ = wild
            assert list(pointer.array(3)) == [1, 2, 3]


def test_a_pointer_of_another_block_goes_where_it_is_told(heap: HeapManager) -> None:
    with heap.alloc_array(int32, [1, 2, 3]) as array:
        wrapped = heap.wrap(int32, array.address)
        first: Any
        with heap.alloc(Pointer[int32], wrapped) as first:
            assert first.value[2] == 3
            first.value = array.address + 4  # as C would say it
            again: Any = first.value
            assert again[-1] == 1


def test_pointers_free_what_they_point_to(heap: HeapManager) -> None:
    vecs = [heap.alloc(Vec, x=1, y=2) for _ in range(3)]
    many = heap.alloc_array(Pointer[Vec], [vecs[0], None, vecs[2], vecs[1]])
    many.free(free_elements=True)
    assert all(vec.is_freed for vec in vecs)


def test_a_pointer_that_c_changed_means_what_c_says(heap: HeapManager) -> None:
    vec = heap.alloc(Vec, x=1, y=2)
    with heap.alloc_array(Vec, [(5, 6)]) as other, heap.alloc(Pointer[Vec], vec) as single:
        size = heap.layout(Ends).fields["rest"].kind.of.scalar(heap.memory.abi).size
        heap.memory.write_bytes(single.address, other.address.to_bytes(size, "little"))
        vec.free()
        assert single.value.target.x == 5


@pytest.mark.needs("atomics")
def test_pointers_are_exchanged_in_one_step(heap: HeapManager, scratch: Arena) -> None:
    first, second = heap.alloc(Vec, x=1, y=2), heap.alloc(Vec, x=3, y=4)
    single: Any = scratch.alloc(Pointer[Vec], first)
    many: Any = scratch.alloc_array(Pointer[Vec], [None, first])
    for place in (single.atomic, many.atomic[-1]):
        assert place.load() == first
        assert place.exchange(second).target.x == 1
        assert place.compare_exchange(first, None) == second
        assert place.compare_exchange(second, first).target.x == 3
        place.store(second)
        assert place.load().target.x == 3
        place.store(first)
        with pytest.raises(TypeError, match=r"a pointer has no atomic add; it has exchange\(\)"):
            place.add(8)
        with pytest.raises(TypeError, match="takes a reference, a pointer, an address or None"):
            place.store("x")
    none: Any = scratch.alloc_array(Pointer[Vec], 0)
    for use in (none.atomic[0].load, partial(none.atomic[-1].exchange, None)):
        with pytest.raises(OutOfBoundsError, match="outside the 0 elements"):
            use()
    assert many.atomic[1].compare_exchange(second, None) == first  # which leaves it as it is
    single.write_atomic(second)
    first.free()
    for pointer in (many[1], many.read_atomic_at(1), many.atomic[1].exchange(None)):
        with pytest.raises(UseAfterFreeError):
            _ = pointer.target
    assert single.read_atomic().target.x == 3
    assert not many[1]
    single.value = None
    second.free()


def test_what_is_known_of_pointers_ends_with_them() -> None:
    buffer = bytearray(4096)

    def use_a_heap() -> WeakReference[Any]:
        heap = emheap.wrap_buffer(buffer)
        with heap.arena() as scratch:
            vec: Any = scratch.alloc(Vec)
            kept: list[Any] = [scratch.alloc(Pointer[Vec], vec) for _ in range(10)]
            kept.append(scratch.alloc_array(Pointer[Vec], [vec, vec]))
            assert kept[3].value == kept[10][1] == vec
        return WeakReference(kept[0]._elements)

    elements = use_a_heap()
    gc.collect()
    assert elements() is None


class Board(Struct):
    """An array of structures in two dimensions."""

    size: int32 = field()
    vecs: Array[Vec] = array(2, 3)


def test_structures_in_two_dimensions(scratch: Arena) -> None:
    rows = [[(1, 2), (3, 4), (5, 6)], [Vec(x=7, y=8), {"x": 9, "y": 10}, (11, 12)]]
    board = scratch.alloc(Board, size=6, vecs=rows)
    assert [vec.x for vec in board.vecs] == [1, 3, 5, 7, 9, 11]
    vecs: Any = board.vecs
    assert vecs.shape == (2, 3)
    board.vecs[1, 0].x = 70
    board.vecs[-1, -1] = (0, 1)
    assert board.vecs[3].x == 70
    assert board.vecs[5] == Vec(x=0, y=1)
    board.vecs = [(n, n) for n in range(6)]
    assert board.vecs[1, 2].y == 5
    with pytest.raises(
        ValueError, match=r"Board\.vecs: an array of 6 elements takes as many, not 5"
    ):
        board.vecs = [(n, n) for n in range(5)]
    with pytest.raises(emheap.OutOfBoundsError, match="index 2 is outside of a dimension of 2"):
        _ = board.vecs[2, 0]
    plain: Any = scratch.alloc_array(Vec, 2)
    with pytest.raises(TypeError, match="index must be an int, not tuple"):
        _ = plain[0, 0]


def test_indices_of_two_dimensions(scratch: Arena) -> None:
    table: Any = scratch.alloc(Table)
    assert table.grid.shape == (2, 3)
    with pytest.raises(emheap.OutOfBoundsError, match="index 3 is outside of a dimension of 3"):
        table.grid[0, 3] = None
    with pytest.raises(TypeError, match="an array of 2 dimensions takes as many indices"):
        _ = table.grid[0, 0, 0]
    with pytest.raises(emheap.OutOfBoundsError, match="index 4 is outside the 3 elements"):
        table.row[4] = None
    with pytest.raises(TypeError, match=r"Pointer\[Vec\] cannot point to a Table"):
        table.row[0] = table


def test_a_kind_of_pointers_is_made_once() -> None:
    """A heap keeps what it needs for a kind: a loop that names one must not make new ones."""
    pointer: Any = Pointer
    for kind in (Vec, int32, utf8, None, Any, Pointer[Vec], Pointer[Pointer[int32]]):
        assert pointer[kind] is pointer[kind]
    assert pointer["Vec"] is not pointer["Vec"]  # each is looked up where it is declared
    assert pointer[type(Vec(x=1, y=2))] is pointer[Vec]


def test_a_kind_of_pointers_goes_with_the_structure() -> None:
    skip_where_classes_stay()

    class Local(Struct):
        number: int32

    assert Pointer[Local] is Pointer[Local]
    there = WeakReference(Local)
    del Local
    gc.collect()
    assert there() is None


class Single(Struct):
    to: Pointer[int32]


def test_a_structure_written_over_pointers_says_what_they_mean(heap: HeapManager) -> None:
    old, new = heap.alloc(int32, 7), heap.alloc(int32, 8)
    with heap.alloc_array(Pointer[int32], [old, old]) as row:
        heap.write(Single, row.address, Single(to=None))
        assert row[0].get() is None
        heap.write(Single, row.address, (new,))
        assert [row[0].target, row[1].target] == [8, 7]
        new.free()
        with pytest.raises(UseAfterFreeError):
            _ = row[0].target
        old.free()
        with pytest.raises(UseAfterFreeError):
            _ = row[1].target


def test_a_pointer_to_a_freed_block_is_no_address(heap: HeapManager) -> None:
    block = heap.alloc(Vec)
    pointing: Any = heap.alloc(Pointer[Vec])
    pointing.value = block
    pointer: Any = pointing.value
    assert heap.read(Pointer[Vec], pointing.address) == pointer
    assert operator.index(pointer) == block.address
    block.free()
    next_block = heap.alloc(Vec, x=5, y=6)  # where the pointer points to, most likely
    for use in (
        lambda: operator.index(pointer),
        lambda: heap.wrap(int32, pointer),
        lambda: heap.read(int32, pointer),
        lambda: heap.write(int32, pointer, 7),
        lambda: heap.free(pointer),
        lambda: heap.view(int32, pointer, 1),
    ):
        with pytest.raises(UseAfterFreeError):
            use()
    assert next_block.to_tuple() == (5, 6)
    next_block.free()
    pointing.free()


def test_a_pointer_is_copied_and_not_pickled(heap: HeapManager) -> None:
    with heap.alloc(Table) as table:
        table.back = table.row.address
        pointer = table.back
        assert copy.copy(pointer) is copy.deepcopy(pointer) is pointer
        assert copy.deepcopy([pointer]) == [pointer]
        words = "^a pointer cannot be pickled: it points into this process's memory; take its `add"
        with pytest.raises(TypeError, match=words):
            pickle.dumps(pointer)
        assert pickle.loads(pickle.dumps(pointer.address)) == table.row.address


_STORES: dict[str, Callable[[HeapManager, int, Any], None]] = {
    "a field": lambda heap, at, to: setattr(heap.wrap(Single, at), "to", to),
    "all fields": lambda heap, at, to: heap.wrap(Single, at).write((to,)),
    "an element": lambda heap, at, to: setattr(heap.wrap_array(Single, at, 1)[0], "to", to),
    "a structure": lambda heap, at, to: heap.write(Single, at, (to,)),
    "a pointer": lambda heap, at, to: heap.write(Pointer[int32], at, to),
    "a wrapped pointer": lambda heap, at, to: heap.wrap(Pointer[int32], at).write(to),
    "wrapped pointers": lambda heap, at, to: heap.wrap_array(Pointer[int32], at, 1).write_at(0, to),
}


@pytest.mark.parametrize("store", _STORES.values(), ids=_STORES)
def test_a_block_knows_the_pointers_that_any_reference_stored(
    heap: HeapManager, store: Callable[[HeapManager, int, Any], None]
) -> None:
    size = heap.layout(Single).size
    with heap.alloc_array(Single, 3) as row, heap.alloc_array(uint64, 3) as room:
        for start in (row.address, room.address):
            middle, number = start + size, heap.alloc(int32, 7)
            store(heap, middle, number)
            number.free()
            for found in (heap.wrap(Single, middle), heap.wrap_array(Single, start, 2)[1]):
                with pytest.raises(UseAfterFreeError):
                    _ = found.to.target
            with pytest.raises(UseAfterFreeError):
                _ = heap.read(Single, middle).to.target
            pointers: Any = heap.wrap_array(Pointer[int32], start, 2)
            for pointer in (pointers[1], heap.wrap(Pointer[int32], middle).value):
                with pytest.raises(UseAfterFreeError):
                    _ = pointer.target
        with pytest.raises(UseAfterFreeError):
            _ = row[1].to.target
        store(heap, row[1].address, None)
        assert not row[1].to


@pytest.mark.needs("raw addresses")
def test_what_is_no_block_is_known_to_the_reference_that_stored(heap: HeapManager) -> None:
    """As memory of C's: whoever looks there next may find what C stored meanwhile."""
    address = heap.alloc(Single).detach()
    wrapped = heap.wrap(Single, address)
    stores: tuple[Callable[[Any], None], ...] = (
        lambda to: setattr(wrapped, "to", to),
        lambda to: wrapped.write((to,)),
    )
    for store in stores:
        number = heap.alloc(int32, 7)
        store(number)
        number.free()
        with pytest.raises(UseAfterFreeError):
            _ = wrapped.to.target
        assert heap.wrap(Single, address).to.address == number.address
    heap.adopt(Single, address).free()


def test_a_pointer_equals_no_reference_of_another_heap() -> None:
    ours, other = (emheap.wrap_buffer(bytearray(256), debug=False) for _ in range(2))
    with ours.alloc(Vec) as here, other.alloc(Vec) as there:
        assert here.address == there.address
        with ours.alloc(emheap.Pointer[Vec], here) as pointer:
            assert pointer.value == here
            assert pointer.value != there


class Raw(Struct):
    """Fields of all raw types: aligned, in the other byte order, and several."""

    number: pointer64 = field()
    plain: pointer53 = field()
    short: pointer32 = field()
    swapped: pointer64 = field(endian="big" if sys.byteorder == "little" else "little")
    all: Array[pointer64] = array(2)


class Around(Struct):
    raw: Raw = field()


RAW = ("number", "plain", "short", "swapped")


def test_a_field_of_a_raw_type_takes_references_of_its_own_heap_only(heap: HeapManager) -> None:
    elsewhere: Any = emheap.wrap_buffer(bytearray(4096)).alloc(int32, 5)
    raw: Any = heap.alloc(Raw)
    around: Any = heap.alloc(Around)
    several: Any = heap.alloc_array(Raw, 2)
    untyped: Any = heap
    with heap.alloc(int32, 7) as own:
        for name in RAW if own.address < 1 << 32 else ("number", "plain", "swapped"):
            setattr(raw, name, own)
            assert getattr(raw, name) == own.address
        raw.all = [own, 5]
        assert raw.all[:] == [own.address, 5]
    before = raw.to_tuple()
    for name in RAW:
        values = {name: elsewhere}
        in_order = tuple(elsewhere if one == name else 0 for one in RAW)
        stores: list[Callable[[], Any]] = [
            lambda: setattr(raw, name, elsewhere),  # noqa: B023 (called here)
            lambda: setattr(around.raw, name, elsewhere),  # noqa: B023
            lambda: setattr(several[1], name, elsewhere),  # noqa: B023
            lambda: raw.write((*in_order, [0, 0])),  # noqa: B023
            lambda: setattr(around, "raw", (*in_order, [0, 0])),  # noqa: B023
            lambda: several.__setitem__(0, (*in_order, [0, 0])),  # noqa: B023
            lambda: untyped.alloc(Raw, **values),  # noqa: B023
            lambda: untyped.alloc_array(Raw, [values]),  # noqa: B023
            lambda: untyped.write(Raw, raw.address, values),  # noqa: B023
        ]
        for store in stores:
            with pytest.raises(NotAllocatedError, match=rf"Raw\.{name}: .* of another heap"):
                store()
    for store in (
        lambda: setattr(raw, "all", [0, elsewhere]),
        lambda: untyped.alloc(Raw, all=[elsewhere, 0]),
        lambda: raw.all.__setitem__(0, elsewhere),
    ):
        with pytest.raises(NotAllocatedError, match="of another heap"):
            store()
    assert raw.to_tuple() == before
    elsewhere.free()
    with pytest.raises(UseAfterFreeError, match=r"Raw\.number: use after free"):
        raw.number = own
    for ref in (raw, around, several):
        ref.free()


def test_a_structure_on_no_heap_takes_the_address_of_any_reference(heap: HeapManager) -> None:
    """It may be stored on any heap later."""
    elsewhere: Any = emheap.wrap_buffer(bytearray(4096)).alloc(int32, 5)
    untyped: Any = Raw
    value = untyped(number=elsewhere, plain=elsewhere, all=[elsewhere, 0])
    with heap.alloc(Raw, value) as raw:
        assert raw.number == raw.plain == raw.all[0] == elsewhere.address
    elsewhere.free()
