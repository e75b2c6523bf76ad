"""Advice about modules and their allocators, followed in wasmtime and in JavaScript."""

from __future__ import annotations

import importlib.util

import pytest

import emheap
from emheap import int32, uint8
from emheap._util.platform import IN_PYODIDE
from emtests.advice.telling import advised
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import open_guest
from emtests.webassembly.strangers import RUST, WASM_BINDGEN, Stranger, open_stranger


@pytest.fixture(autouse=True)
def engine() -> None:
    if not IN_PYODIDE and importlib.util.find_spec("wasmtime") is None:
        skip_for_gap("modules", "wasmtime is not installed here")


@pytest.mark.parametrize(
    ("name", "malloc", "free", "alignment"),
    [
        (RUST, "alloc", "dealloc", ()),
        (WASM_BINDGEN, "__wbindgen_malloc", "__wbindgen_free", (8,)),
    ],
)
def test_functions_of_ones_own_call_an_allocator_as_it_wants_it(
    name: str, malloc: str, free: str, alignment: tuple[int, ...]
) -> None:
    stranger: Stranger = open_stranger(name)
    with advised("pass functions of your own as malloc= and free=, which call them as they want"):
        emheap.wrap_wasm_instance(*stranger.parts, malloc=malloc, free=free)
    sizes: dict[int, int] = {}

    def allocate(size: int) -> int:
        address = stranger.call(malloc, size, *alignment)
        sizes[address] = size
        return address

    def give_back(address: int) -> None:
        stranger.call(free, address, sizes.pop(address), *alignment)

    heap = emheap.wrap_wasm_instance(*stranger.parts, malloc=allocate, free=give_back)
    blocks = [heap.alloc_array(uint8, bytes([size % 251]) * size) for size in (1, 100, 5000)]
    assert [set(block) for block in blocks] == [{1}, {100}, {5000 % 251}]
    heap.close()
    assert not sizes
    if name == RUST:
        assert stranger.call("live") == 0


def test_a_heap_with_an_allocator_stands_beside_one_that_has_none() -> None:
    guest = open_guest("guest32", wrap_only=True)
    with advised("open another with the functions of the module's allocator to have blocks"):
        guest.heap.alloc(int32)
    with guest.open(malloc="malloc", free="free").alloc(int32, 5) as number:
        assert guest.heap.wrap(int32, number.address).value == 5


def test_assemblyscripts_blocks_are_pinned() -> None:
    from emtests.webassembly.strangers import ASSEMBLYSCRIPT

    stranger = open_stranger(ASSEMBLYSCRIPT)
    with advised("pass functions, malloc=lambda size: pin(new(size, 1)), free=unpin"):
        emheap.wrap_wasm_instance(*stranger.parts, malloc="__new", free="__unpin", aligned=True)
    heap = emheap.wrap_wasm_instance(
        *stranger.parts,
        malloc=lambda size: stranger.call("__pin", stranger.call("__new", size, 1)),
        free=lambda address: stranger.call("__unpin", address),
    )
    kept = heap.alloc_array(uint8, b"\7" * 3000)
    for _ in range(100):
        stranger.call("__collect")
        stranger.call("__new", 3000, 1)
    assert set(kept) == {7}
    kept.free()
