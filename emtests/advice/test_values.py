"""Advice about values, types, texts and arrays."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

import emheap
from emheap import (
    Array,
    HeapManager,
    Pointer,
    Struct,
    Union,
    array,
    bits,
    boolean,
    field,
    float64,
    int32,
    uint8,
    uint16,
    uint32,
    utf8,
)
from emtests.advice.telling import advised
from emtests.conftest import OpenHeap, skip_for_gap


@pytest.fixture
def numpy() -> Any:
    if importlib.util.find_spec("numpy") is None:
        skip_for_gap("numpy", "numpy is not installed here")
    import numpy

    return numpy


def test_types_and_texts(heap: Any) -> None:
    with advised("pass the type itself, as in heap.alloc(int32)"):
        wild: Any = int32
        wild(5)
    with advised("expected an emheap type such as int32 or utf8, got 5; the type comes first"):
        heap.alloc(5, int32)
    with advised("got 'int32'; use emheap.int32"):
        heap.alloc("int32", 5)
    with advised("strings are allocated with heap.alloc(utf8, text)"):
        heap.alloc_array(uint8, "text")
    with advised("heap.write_text() stores text without a terminator"):
        heap.alloc(utf8, "a\0b")
    with heap.alloc(int32, 5) as number, heap.alloc(utf8, "text") as text:
        assert (number.value, text.value) == (5, "text")
        heap.write_text(utf8, text, "a\0b")
        assert heap.read_text(utf8, text, 3) == "a\0b"
    with advised("name a byte order, as in text('utf-16-le')"):
        emheap.text("utf-16")
    with heap.alloc(emheap.text("utf-16-le"), "héllo") as wide:
        assert wide.value == "héllo"


def test_bytes_for_a_string(heap: Any) -> None:
    data = "hé".encode()
    with advised(
        "utf8 takes a str, or the number of elements that it is to have room for, not "
        "b'h\\xc3\\xa9'; decode() bytes, or store them as they are by alloc_array(uint8, data)"
    ):
        heap.alloc(utf8, data)
    with heap.alloc(utf8, data.decode()) as text, heap.alloc_array(uint8, data) as stored:
        assert (text.value, bytes(stored)) == ("hé", data)
    with advised("or the number of elements that it is to have room for, not nothing"):
        heap.alloc(utf8)
    with heap.alloc(utf8, 3) as text:
        assert text.capacity == 3


def test_an_array_of_texts(heap: Any) -> None:
    for values in (["a", "bc"], 2):
        with advised(
            "the elements of an array have one size, and texts have not: heap.alloc_strings(utf8, "
            "texts) allocates several, heap.alloc(utf8, text) one, and heap.read_strings(utf8, "
            "address) reads several"
        ):
            heap.alloc_array(utf8, values)
    with heap.alloc_strings(utf8, ["a", "bc"]) as names:
        with advised("heap.read_strings(utf8, address) reads several"):
            heap.wrap_array(utf8, names.address, 2)
        assert heap.read_strings(utf8, names.address) == ["a", "bc"]


def test_what_a_pointer_points_to(heap: Any) -> None:
    class Node(Struct):
        number: int32
        next: Pointer[Node] = field()

    with heap.alloc(Node, number=1) as last, heap.alloc(Node, number=2, next=last) as first:
        with advised("'Pointer' object has no attribute 'number'; the Node that it points to has: "
                     "target.number"):  # fmt: skip
            first.next.number  # noqa: B018
        assert first.next.target.number == 1
        with advised("has no attribute 'size_of_it'") as refused:
            first.next.size_of_it  # noqa: B018
        assert "target" not in str(refused.value)
        with advised("this Pointer[Node] is null: it points to nothing; get() gives None then"):
            last.next.target  # noqa: B018
        assert last.next.get() is None


def test_capacities(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, 16) as room:
        with advised("do not fit the capacity of 3; shorten the text, or give it more room"):
            heap.write_text(utf8, room.address, "five!", 3)
        assert heap.write_text(utf8, room.address, "abc", 3) == 3
        assert heap.write_text(utf8, room.address, "five!", 5) == 5


def test_numbers_of_references(heap: Any) -> None:
    with heap.alloc(int32, 5) as number:
        with advised("use ref.value + ..."):
            _ = number + 1
        assert number.value + 1 == 6
        with advised("size must be given where the place is an address and not a reference"):
            heap.fill(number.address, 7)
        heap.fill(number.address, 7, 4)
        heap.fill(number, 7)
        assert number.value == 0x07070707


def test_options_that_are_misspelt(open_heap: OpenHeap) -> None:
    with advised("did you mean 'enable_garbage_collection'?"):
        open_heap(enable_garbage_colection=True)
    open_heap(enable_garbage_collection=True)


def test_buffers_of_several_dimensions(heap: HeapManager) -> None:
    grid = memoryview(bytes(range(24))).cast("B", (4, 6))
    table: Any = memoryview(b"".join(n.to_bytes(4, "little") for n in range(6))).cast("i", (2, 3))
    with advised("memoryview.cast('B')"):
        heap.alloc_array(uint8, grid)
    with heap.alloc_array(uint8, grid.cast("B")) as copy:
        assert copy[:] == list(range(24))
    with advised("memoryview.cast('B').cast('i') of a memoryview"):
        heap.alloc_array(int32, table)
    with heap.alloc_array(int32, table.cast("B").cast("i")) as copy:
        assert copy[:] == list(range(6))


def test_arrays_of_numpy(heap: HeapManager, numpy: Any) -> None:
    grid = numpy.arange(6, dtype="i4").reshape(2, 3)
    masked = numpy.ma.array([1, 2, 3], mask=[False, True, False])
    with advised("pass array.ravel() of numpy's"):
        heap.alloc_array(int32, grid)
    with advised("pass array.filled(...) or array.compressed()"):
        heap.alloc_array(int32, masked)
    for source in (grid.ravel(), masked.filled(0), masked.compressed()):
        with heap.alloc_array(int32, source) as copy:
            assert copy[:] == source.tolist()


def test_numpy_where_it_shares_nothing(heap: HeapManager, numpy: Any) -> None:
    if heap.memory.zero_copy:
        return
    with heap.alloc_array(int32, [1, 2, 3]) as numbers:
        with advised("work on a copy with array.edit(), which stores it back, or take array[:]"):
            numbers.numpy()
        with numbers.edit() as buffer:
            copy = numpy.asarray(buffer)
            copy *= 2
            del copy
        assert numpy.array(numbers[:]).tolist() == [2, 4, 6]
        view = numbers.view
        with advised("numpy.array(view.tolist(), view.format)", "view[:] = copy"):
            numpy.asarray(view)
        copy = numpy.array(view.tolist(), view.format)
        copy += 1
        view[:] = copy
        assert numbers[:] == [3, 5, 7]


# Declarations of structures


def declare(annotation: Any, given: Any = ..., name: str = "a", **options: Any) -> Any:
    """Declare a structure of one field."""
    space: dict[str, Any] = {"__annotations__": {name: annotation}, "__module__": __name__}
    if given is not ...:
        space[name] = given
    metaclass: Any = type(Struct)
    return metaclass("Declared", (Struct,), space, **options)


DECLARATIONS: dict[str, tuple[tuple[Any, ...], str, tuple[Any, ...]]] = {
    "int": ((int,), "use int32, or another size", (int32,)),
    "float": ((float,), "use float32 or float64", (float64,)),
    "bool": ((bool,), "use boolean, or bits(uint32, 1)", (boolean,)),
    "bool of a bit": ((bool,), "use boolean, or bits(uint32, 1)", (bool, bits(uint32, 1))),
    "str": ((str,), "use Array[utf8] with array(16)", (Array[utf8], array(16))),
    "str elsewhere": ((str,), "or Pointer[utf8]", (Pointer[utf8],)),
    "bytes": ((bytes,), "use Array[uint8] with array(16)", (Array[uint8], array(16))),
    "text": ((utf8,), "Array[utf8] with array(16)", (Array[utf8], array(16))),
    "a length": ((Array[int32],), "say how many elements there are: = array(3)",
                 (Array[int32], array(3))),
    "array of no array": ((int32, array(3)), "array() is for Array[...], as in Array[float32]",
                          (Array[int32], array(3))),
    "a name": ((int32, ..., "address"), "call the field address_", (int32, ..., "address_")),
}  # fmt: skip


@pytest.mark.parametrize("name", DECLARATIONS)
def test_a_declaration(name: str) -> None:
    wrong, text, right = DECLARATIONS[name]
    with advised("Declared.", text):
        declare(*wrong)
    with emheap.wrap_buffer(bytearray(256)) as heap, heap.alloc(declare(*right)) as made:
        assert made.allocated_byte_size


def test_declarations_of_more_than_a_field() -> None:
    with advised("it can have a Pointer[Itself]"):

        class Itself(Struct):
            other: Itself

    class Linked(Struct):
        other: Pointer[Linked]

    with advised("put them in a structure of their own, with no endian"):

        class Flags(Struct, endian="big"):
            ready: bool = bits(uint16, 1)

    class Bits(Struct):
        ready: bool = bits(uint16, 1)

    class Packet(Struct, endian="big"):
        flags: Bits
        size: uint16

    with advised(
        "Row.cells: the elements of an array have the machine's byte order; declare bytes, or each "
        "element as a field"
    ):

        class Row(Struct, endian="big"):
            cells: Array[uint16] = array(2)

    class Cells(Struct, endian="big"):
        first: uint16
        second: uint16

    class Bytes(Struct, endian="big"):
        cells: Array[uint8] = array(4)

    with advised("C has no inheritance. Make it the first field: base: Cells"):

        class Derived(Cells):
            third: uint16

    class Composed(Struct):
        base: Cells
        third: uint16

    with emheap.wrap_buffer(bytearray(4096)).arena() as scratch:
        new: Any = scratch.alloc
        assert new(Composed, base=(1, 2), third=3).base.second == 2
        assert new(Packet, flags={"ready": True}, size=5).flags.ready
        assert new(Linked, other=None).other.get() is None
        assert new(Bytes, cells=b"abcd").cells[1] == ord("b")


# Structures in use


class Mixed(Struct, pack=1):
    kind_: uint8
    size: int32
    at: Array[int32] = array(2)


class Options(Struct):
    level: int32
    speed: int32 = field()


class Either(Union):
    number: emheap.long = field()
    text: Pointer[utf8] = field()


def test_fields_and_columns(open_heap: OpenHeap) -> None:
    heap: Any = open_heap(debug=False)
    with advised("only fields with a default, as in x: int32 = field(), may be left out"):
        heap.alloc(Options, speed=3)
    with heap.alloc(Options, level=2) as options:
        assert options.to_tuple() == (2, 0)
    with advised("align is an option of the class statement", "class Options(Struct, align=16)"):
        heap.alloc_array(Options, 2, align=16)
    with advised(
        "Options has no field 'align'; its alignment is an option of its class statement: class "
        "Options(Struct, align=...)"
    ):
        heap.alloc(Options, level=2, align=16)
    with advised("class Either(Union, align=...)"):
        heap.alloc(Either, number=2, align=16)

    class Aligned(Struct, align=16):
        level: int32

    class Wide(Union, align=16):
        level: int32 = field()

    with heap.alloc_array(Aligned, 2) as aligned, heap.alloc(Wide, level=2) as wide:
        assert aligned[1].address % 16 == wide.address % 16 == 0
    with heap.alloc_array(Mixed, 3) as several:
        several[1].size = 7
        for field_of in (Mixed.size, Mixed.at):
            with advised("the elements one by one"):
                several.column(field_of)
        assert [each.size for each in several] == [0, 7, 0]
        if heap.memory.zero_copy and importlib.util.find_spec("numpy") is not None:
            assert several.numpy()["size"].tolist() == [0, 7, 0]


def test_a_union_between_two_layouts() -> None:
    windows = emheap.wrap_buffer(bytearray(256), abi="x86_64-pc-windows-msvc")
    wasm = emheap.wrap_buffer(bytearray(256))
    here, there = wasm.alloc(Either, number=5), windows.alloc(Either)
    with advised("differs between the two heaps", "store the field"):
        there.write(here)
    there.number = here.number
    assert there.number == 5
    wasm.free_all()
    windows.free_all()


def test_pointers_are_cast_and_exchanged(heap: Any) -> None:
    with heap.alloc(int32, 5) as number, heap.alloc(Pointer[int32], number) as pointer:
        with advised("cast() takes a kind such as Pointer[uint8]"):
            pointer.value.cast(uint8)
        assert pointer.value.cast(Pointer[uint8]).target == 5
        with advised("it has exchange() and compare_exchange()"):
            pointer.atomic.add(1)


@pytest.mark.needs("atomics")
def test_pointers_are_exchanged_at_once(heap: Any) -> None:
    with heap.alloc(int32, 5) as number, heap.alloc(Pointer[int32], number) as pointer:
        assert pointer.atomic.exchange(None).target == 5
        assert pointer.atomic.compare_exchange(None, number).get() is None
        assert pointer.value.target == 5
