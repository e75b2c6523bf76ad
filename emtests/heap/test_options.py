"""The options: what each value means, and what a bad one gets."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import emheap
from emheap import HeapManager, Pointer, float64, int32, load_wasm, uint8, uint128, utf8, utf32
from emtests.conftest import OpenHeap, skip_for_gap
from emtests.heaps import HeapKind
from emtests.types.values import ALL_NUMBERS
from emtests.webassembly.guests import why_missing
from emtests.webassembly.modules import SmallModule

DEFAULTS = {
    "clear_allocated_regions": True,
    "polling_mode": "when_empty",
    "track_allocations": True,
    "enable_garbage_collection": False,
}


def test_the_options_have_these_names_and_defaults(heap: HeapManager) -> None:
    assert {name: getattr(heap.options, name) for name in DEFAULTS} == DEFAULTS


def test_the_defaults_are_those_that_the_documentation_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("EMHEAP_DEBUG", raising=False)
    documented = re.findall(r"``(\w+)=([\w\"]+)``", emheap.open.__doc__ or "")
    options = emheap.open().options
    named = {name: eval(value) for name, value in documented if name != "EMHEAP_DEBUG"}
    assert named.keys() == eval(repr(options), {"Options": dict}).keys()
    assert {name: getattr(options, name) for name in named} == named


def test_an_unknown_option_is_refused_with_the_known_ones(kind: HeapKind) -> None:
    for name in ("polling", "clear", "trackAllocations", "enable_garbage_collection_"):
        with pytest.raises(TypeError) as caught, kind.open(**{name: True}):
            pass
        assert f"unknown option {name!r}; the options are " in str(caught.value)
        assert all(option in str(caught.value) for option in DEFAULTS)


def test_a_misspelt_option_is_refused_with_the_nearest(kind: HeapKind) -> None:
    for name, meant in (
        ("clear_alocated_regions", "clear_allocated_regions"),
        ("trackAllocations", "track_allocations"),
        ("garbage_collection", "enable_garbage_collection"),
        ("poll_mode", "polling_mode"),
        ("Debug", "debug"),
    ):
        with pytest.raises(TypeError) as caught, kind.open(**{name: True}):
            pass
        assert str(caught.value).endswith(f"did you mean {meant!r}?")
        with kind.open(**{meant: DEFAULTS.get(meant, False)}):
            pass
    with pytest.raises(TypeError) as caught, kind.open(xyzzy=1):
        pass
    assert "did you mean" not in str(caught.value)


@pytest.mark.once
def test_a_misspelt_keyword_of_an_opener_is_named_too() -> None:
    wild: Any = emheap
    openers: tuple[tuple[Callable[..., Any], str, str], ...] = (
        (partial(wild.wrap_buffer, bytearray(64)), "alocator", "allocator"),
        (partial(wild.create_wasm_heap_manager, bytearray), "sizedfree", "sized_free"),
        (wild.wrap_wasm_instance, "memroy", "memory"),
        (partial(wild.wrap_emscripten_module_heap, None), "maloc", "malloc"),
        (partial(wild.load_wasm, b""), "preopen", "preopens"),
    )
    for opener, name, meant in openers:
        with pytest.raises(TypeError, match=f"unknown option '{name}'.* did you mean '{meant}'"):
            opener(**{name: None})


def test_a_bad_value_is_refused_with_the_good_ones(kind: HeapKind) -> None:
    wrong: dict[str, tuple[Any, ...]] = {
        "clear_allocated_regions": (None, 1, 0, "yes", []),
        "track_allocations": (None, 1, 0, "yes", []),
        "enable_garbage_collection": (None, 1, 0, "yes", []),
        "polling_mode": (None, True, 1, b"always", []),
    }
    for name, values in wrong.items():
        for value in values:
            with (
                pytest.raises(TypeError, match=rf"option {name} must be "),
                kind.open(**{name: value}),
            ):
                pass
    for value in ("", "Always", "whenEmpty", "sometimes"):
        words = (
            rf"option polling_mode must be one of 'when_empty', 'always', 'never', got '{value}'"
        )
        with pytest.raises(ValueError, match=words), kind.open(polling_mode=value):
            pass


def test_every_good_value_is_taken(kind: HeapKind) -> None:
    for name, values in (
        ("clear_allocated_regions", (True, False)),
        ("track_allocations", (True, False)),
        ("enable_garbage_collection", (True, False)),
        ("polling_mode", ("when_empty", "always", "never")),
    ):
        for value in values:
            with kind.open(**{name: value}) as heap:
                assert getattr(heap.options, name) == value
                with heap.alloc(int32, 5) as ref:
                    assert heap.read(int32, ref.address) == 5


@pytest.mark.once
def test_options_are_keyword_only() -> None:
    wild: Any = emheap
    for opener, arguments in (
        (wild.open, ()),
        (wild.wrap_buffer, (bytearray(64),)),
        (wild.create_wasm_heap_manager, (bytearray, None, None)),
        (wild.wrap_emscripten_module_heap, (None,)),
        (wild.load_wasm, (b"", None)),
    ):
        with pytest.raises(TypeError, match=r"takes .* positional argument.* given"):
            opener(*arguments, True)
        kinds = [each.kind for each in inspect.signature(opener).parameters.values()]
        assert kinds[-1] is inspect.Parameter.VAR_KEYWORD
    # It takes a store and an instance, or one thing alone.
    with pytest.raises(TypeError, match="takes"):
        wild.wrap_wasm_instance(None, None, True)


# clear_allocated_regions


def dirty(heap: HeapManager, size: int) -> None:
    """Fill what the next allocation of `size` bytes may be given."""
    refs = [heap.alloc_array(uint8, size) for _ in range(4)]
    for ref in refs:
        ref[:] = b"\xee" * size
    for ref in reversed(refs):
        ref.free()


MAKERS: dict[str, tuple[int, Callable[[HeapManager], Any]]] = {
    "alloc": (4, lambda heap: heap.alloc(int32)),
    "flat alloc": (4, lambda heap: heap.alloc_int32()),
    "wide": (16, lambda heap: heap.alloc(uint128)),
    "array": (4, lambda heap: heap.alloc_array(int32, 1)),
    "larger array": (80, lambda heap: heap.alloc_array(float64, 10)),
    "large array": (5000, lambda heap: heap.alloc_array(uint8, 5000)),
    "aligned": (40, lambda heap: heap.alloc_array(uint8, 40, align=64)),
    "string": (40, lambda heap: heap.alloc(utf8, 39)),
}


def test_a_block_is_zero_whatever_was_there(heap: HeapManager) -> None:
    for name, (size, make) in MAKERS.items():
        dirty(heap, size)
        with make(heap) as ref:
            assert bytes(ref) == bytes(size), name
    for scalar in ALL_NUMBERS:
        dirty(heap, scalar.size)
        with heap.alloc(scalar) as ref:
            assert bytes(ref) == bytes(scalar.size), scalar.name
    with heap.arena() as scratch:
        dirty(heap, 24)
        zeros = scratch.alloc_array(uint8, 24)
        assert bytes(zeros) == bytes(24)


@pytest.mark.needs("plain blocks")
def test_a_block_is_left_as_it_was_if_that_is_asked_for(open_heap: OpenHeap) -> None:
    heap = open_heap(clear_allocated_regions=False)
    left = 0
    for size, make in MAKERS.values():
        dirty(heap, size)
        with make(heap) as ref:
            assert len(bytes(ref)) == size
            left += size - bytes(ref).count(0)
    # malloc may write its own records into free blocks, and for MALLOC_PERTURB_ all of them.
    assert left > 1000
    for value in (5, [1, 2]):
        dirty(heap, 8)
        with heap.alloc(int32, 5) as number, heap.alloc_array(int32, [1, 2]) as array:
            assert (number.value, array.tolist()) == (5, [1, 2]), value


def test_numbers_that_are_left_as_they_were_are_anywhere(open_heap: OpenHeap) -> None:
    """Some of these memories grow meanwhile."""
    heap = open_heap(clear_allocated_regions=False)
    refs = [heap.alloc(int32) for _ in range(3000)]
    for number, ref in enumerate(refs):
        ref.value = number
    assert [ref.value for ref in refs] == list(range(3000))
    heap.free_all()


def test_numbers_in_pages_that_are_added_as_they_are_needed() -> None:
    """A batch of blocks may lie above all that the heap had of the memory before."""
    if why_missing("printing"):
        skip_for_gap("WebAssembly", why_missing("printing"))
    module = SmallModule(written=[("nothing", ([], []), b"")]).binary()
    for clear in (True, False):
        heap = load_wasm(module, malloc=None, free=None, clear_allocated_regions=clear)
        size = heap.memory.size
        refs = [heap.alloc(int32) for _ in range(20_000)]
        assert heap.memory.size > 2 * size
        for number, ref in enumerate(refs):
            ref.value = number
        assert [ref.value for ref in refs] == list(range(20_000))
        heap.free_all()


def test_a_string_is_empty_even_so(open_heap: OpenHeap) -> None:
    heap = open_heap(clear_allocated_regions=False)
    for text in (utf8, utf32):
        for capacity in (0, 1, 7, 500):
            dirty(heap, (capacity + 1) * text.size)
            with heap.alloc(text, capacity) as ref:
                assert ref.value == ""
                ref.value = "x" * capacity
                assert ref.value == "x" * capacity


def test_a_pointer_is_null_even_so(open_heap: OpenHeap) -> None:
    heap = open_heap(clear_allocated_regions=False)
    dirty(heap, heap.pointer_size)
    with heap.alloc(Pointer[int32]) as ref:
        assert not ref.value


def test_all_options_together(open_heap: OpenHeap) -> None:
    for clear in (True, False):
        for track in (True, False):
            for collect in (True, False):
                heap = open_heap(
                    clear_allocated_regions=clear,
                    track_allocations=track,
                    enable_garbage_collection=collect,
                    polling_mode="always",
                )
                with heap.arena() as scratch:
                    number = scratch.alloc(int32, 5)
                    array = scratch.alloc_array(float64, [0.5] * 100)
                    text = scratch.alloc(utf8, "h\u00e9llo")
                    array[3] = number.value
                    assert (array[3], text.value) == (5.0, "h\u00e9llo")
                with pytest.raises(emheap.UseAfterFreeError):
                    _ = number.value
