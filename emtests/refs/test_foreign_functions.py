"""References as arguments of foreign functions, and pointers of others as addresses."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import emheap
from emheap import (
    BufferInUseError,
    HeapManager,
    Pointer,
    Scalar,
    float64,
    int32,
    pointer32,
    pointer64,
    uint8,
    utf8,
    utf32,
)
from emheap._util.platform import c_runtime
from emtests.conftest import skip_for_gap
from emtests.threads import need_threads, run_in_threads

PYTHON_HAS_BUFFER_METHODS = sys.version_info >= (3, 12)
pytestmark = pytest.mark.needs("host address")


def strlen(*argument_types: Any) -> Any:
    # An instance of its own, for the types are set on it.
    prototype = ctypes.CFUNCTYPE(ctypes.c_size_t, *(argument_types or (ctypes.c_void_p,)))
    function: Any = prototype(("strlen", c_runtime()))
    if not argument_types:
        function = c_runtime().strlen
    return function


def test_ctypes_takes_a_reference_whatever_the_function_declares(heap: HeapManager) -> None:
    with heap.alloc(utf8, "hello") as text:
        for declared in (
            (),
            (ctypes.c_void_p,),
            (ctypes.c_char_p,),
            (ctypes.POINTER(ctypes.c_char),),
            (ctypes.POINTER(ctypes.c_uint8),),
        ):
            assert strlen(*declared)(text) == 5


def test_ctypes_takes_numbers_and_arrays(heap: HeapManager) -> None:
    pointer = ctypes.POINTER(ctypes.c_double)
    move = ctypes.CFUNCTYPE(ctypes.c_void_p, pointer, ctypes.c_void_p, ctypes.c_size_t)
    memmove: Any = move(("memmove", c_runtime()))
    with heap.alloc_array(float64, [0.5, 1.5]) as array, heap.alloc(float64) as number:
        memmove(number, array, 8)
        assert number.value == 0.5
        wrong = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.POINTER(ctypes.c_int16))
        with pytest.raises(ctypes.ArgumentError, match="expected LP_c_short instance"):
            wrong(("strlen", c_runtime()))(array)


@pytest.mark.parametrize(
    ("scalar", "declared"),
    [(int32, ctypes.c_int32), (uint8, ctypes.c_uint8), (uint8, ctypes.c_char)],
)
def test_a_block_cannot_be_freed_while_a_function_has_it(
    heap: HeapManager, scalar: type[Scalar[int]], declared: Any
) -> None:
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    refused: list[Any] = []

    def by_size(first: Any, second: Any) -> int:
        ends: tuple[Callable[[], Any], ...] = (array.free, partial(array.resize, 100))
        for end in ends:
            with pytest.raises(BufferInUseError, match="a call on its bytes that is under way"):
                end()
            refused.append(end)
        numbers = (ctypes.c_uint8.from_address(each).value for each in (first, second))
        return next(numbers) - next(numbers)

    with heap.alloc_array(scalar, [3, 1, 2]) as array:
        pointer, size = ctypes.POINTER(declared), ctypes.c_size_t
        qsort = ctypes.CFUNCTYPE(None, pointer, size, size, compare)
        qsort(("qsort", c_runtime()))(array, 3, scalar.size, compare(by_size))
        assert array == [1, 2, 3]
        assert refused


def test_another_thread_cannot_free_a_block_while_a_function_has_it(heap: HeapManager) -> None:
    need_threads()
    pointer = ctypes.POINTER(ctypes.c_int32)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, pointer, pointer)
    refused: list[Any] = []

    def free() -> None:
        with pytest.raises(BufferInUseError, match="a call on its bytes that is under way") as each:
            array.free()
        refused.append(each)

    def by_size(first: Any, second: Any) -> int:
        run_in_threads([free])
        return int(first[0] - second[0])

    with heap.alloc_array(int32, [2, 1]) as array:
        qsort = ctypes.CFUNCTYPE(None, pointer, ctypes.c_size_t, ctypes.c_size_t, compare)
        qsort(("qsort", c_runtime()))(array, 2, 4, compare(by_size))
        assert refused
        assert array == [1, 2]


def test_a_borrowed_reference_that_a_function_has_keeps_the_block(heap: HeapManager) -> None:
    block = heap.alloc_array(int32, [1, 2, 3])
    borrowed: Any = heap.wrap_array(int32, block.address, 3)
    given = borrowed._as_parameter_
    words = (
        rf"^the int32 array of 12 bytes at 0x{block.address:x}, .* is not freed: still in use: "
        r"wrapped reference; free it when the call that uses its bytes has returned$"
    )
    with pytest.raises(BufferInUseError, match=words):
        block.free()
    assert block == borrowed == [1, 2, 3]
    del given
    block.free()
    assert borrowed.is_freed


ENDS: dict[str, Callable[[HeapManager, Any], object]] = {
    "free": lambda heap, block: block.free(),
    "resize": lambda heap, block: block.resize(9),
    "detach": lambda heap, block: block.detach(),
    "free by address": lambda heap, block: heap.free(block.address),
    "free by reference": lambda heap, block: heap.free(block),
    "free_all": lambda heap, block: heap.free_all(),
    "close": lambda heap, block: heap.close(),
}


@pytest.mark.parametrize("first", ENDS)
def test_a_block_is_there_however_often_its_end_was_refused(heap: HeapManager, first: str) -> None:
    # The reference itself is not used in between.
    block = heap.alloc_array(int32, [1, 2, 3])
    for second in ENDS:
        borrowed: Any = heap.wrap_array(int32, block.address, 3)
        given = borrowed._as_parameter_
        for end in (first, second, first):
            with pytest.raises(BufferInUseError):
                ENDS[end](heap, block)
        del given
        assert block[:] == [1, 2, 3]
    block[1] = 7
    block.resize(4)
    assert block[:] == [1, 7, 3, 0]
    block.free()
    with pytest.raises(emheap.DoubleFreeError):
        block.free()


def test_an_arena_keeps_a_block_whose_end_was_refused(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        block = scratch.alloc_array(int32, [1, 2, 3])
        borrowed: Any = heap.wrap_array(int32, block.address, 3)
        given = borrowed._as_parameter_
        for _ in range(2):
            with pytest.raises(BufferInUseError):
                heap.free(block.address)
        del given
        scratch.keep(block)
    assert block[:] == [1, 2, 3]
    block.free()


def test_a_freed_reference_is_no_argument(heap: HeapManager) -> None:
    text = heap.alloc(utf8, "hello")
    text.free()
    with pytest.raises(ctypes.ArgumentError, match="UseAfterFreeError: use after free: the utf8"):
        strlen(ctypes.c_char_p)(text)


@pytest.mark.needs("zero copy")
def test_cffi_takes_the_buffer_of_a_reference(heap: HeapManager) -> None:
    if importlib.util.find_spec("cffi") is None:
        skip_for_gap("cffi", "it is not installed here")
    import cffi  # type: ignore[import-untyped]

    ffi: Any = cffi.FFI()
    with heap.alloc_array(int32, [5, 6]) as array:
        given: Any = array if PYTHON_HAS_BUFFER_METHODS else array.view
        numbers = ffi.from_buffer("int32_t[]", given)
        assert list(numbers) == [5, 6]
        with pytest.raises(BufferInUseError):
            array.free()
        ffi.release(numbers)
        view = array.view
        characters = ffi.from_buffer(view)
        assert (ffi.typeof(characters).cname, len(characters)) == ("char[]", 8)
        assert ffi.cast("int32_t *", characters)[1] == 6
        characters[4] = b"\7"
        assert array[1] == 7
        del view
        with pytest.raises(BufferInUseError):
            array.free()
        ffi.release(characters)
        own = ffi.new("int32_t[2]", [7, 8])
        if heap.memory.space is emheap.open().memory.space and not heap.options.debug:
            assert heap.read_int32(own) == 7
            assert heap.wrap_array(int32, ffi.cast("int32_t *", own), 2) == [7, 8]
            function = ffi.callback("int32_t(int32_t)", abs)
            with heap.alloc(pointer64, function) as stored:
                assert stored.value == int(ffi.cast("uintptr_t", function))
        with pytest.raises(TypeError, match="address must be an int"):
            heap.read_int32(ffi.cast("int", 5))


# Addresses and pointers


def test_a_reference_is_an_address(heap: HeapManager) -> None:
    wild: Any = heap
    with heap.alloc_array(int32, [5, 6]) as array, heap.alloc(utf8, "text") as text:
        assert wild.read(int32, array) == wild.read_int32(array) == 5
        wild.write(int32, array, 7)
        wild.write_int32(array, wild.read_int32(array) + 1)
        assert wild.wrap(int32, array).value == 8
        assert wild.wrap_array(int32, array, 2) == [8, 6]
        assert wild.view(int32, array, 2)[1] == 6
        assert wild.read(utf8, text) == wild.read_null_terminated_utf8_string(text) == "text"
        with emheap.wrap_buffer(bytearray(256)) as other:
            wrong: Any = other.alloc(int32)
            with pytest.raises(emheap.NotAllocatedError, match="is a reference of another heap"):
                wild.read_int32(wrong)


def test_a_pointer_takes_a_reference(heap: HeapManager) -> None:
    kind: Any = pointer32 if heap.pointer_size == 4 else pointer64
    with heap.alloc(utf8, "x") as text, heap.alloc_array(int32, 2) as array:
        with heap.alloc_array(kind, [text, 0, array]) as pointers:
            assert pointers == [text.address, 0, array.address]
            pointers[1] = text
            pointers[2:] = [text]
            assert pointers == [text.address] * 3
        with heap.alloc(kind, text) as pointer:
            assert pointer.value == text.address
            pointer.value = array
            heap.write(kind, pointer.address, heap.read(kind, pointer.address))
            assert pointer.value == array.address
            with emheap.wrap_buffer(bytearray(256)) as other:
                foreign: Any = other.alloc(int32)
                with pytest.raises(emheap.NotAllocatedError, match="reference of another heap"):
                    pointer.value = foreign
        gone: Any = heap.alloc(int32)
        gone.free()
        with pytest.raises(emheap.UseAfterFreeError):
            heap.alloc_array(kind, [gone])


def test_pointers_of_ctypes_are_addresses(heap: HeapManager) -> None:
    wild: Any = heap
    with heap.alloc_array(int32, [5, 6]) as array:
        host = heap.memory.host_address(array.address)
        number = ctypes.c_int32.from_address(host)
        for pointer in (
            ctypes.c_void_p(host),
            ctypes.pointer(number),
            ctypes.byref(number),
            ctypes.cast(host, ctypes.c_char_p),
            ctypes.cast(host, ctypes.c_wchar_p),
        ):
            assert wild.read_int32(pointer) == 5
            assert wild.wrap(int32, pointer).address == array.address
            plain: Any = pointer32 if heap.pointer_size == 4 else pointer64
            for kind in (Pointer[int32], plain):
                with wild.alloc(kind, pointer) as stored:
                    assert stored.value in (array, array.address)
                    stored.value = 0
                    stored.value = pointer
                    assert stored.value in (array, array.address)
                    wild.write(kind, stored.address, pointer)
                    assert stored.value in (array, array.address)
                with wild.alloc_array(kind, [pointer, array]) as several:
                    assert several[0] == several[1]
                    several[1] = 0
                    several[1] = pointer
                    assert several[0] == several[1]
        assert wild.read_int32(ctypes.byref(number, 4)) == 6
    for null in (None, ctypes.c_void_p(), ctypes.POINTER(ctypes.c_int32)()):
        with pytest.raises(emheap.NullPointerError, match="null pointer"):
            wild.read_int32(null)
    with pytest.raises(TypeError, match=r"address must be an int, not c_(int|long) c_(int|long)"):
        wild.read_int32(ctypes.c_int32(5))


def test_a_block_is_freed_by_a_pointer_of_ctypes(heap: HeapManager) -> None:
    wild: Any = heap
    array, other = heap.alloc_array(int32, [5, 6]), heap.alloc(int32, 7)
    pointer = ctypes.c_void_p(heap.memory.host_address(array.address))
    wild.free(pointer)
    assert array.is_freed
    assert other.is_not_freed
    with pytest.raises(emheap.DoubleFreeError, match="double free: the int32 array"):
        wild.free(pointer)
    for null in (None, ctypes.c_void_p()):
        with pytest.raises(emheap.NullPointerError, match="null pointer"):
            wild.free(null)
    other.free()


def test_wide_characters(heap: HeapManager) -> None:
    if ctypes.sizeof(ctypes.c_wchar) != 4:
        skip_for_gap("wcslen", "a wchar_t has two bytes here")
    function: Any = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_wchar_p)(("wcslen", c_runtime()))
    with heap.alloc(utf32, "wide") as text:
        assert function(text) == 4


# A reference among numbers


def test_a_number_is_converted_and_not_computed_with(heap: HeapManager) -> None:
    with heap.alloc(int32, 42) as number, heap.alloc(float64, 2.5) as other:
        assert (int(number), float(number), int(other), float(other)) == (42, 42.0, 2, 2.5)
        assert (f"{number:05d}", f"{other:.2f}") == ("00042", "2.50")
        assert f"{number}" == repr(number)
        wild: Any = number
        operations: tuple[Callable[[], Any], ...] = (
            lambda: wild + 1,
            lambda: 1 + wild,
            lambda: wild - wild,
            lambda: wild * 2.5,
            lambda: wild < 50,
        )
        for operation in operations:
            with pytest.raises(
                TypeError, match=r"is a place and no number, so .+ does not apply to it: "
            ):
                operation()
        with pytest.raises(TypeError, match=r"use ref\.value \+"):
            wild += 1
        assert number.value == 42


def test_a_number_and_a_string_are_buffers_where_python_allows_it(heap: HeapManager) -> None:
    with heap.alloc(int32, 42) as number, heap.alloc(utf8, "abc") as text:
        wild: list[Any] = [number, text]
        if not (PYTHON_HAS_BUFFER_METHODS and heap.memory.zero_copy):
            for ref in wild:
                with pytest.raises(
                    TypeError, match=r"a bytes-like object is required|no buffer can share"
                ):
                    memoryview(ref)
            return
        with memoryview(wild[0]) as view:
            assert (view.tolist(), view.format) == ([42], "i")
        with memoryview(wild[1]) as view:
            assert bytes(view) == b"abc\0"


def test_types_of_others_are_named(heap: Any) -> None:
    for kind, meant in (
        (ctypes.c_double, "float64"),
        (float, "float64"),
        (str, "utf8"),
        (ctypes.c_uint8, "uint8"),
    ):
        with pytest.raises(TypeError, match=f"; use emheap.{meant}"):
            heap.alloc_array(kind, 4)
    if importlib.util.find_spec("numpy") is not None:
        import numpy

        with pytest.raises(TypeError, match=r"; use emheap\.float32"):
            heap.alloc_array(numpy.float32, 4)
        with pytest.raises(TypeError, match=r"; use emheap\.int16"):
            heap.alloc_array(numpy.dtype("i2"), 4)
    assert heap.alloc_array(uint8, 1).free() is None
