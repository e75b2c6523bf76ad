"""Allocators that want more than a size, or more than one call: Rust's, wasm-bindgen's and
AssemblyScript's, each opened by one line, in wasmtime and in JavaScript."""

from __future__ import annotations

import importlib.util
import random
from typing import Any

import pytest

import emheap
from emheap import (
    FunctionsAllocator,
    HeapManager,
    NotSupportedError,
    PoolAllocator,
    float64,
    int32,
    uint8,
    utf8,
    utf16,
)
from emheap._util.platform import IN_PYODIDE
from emheap.backends.functions import allocator_exports
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import FIXTURES, open_guest
from emtests.webassembly.strangers import (
    ASSEMBLYSCRIPT,
    RUST,
    WASM_BINDGEN,
    Stranger,
    open_stranger,
)

BLAKE3_OF_ABC = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
"""From the examples of BLAKE3's own repository."""


@pytest.fixture(autouse=True)
def engine() -> None:
    if not IN_PYODIDE and importlib.util.find_spec("wasmtime") is None:
        skip_for_gap("modules", "wasmtime is not installed here")


def open_rust(stranger: Stranger, **options: Any) -> HeapManager:
    return emheap.wrap_wasm_instance(
        *stranger.parts, malloc="alloc", free="dealloc", sized_free=True, **options
    )


def open_wasm_bindgen(stranger: Stranger, **options: Any) -> HeapManager:
    return emheap.wrap_wasm_instance(
        *stranger.parts,
        malloc="__wbindgen_malloc",
        free="__wbindgen_free",
        sized_free=True,
        aligned=True,
        **options,
    )


def open_assemblyscript(stranger: Stranger, **options: Any) -> HeapManager:
    exports = stranger.exports
    if IN_PYODIDE:
        new, pin, unpin = (stranger.member(name) for name in ("__new", "__pin", "__unpin"))
        return emheap.wrap_wasm_instance(
            *stranger.parts, malloc=lambda size: pin(new(size, 1)), free=unpin, **options
        )
    store = stranger.parts[0]
    new, pin, unpin = exports["__new"], exports["__pin"], exports["__unpin"]
    return emheap.wrap_wasm_instance(
        *stranger.parts, malloc=lambda size: pin(store, new(store, size, 1)), free=unpin, **options
    )


OPENERS = {
    RUST: open_rust,
    WASM_BINDGEN: open_wasm_bindgen,
    ASSEMBLYSCRIPT: open_assemblyscript,
}


@pytest.fixture(params=OPENERS)
def opened(request: pytest.FixtureRequest) -> tuple[Stranger, HeapManager]:
    stranger = open_stranger(request.param)
    return stranger, OPENERS[request.param](stranger)


def test_blocks_of_all_sizes_live_side_by_side(opened: tuple[Stranger, HeapManager]) -> None:
    _, heap = opened
    numbers = random.Random(6)
    live: list[tuple[Any, bytes]] = []
    for turn in range(1500):
        if live and numbers.random() < 0.48:
            ref, data = live.pop(numbers.randrange(len(live)))
            assert bytes(ref) == data
            ref.free()
        else:
            size = numbers.choice((1, 4, 7, 16, 33, 200, 257, 5000))
            data = bytes([turn % 251]) * size
            live.append((heap.alloc_array(uint8, data, align=numbers.choice((1, 16, 64))), data))
    assert len(live) > 20
    assert all(bytes(ref) == data for ref, data in live)
    heap.free_all()
    with heap.arena() as scratch:
        assert scratch.alloc(float64, 0.5).value == 0.5
        assert scratch.alloc(utf8, "grüße").value == "grüße"


def test_memory_is_given_back(opened: tuple[Stranger, HeapManager]) -> None:
    stranger, heap = opened
    for turn in range(1000):  # 100 MB in all
        with heap.alloc_array(uint8, 100_000) as ref:
            ref[-1] = 5
        if stranger.collects and turn % 50 == 0:
            stranger.call("__collect")
    assert heap.memory.size < 1 << 25


def test_a_pool_is_in_front_where_free_takes_an_address_alone() -> None:
    pooled, alone = [PoolAllocator, FunctionsAllocator], [FunctionsAllocator]
    for heap, expected in (
        (open_guest("guest32", debug=False).heap, pooled),
        (open_assemblyscript(open_stranger(ASSEMBLYSCRIPT), debug=False), pooled),
        (open_rust(open_stranger(RUST), debug=False), alone),
        (open_wasm_bindgen(open_stranger(WASM_BINDGEN), debug=False), alone),
    ):
        allocator: Any = heap.allocator
        found = [type(allocator), type(getattr(allocator, "_allocator", None))]
        assert found[: len(expected)] == expected


# Rust


def test_dealloc_is_told_the_size_that_alloc_was_asked_for() -> None:
    stranger = open_stranger(RUST)
    heap = open_rust(stranger)
    for size in (1, 5, 16, 100, 257, 5000):
        with heap.alloc_array(uint8, size):
            assert stranger.call("live") == size
        assert stranger.call("told") == size
    with heap.alloc_array(int32, [1, 2, 39]) as ref:
        assert stranger.call("sum", ref.address, 3) == 42
        ref.resize(1000)
        assert stranger.call("sum", ref.address, 1000) == 42
    heap.alloc(utf16, "hello", align=64).free()
    assert stranger.call("live") == 0


def test_a_block_changes_hands_with_its_size() -> None:
    stranger = open_stranger(RUST)
    heap = open_rust(stranger)
    address = heap.alloc_array(uint8, 5000).detach()
    stranger.call("dealloc", address, 5000)
    theirs = heap.adopt(uint8, stranger.call("alloc", 77), 77)
    theirs.free()
    assert stranger.call("told") == 77
    assert stranger.call("live") == 0


@pytest.mark.parametrize(
    ("flags", "allocated", "freed"),
    [
        ({}, (100,), (512,)),
        ({"sized_free": True}, (100,), (512, 100)),
        ({"aligned": True}, (100, 8), (512,)),
        ({"sized_free": True, "aligned": True}, (100, 8), (512, 100, 8)),
    ],
)
def test_a_heap_of_functions_passes_what_they_take(
    flags: Any, allocated: tuple[int, ...], freed: tuple[int, ...]
) -> None:
    buffer = bytearray(1024)
    told: list[tuple[int, ...]] = []

    def allocate(*given: int) -> int:
        told.append(given)
        return 512

    heap = emheap.create_wasm_heap_manager(
        lambda: buffer, allocate, lambda *given: told.append(given), **flags
    )
    heap.alloc_array(uint8, 100).free()
    assert told == [allocated, freed]


def test_a_heap_of_a_modules_functions_takes_sizes_too() -> None:
    if not IN_PYODIDE:
        skip_for_gap("a buffer of JavaScript's", "there is no JavaScript in this process")
    stranger = open_stranger(RUST)
    memory = stranger.exports.memory
    functions = stranger.exports.alloc, stranger.exports.dealloc
    heap = emheap.create_wasm_heap_manager(lambda: memory.buffer, *functions, sized_free=True)
    heap.alloc_array(uint8, 100).free()
    assert stranger.call("told") == 100


# wasm-bindgen


def test_wasm_bindgen_reads_what_python_wrote() -> None:
    stranger = open_stranger(WASM_BINDGEN)
    heap = open_wasm_bindgen(stranger)
    result = heap.alloc_array(int32, 4)
    # It takes over the bytes given, and hands out those of the hash: an address and a length.
    given = heap.alloc_array(uint8, b"abc").detach()
    stranger.call("blake3_hash", result.address, given, 3)
    address, length = result[0] % (1 << 32), result[1]
    digest = heap.adopt(uint8, address, length)
    assert bytes(digest).hex() == BLAKE3_OF_ABC
    digest.free()
    result.free()


def test_exports_alone_will_do() -> None:
    stranger = open_stranger(WASM_BINDGEN)
    stranger.parts = (*stranger.parts[:-1], stranger.exports)
    with open_wasm_bindgen(stranger).alloc_array(int32, [1, 2, 3]) as ref:
        assert ref[:] == [1, 2, 3]


# AssemblyScript


def test_assemblyscripts_collector_leaves_blocks_alone() -> None:
    stranger = open_stranger(ASSEMBLYSCRIPT)
    heap = open_assemblyscript(stranger)
    refs = [heap.alloc_array(uint8, bytes([i]) * 1000) for i in range(20)]
    for _ in range(3):
        stranger.call("__collect")
        for _ in range(200):
            stranger.call("__new", 1000, 1)  # garbage, which takes what was freed
    assert [set(ref[:]) for ref in refs] == [{i} for i in range(20)]
    heap.free_all()


# What is refused, and advice that is followed


def refusal(stranger: Stranger, **choice: Any) -> str:
    with pytest.raises(NotSupportedError) as caught:
        emheap.wrap_wasm_instance(*stranger.parts, **choice)
    return str(caught.value)


RUST_NAMES: dict[str, Any] = {"malloc": "alloc", "free": "dealloc"}
BINDGEN_NAMES = {"malloc": "__wbindgen_malloc", "free": "__wbindgen_free"}
PINNING = {"malloc": "__new", "free": "__unpin"}


def test_a_free_that_wants_the_size_is_not_called_without() -> None:
    words = refusal(open_stranger(RUST), **RUST_NAMES)
    assert "'dealloc' cannot be the module's free: it takes 2 arguments, and would be" in words
    assert (
        "called with 1 (address); if 'dealloc' takes the size after the address, as Rust's usual "
        "dealloc(address, size) is, pass sized_free=True; otherwise pass functions of your own"
    ) in words
    assert "aligned" not in words


def test_functions_that_want_an_alignment_are_not_called_without() -> None:
    for more in ({}, {"sized_free": True}, {"aligned": True}):
        words = refusal(open_stranger(WASM_BINDGEN), **BINDGEN_NAMES, **more)
        assert (
            "if '__wbindgen_malloc' takes an alignment after the size, and '__wbindgen_free' both "
            "after the address, as wasm-bindgen's functions do, pass sized_free=True, aligned=True;"
        ) in words


def test_assemblyscripts_functions_are_not_taken_for_malloc() -> None:
    for more in ({}, {"aligned": True}, {"sized_free": True, "aligned": True}):
        # With `aligned` alone the numbers would fit, but the second is no alignment.
        words = refusal(open_stranger(ASSEMBLYSCRIPT), **PINNING, **more)
        assert (
            "'__new' is AssemblyScript's, whose garbage collector frees what is not pinned: pass "
            "functions, malloc=lambda size: pin(new(size, 1)), free=unpin"
        ) in words


def test_assemblyscripts_functions_are_known_without_their_names() -> None:
    stranger = open_stranger(ASSEMBLYSCRIPT)
    new, unpin = stranger.member("__new"), stranger.member("__unpin")
    for free in (unpin, "__unpin"):
        for aligned in (False, True):
            words = refusal(stranger, malloc=new, free=free, aligned=aligned)
            assert words.startswith("'__new' is AssemblyScript's, whose garbage collector frees")


def with_bare_memory(stranger: Stranger) -> tuple[Any, ...]:
    return (*stranger.parts[:-1], stranger.member("memory"))


def test_a_bare_memory_with_functions() -> None:
    stranger = open_stranger(RUST)
    functions: dict[str, Any] = {
        "malloc": stranger.member("alloc"),
        "free": stranger.member("dealloc"),
    }
    parts = with_bare_memory(stranger)
    heap = emheap.wrap_wasm_instance(*parts, **functions, sized_free=True)
    with heap.alloc_array(uint8, 300):
        assert stranger.call("live") == 300
    assert stranger.call("live") == 0
    with pytest.raises(NotSupportedError, match=r"would be called with 1 \(address\).*sized_free="):
        emheap.wrap_wasm_instance(*parts, **functions)


def test_a_bare_memory_has_no_exports_to_name() -> None:
    stranger = open_stranger(RUST)
    parts = with_bare_memory(stranger)
    malloc, free = stranger.member("alloc"), stranger.member("dealloc")
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"malloc": malloc}, "malloc=a function and free='free'"),
        ({"free": free}, "malloc='malloc' and free=a function"),
        ({"malloc": malloc, "free": "dealloc"}, "malloc=a function and free='dealloc'"),
        (RUST_NAMES, "malloc='alloc' and free='dealloc'"),
        ({"malloc": None}, "malloc=None and free='free'"),
        ({"free": None}, "malloc='malloc' and free=None"),
    )
    for names, given in wrong:
        words = (
            f"^a bare memory has no exports, so {given} must both be functions, or both be left "
            "out to have blocks in pages that are added to it$"
        )
        with pytest.raises(TypeError, match=words):
            emheap.wrap_wasm_instance(*parts, **names)
        emheap.wrap_wasm_instance(*parts, **names, wrap_only=True)
    for other in ("memory2", malloc, None):
        with pytest.raises(TypeError, match="is the heap's memory itself: leave out memory="):
            emheap.wrap_wasm_instance(*parts, memory=other)
    for same in ("memory", parts[-1]):
        emheap.wrap_wasm_instance(*parts, memory=same, wrap_only=True)


def test_exports_that_lack_their_memory() -> None:
    stranger = open_stranger(RUST)
    functions = stranger.without_memory("alloc", "dealloc")
    parts = (*stranger.parts[:-1], functions)
    with pytest.raises(NotSupportedError, match="not export 'memory', its memory; it exports all"):
        emheap.wrap_wasm_instance(*parts, **RUST_NAMES, sized_free=True)
    heap = emheap.wrap_wasm_instance(
        *parts, memory=stranger.member("memory"), **RUST_NAMES, sized_free=True
    )
    with heap.alloc_array(int32, [1, 2, 39]) as ref:
        assert stranger.call("sum", ref.address, 3) == 42


def test_flags_that_are_too_many_are_named() -> None:
    guest = open_guest("guest32")
    for sized, aligned in ((True, False), (True, True), (False, True)):
        with pytest.raises(NotSupportedError, match="leave out sized_free= and aligned="):
            emheap.wrap_wasm_instance(*guest.parts, sized_free=sized, aligned=aligned)
    for name in ("sized_free", "aligned", "wrap_only"):
        wild: Any = {name: 1}
        with pytest.raises(TypeError, match=f"{name} must be bool, not int 1"):
            emheap.wrap_wasm_instance(*guest.parts, **wild)


@pytest.mark.parametrize("name", OPENERS)
def test_no_pages_are_added_beside_an_allocator(name: str) -> None:
    stranger = open_stranger(name)
    words = refusal(stranger, malloc=None, free=None)
    assert words.startswith(
        "malloc=None, free=None is for modules that never allocate, and this one exports "
    )
    assert words.endswith(
        ": many allocators claim every page of the memory, no matter which code added it; name its "
        "functions as malloc= and free=, or pass wrap_only=True for a heap that allocates nothing"
    )
    words = refusal(stranger)
    assert "may belong to an allocator" in words
    assert "malloc=None" not in words
    # What both say will do: a heap that allocates nothing, in all of the memory.
    heap = emheap.wrap_wasm_instance(*stranger.parts, wrap_only=True)
    heap.write_int32(64, 5)
    assert heap.wrap(int32, 64).value == heap.wrap_array(int32, 64, 2)[0] == 5


def test_a_heap_that_only_wraps() -> None:
    guest = open_guest("guest32")
    heap = emheap.wrap_wasm_instance(*guest.parts, wrap_only=True)
    address = guest.call("allocate_text", 5)
    assert heap.read(utf8, address) == heap.wrap(utf8, address).value == "abcde"
    for allocate in (
        lambda: heap.alloc(int32),
        lambda: heap.alloc_array(uint8, 3000),
        lambda: heap.alloc(utf8, "text"),
        lambda: heap.alloc_int32(5),
    ):
        with pytest.raises(NotSupportedError, match="opened to read, write and wrap"):
            allocate()
    with heap.arena() as scratch, pytest.raises(NotSupportedError):
        scratch.alloc(int32)
    assert heap.total_allocated_byte_size == 0
    bare = emheap.create_wasm_heap_manager(lambda: bytearray(64))
    bare.write_int32(16, 7)
    with pytest.raises(NotSupportedError, match="cannot allocate 4 bytes"):
        bare.alloc(int32)


def test_a_file_is_loaded_with_an_allocator_of_another_kind() -> None:
    path = FIXTURES / "rust_allocator.wasm"
    heap = emheap.load_wasm(path, malloc="alloc", free="dealloc", sized_free=True)
    with heap.alloc_array(int32, [1, 2, 3]) as ref:
        assert ref[:] == [1, 2, 3]
    with pytest.raises(NotSupportedError, match="pass sized_free=True"):
        emheap.load_wasm(path, malloc="alloc", free="dealloc")
    with pytest.raises(NotSupportedError, match="opened to read, write and wrap"):
        emheap.load_wasm(path, wrap_only=True).alloc(int32)


def test_a_location_is_no_allocator() -> None:
    names = ["original_location_for", "verticalLocation", "memory", "TOTAL_LOCATIONS"]
    assert allocator_exports(names) == []
    shown = ["wasm_alloc_u8_array", "gpAlloc", "MEM_ALLOC", "_free", "allocate_mappings"]
    assert allocator_exports([*names, *shown]) == shown
