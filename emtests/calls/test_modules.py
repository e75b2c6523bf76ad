"""Libraries in memories of 32 and of 64 bits, in shared ones, and in modules made by Rust."""

from __future__ import annotations

import array
import importlib.util
from typing import Annotated

import pytest

from emheap import (
    Function,
    HeapManager,
    Library,
    NotSupportedError,
    OutOfBoundsError,
    Pointer,
    StringRef,
    Struct,
    c,
    int32,
    int64,
    uint8,
    uint32,
    utf8,
)
from emheap._util.platform import IN_PYODIDE
from emtests.backends.test_strange_allocators import (
    BLAKE3_OF_ABC,
    open_rust,
    open_wasm_bindgen,
)
from emtests.calls.ways import skip_without_big_ints_in
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import GUESTS, MISSING, open_guest
from emtests.webassembly.strangers import RUST, WASM_BINDGEN, open_stranger


class Guest(Library):
    record_size: Function[[], c.uint]
    text_length: Function[[c.string], c.size_t]
    capitalize: Function[[c.buffer], c.size_t]
    sum_float32: Function[[c.pointer[c.float], c.size_t], c.double]
    sum_int64: Function[[c.pointer[c.int64], c.size_t], c.int64]
    add_to_each: Function[[c.pointer[c.int], c.size_t, c.int], None]
    allocate_text: Function[[c.uint], Annotated[StringRef, c.owned("free")] | None]
    page_count: Function[[], c.size_t]


@pytest.fixture(params=GUESTS)
def guest(request: pytest.FixtureRequest) -> HeapManager:
    if MISSING[request.param]:
        skip_for_gap(request.param, MISSING[request.param])
    return open_guest(request.param).heap


def test_strings_buffers_and_arrays(guest: HeapManager) -> None:
    library = guest.library(Guest)
    assert library.text_length("héllo") == 6
    assert library.text_length("x" * 5000) == 5000
    text = bytearray(b"shout\0")
    assert library.capitalize(text) == 5
    assert text == b"SHOUT\0"
    assert library.sum_float32(array.array("f", [0.5, 1, 2]), 3) == 3.5
    with guest.alloc_array(int32, [1, 2, 3]) as numbers:
        library.add_to_each(numbers, len(numbers), -2)
        assert numbers[:] == [-1, 0, 1]
    assert library.page_count() * 65536 == guest.memory.size
    assert guest.total_allocated_byte_size == 0


def test_integers_of_64_bits(guest: HeapManager) -> None:
    skip_without_big_ints_in(IN_PYODIDE)
    library = guest.library(Guest)
    with guest.alloc_array(int64, [2**40, -1, 2**61]) as numbers:
        assert library.sum_int64(numbers, len(numbers)) == 2**40 - 1 + 2**61


def test_an_owned_text(guest: HeapManager) -> None:
    text = guest.library(Guest).allocate_text(5)
    assert text is not None
    assert text.value == "abcde"
    assert text.address == text.address & (1 << 8 * guest.pointer_size) - 1
    text.free()
    assert guest.total_allocated_byte_size == 0


def test_a_size_beyond_the_memorys_words(guest: HeapManager) -> None:
    library = guest.library(Guest)
    with pytest.raises(
        OverflowError, match=r"parameter 2 of sum_float32\(\) \(size_t\) takes 0 to"
    ):
        library.sum_float32(None, 1 << 8 * guest.pointer_size)


def test_a_module_without_a_table_has_no_functions_to_point_to(guest: HeapManager) -> None:
    library = guest.library(Guest)
    with pytest.raises((OutOfBoundsError, NotSupportedError), match=r"table|no function"):
        library.function_at(Function[[], None], 1000)


# Rust


@pytest.fixture
def engine() -> None:
    if not IN_PYODIDE and importlib.util.find_spec("wasmtime") is None:
        skip_for_gap("modules", "wasmtime is not installed here")


class Bytes(Struct):
    """What wasm-bindgen returns for ``Result<Vec<u8>, JsValue>``."""

    data: Pointer[uint8]
    size: uint32
    error: uint32
    failed: uint32


class Blake3(Library):
    blake3_hash: Function[[c.address, c.uint], Bytes]


@pytest.mark.usefixtures("engine")
def test_exports_of_wasm_bindgen() -> None:
    heap = open_wasm_bindgen(open_stranger(WASM_BINDGEN))
    library = heap.library(Blake3)
    for _ in range(100):
        # The function takes the bytes over: Rust frees them.
        taken = heap.alloc_array(uint8, b"abc").detach()
        result = library.blake3_hash(taken, 3)
        assert not result.failed
        with heap.adopt(uint8, result.data.address, result.size) as found:
            assert bytes(found).hex() == BLAKE3_OF_ABC
    assert heap.total_allocated_byte_size == 0


class Allocator(Library):
    alloc: Function[[c.size_t], Pointer[utf8]]
    dealloc: Function[[Pointer[utf8], c.size_t], None]


@pytest.mark.usefixtures("engine")
def test_exports_of_rust() -> None:
    heap = open_rust(open_stranger(RUST))
    library = heap.library(Allocator)
    place = library.alloc(10)
    heap.write(utf8, place.address, "from rust")
    assert place.target == "from rust"
    library.dealloc(place, 10)
