"""Which references and pointers fit a parameter that has a type, and from which heap."""

from __future__ import annotations

import array
import ctypes
import gc
import importlib.util
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    BufferInUseError,
    Function,
    HeapManager,
    Library,
    NotAllocatedError,
    NotSupportedError,
    Pointer,
    Struct,
    UseAfterFreeError,
    c,
    field,
    int8,
    int16,
    int32,
    long,
    pointer32,
    pointer64,
    uint8,
    utf8,
    utf16,
)
from emtests.calls.declared import Calls, Structures, Vec
from emtests.calls.ways import Way
from emtests.conftest import skip_for_gap

Compare = Callable[[c.address, c.address], c.int]
kinds: Any = c  # to a checker these are not values


class Holder(Struct):
    at: Pointer[Vec] = field()


def declare(kind: Any) -> type[Any]:
    """A library whose function gives the address that it takes, of one kind."""

    function: Any = Function
    declared = {"same_pointer": function[[kind], c.address]}
    return type("Declared", (Library,), {"__annotations__": declared})


def make(scratch: Arena) -> dict[str, Any]:
    """References of many kinds."""
    vec = scratch.alloc(Vec, x=1, y=2)
    return {
        "int8": scratch.alloc(int8),
        "uint8": scratch.alloc(uint8),
        "int16s": scratch.alloc_array(int16, 2),
        "int32": scratch.alloc(int32),
        "int32s": scratch.alloc_array(int32, 2),
        "long": scratch.alloc(long),
        "text": scratch.alloc(utf8, "text"),
        "wide text": scratch.alloc(utf16, "text"),
        "vec": vec,
        "vecs": scratch.alloc_array(Vec, 2),
        "pointer": scratch.alloc(Pointer[Vec], vec),
        "pointers": scratch.alloc_array(Pointer[Vec], [vec]),
        "other pointer": scratch.alloc(Pointer[int32]),
        "strings": scratch.alloc_strings(utf8, ["a", "bc"]),
        "wide addresses": scratch.alloc_array(pointer64, 2),
        "narrow addresses": scratch.alloc_array(pointer32, 2),
    }


TAKES: tuple[tuple[str, Any, set[str]], ...] = (
    ("int *", kinds.pointer[c.int], {"int32", "int32s", "long of 4"}),
    ("long *", kinds.out[c.long], {"long", "int32 of 4", "int32s of 4"}),
    ("int32 *", kinds.pointer[int32], {"int32", "int32s", "long of 4"}),
    ("int32 *", Pointer[int32], {"int32", "int32s", "long of 4"}),
    ("utf8 *", kinds.pointer[utf8], {"int8", "uint8", "text"}),
    ("utf16 *", kinds.pointer[utf16], {"int16s", "wide text"}),
    ("Vec *", kinds.ref[Vec], {"vec", "vecs"}),
    (
        "Vec * *",
        kinds.pointer[Pointer[Vec]],
        {"pointer", "pointers", "strings", "wide addresses of 8", "narrow addresses of 4"},
    ),
)


@pytest.mark.parametrize(("shown", "kind", "accepted"), TAKES, ids=lambda value: str(value)[:24])
def test_a_parameter_takes_references_to_its_type(
    way: Way, c_heap: HeapManager, shown: str, kind: Any, accepted: set[str]
) -> None:
    same: Any = way.bind(declare(kind), c_heap).same_pointer
    size = way.abi.long_size  # which is that of a pointer on these ABIs
    with c_heap.arena() as scratch:
        for name, ref in make(scratch).items():
            if name in accepted or f"{name} of {size}" in accepted:
                assert same(ref) == ref.address
                assert same(ref) == ref.address  # by the short way
            else:
                with pytest.raises(TypeError, match=r"of same_pointer\(\) \(.* \*\) does not take"):
                    same(ref)
        assert same(None) == 0


def test_what_a_parameter_takes_is_said_in_the_error(way: Way, c_heap: HeapManager) -> None:
    for kind, shown in (
        (kinds.pointer[utf8], "utf8"),
        (kinds.ref[Vec], "Vec"),
        (Pointer[Any], "void"),
    ):
        same: Any = way.bind(declare(kind), c_heap).same_pointer
        with pytest.raises(
            TypeError, match=rf"takes a reference to {shown}, an array of it, a poi"
        ):
            same(1.5)


def test_pointers_are_taken_as_the_references_they_point_to(way: Way, c_heap: HeapManager) -> None:
    same: Any = way.bind(declare(Pointer[Vec]), c_heap).same_pointer
    with c_heap.arena() as scratch:
        vec = scratch.alloc(Vec, x=1, y=2)
        pointer = scratch.alloc(Pointer[Vec], vec).value
        assert same(pointer) == vec.address
        assert same(pointer.cast(Pointer[Any])) == vec.address
        with pytest.raises(
            TypeError, match=r"does not take <Pointer\[int32\] to .*>; use its cast"
        ):
            same(pointer.cast(Pointer[int32]))
        null = scratch.alloc(Pointer[int32]).value
        assert same(null) == 0  # which points to nothing of any type


def test_a_pointer_is_passed_as_text_and_as_bytes(calls: Calls, c_heap: HeapManager) -> None:
    with c_heap.arena() as scratch:
        text = scratch.alloc(utf8, "four")
        data = scratch.alloc_array(uint8, b"HAL")
        assert calls.length(scratch.alloc(Pointer[utf8], text).value) == 4
        pointer = scratch.alloc(Pointer[uint8], data).value
        assert calls.sum_bytes(pointer, 3) == sum(b"HAL")
        calls.add_one(pointer, 3)
        assert bytes(data) == b"IBM"
        calls.add_one(None, 0)


def test_an_address_may_be_a_reference_or_a_pointer(way: Way, c_heap: HeapManager) -> None:
    same: Any = way.bind(declare(c.address), c_heap).same_pointer
    with c_heap.arena() as scratch:
        for ref in make(scratch).values():
            assert same(ref) == same(ref.address) == ref.address
        stored = scratch.alloc(Pointer[Vec], scratch.alloc(Vec, x=1, y=2))
        assert same(stored.value) == stored.value.address
        assert same(ctypes.c_char_p()) == 0
    for wrong in (1.5, "64", None, b"64"):
        with pytest.raises(TypeError, match=r"\(uintptr_t\) takes an int, not"):
            same(wrong)
    with pytest.raises(OverflowError, match="does not fit"):
        same(-16)
    freed = c_heap.alloc(int32)
    freed.free()
    with pytest.raises(UseAfterFreeError):
        same(freed)
    with (
        emheap.wrap_buffer(bytearray(64)).alloc(int32) as elsewhere,
        pytest.raises(NotAllocatedError, match="takes a reference of this library's heap"),
    ):
        same(elsewhere)


@pytest.mark.parametrize("what", ["reference", "pointer"])
def test_what_stands_for_an_address_is_held_for_the_call(
    way: Way, c_heap: HeapManager, what: str
) -> None:
    class ByAddress(Library):
        sum_bytes: Function[[c.address, c.size_t], c.uint]

    class FreesIt:
        def __index__(self) -> int:
            block.free()
            return 3

    library: Any = way.bind(ByAddress, c_heap)
    block = c_heap.alloc_array(uint8, [1, 2, 3])
    with c_heap.alloc(Pointer[uint8], block) as stored:
        given = block if what == "reference" else stored.value
    with pytest.raises(BufferInUseError, match="is not freed"):
        library.sum_bytes(given, FreesIt())
    assert library.sum_bytes(given, 3) == 6
    block.free()
    with pytest.raises(UseAfterFreeError):
        library.sum_bytes(given, 3)


def test_pointers_of_ctypes_mean_what_they_point_to(way: Way, c_heap: HeapManager) -> None:
    # They are bytes-like, and their own bytes were passed.
    with c_heap.alloc_array(uint8, 8) as block:
        try:
            host = c_heap.memory.host_address(block.address)
        except NotSupportedError:
            host = 0
        number = ctypes.c_longlong.from_address(host) if host else ctypes.c_longlong()
        address = ctypes.addressof(number)
        pointers = (
            ctypes.c_void_p(address),
            ctypes.cast(address, ctypes.c_char_p),
            ctypes.cast(address, ctypes.c_wchar_p),
            ctypes.pointer(number),
            ctypes.byref(number),
        )
        for kind in (c.buffer, c.data, c.address):
            same: Any = way.bind(declare(kind), c_heap).same_pointer
            for pointer in pointers:
                if host:
                    assert same(pointer) == block.address
                else:
                    with pytest.raises(TypeError, match="a pointer of this process says nothing"):
                        same(pointer)
    same = way.bind(declare(c.buffer), c_heap).same_pointer
    with pytest.raises(TypeError, match="takes a bytes-like object, a reference, or None, not CF"):
        same(ctypes.CFUNCTYPE(None)())


def test_pointers_of_cffi_mean_what_they_point_to(way: Way, c_heap: HeapManager) -> None:
    if importlib.util.find_spec("cffi") is None:
        skip_for_gap("cffi", "it is not installed here")
    import cffi  # type: ignore[import-untyped]

    ffi: Any = cffi.FFI()
    with c_heap.alloc_array(uint8, 8) as block:
        numbers = ffi.new("int32_t[2]")
        pointer = numbers if way.is_wasm else ffi.cast("int32_t *", block.address)
        for kind in (c.buffer, c.data, c.address):
            same: Any = way.bind(declare(kind), c_heap).same_pointer
            if way.is_wasm:
                with pytest.raises(TypeError, match="a pointer of this process says nothing"):
                    same(pointer)
            else:
                assert same(pointer) == block.address
                assert same(numbers) == int(ffi.cast("intptr_t", numbers))
                assert same(ffi.NULL) == 0


@pytest.mark.parametrize("kind", [c.address, c.buffer, c.data], ids=["address", "buffer", "data"])
def test_what_a_pointer_of_ctypes_keeps_lives_during_the_call(
    way: Way, c_heap: HeapManager, kind: Any
) -> None:
    if way.is_wasm:
        skip_for_gap("pointers of ctypes", "C does not see Python's memory there")
    function: Any = Function
    declared = {"sort": function[[kind, c.size_t, kinds.callback[Compare]], None]}
    library: Any = type("Sorting", (Library,), {"__annotations__": declared})
    sort = way.bind(library, c_heap).sort
    alive: list[bool] = []

    class Numbers(ctypes.c_int32 * 3):  # type: ignore[misc]
        pass

    def compare(a: int, b: int) -> int:
        gc.collect()
        alive.append(weak() is not None)
        return c_heap.read_int32(a) - c_heap.read_int32(b)

    numbers = Numbers(3, 1, 2)
    weak = weakref.ref(numbers)
    pointer = ctypes.byref(numbers)
    given = [pointer]
    del numbers, pointer
    sort(given.pop(), 3, compare)
    assert alive
    assert all(alive)


# Freed


def test_a_freed_reference_after_one_that_was_taken(calls: Calls, c_heap: HeapManager) -> None:
    with c_heap.alloc(int32) as number:
        calls.divide(1, 1, number)
    with pytest.raises(UseAfterFreeError, match="use after free: the int32"):
        calls.divide(1, 1, number)


def test_a_pointer_to_a_block_that_was_freed(way: Way, c_heap: HeapManager) -> None:
    library = way.bind(Structures, c_heap)
    with c_heap.alloc(Holder) as holder:
        vec = c_heap.alloc(Vec, x=1, y=2)
        holder.at = vec
        library.move(holder.at, 1, 1)
        assert vec.to_tuple() == (2, 3)
        vec.free()
        with pytest.raises(UseAfterFreeError, match="use after free: the Vec"):
            library.move(holder.at, 1, 1)


# Heaps


def test_a_further_heap_on_the_same_memory(way: Way, c_heap: HeapManager) -> None:
    library = way.bind(Structures, c_heap)
    # The functions of a module allocate for both; natively it is the C library either way.
    further = HeapManager(c_heap.memory, c_heap.allocator, c_heap.options)
    for other in (further,) if way.is_wasm else (further, way.open_heap()):
        with other.alloc(Vec, x=1, y=2) as vec, other.alloc(Holder, at=vec) as holder:
            library.move(vec, 1, 1)
            library.move(holder.at, 1, 1)
            assert vec.to_tuple() == (3, 4)


def test_a_pointer_of_another_heap(way: Way, c_heap: HeapManager) -> None:
    library = way.bind(Structures, c_heap)
    other = emheap.wrap_buffer(bytearray(256))
    words = "takes a reference of this library's heap, in .*: allocate it on the heap that opened"
    with other.alloc(Vec) as vec, other.alloc(Holder, at=vec) as holder:
        for place in (vec, holder.at):
            with pytest.raises(emheap.NotAllocatedError, match=words):
                library.move(place, 1, 1)


# Arrays of Python's


def test_arrays_of_a_type_of_the_same_size_and_kind(way: Way, c_heap: HeapManager) -> None:
    class Sorting(Library):
        sort: Function[[c.pointer[c.int], c.size_t, c.callback[Compare]], None]

    def compare(a: int, b: int) -> int:
        return c_heap.read_int32(a) - c_heap.read_int32(b)

    library = way.bind(Sorting, c_heap)
    for code in "ilI":
        numbers: Any = array.array(code, [6, 4])
        if code == "i" or (code == "l" and numbers.itemsize == 4):
            library.sort(numbers, 2, compare)
            assert list(numbers) == [4, 6]
        else:
            with pytest.raises(
                TypeError, match=r"\(int \*\) takes a reference to int, an array of"
            ):
                library.sort(numbers, 2, compare)


def test_an_array_that_cannot_be_written_to_stays_as_it_is(calls: Calls) -> None:
    constant = memoryview(array.array("f", [1, 2]).tobytes()).cast("f")
    assert constant.readonly
    calls.scale(constant, 2, 3)
    assert constant.tolist() == [1, 2]
