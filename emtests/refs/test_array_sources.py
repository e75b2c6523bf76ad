"""What an array can be made of, or assigned: iterables, buffers, numpy arrays, and itself."""

from __future__ import annotations

import array
import ctypes
import math
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    ArrayRef,
    HeapManager,
    Pointer,
    boolean,
    clamped_uint8,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    pointer53,
    uint8,
    uint16,
    uint64,
    uint128,
    utf8,
)
from emtests.structures.kinds import Vec
from emtests.types.values import ALL_NUMBERS, SCALARS


def check_source(heap: HeapManager, scalar: Any, source: Any, expected: list[Any]) -> None:
    """Allocate from `source` and assign it; both give the same elements."""
    with heap.alloc_array(scalar, source) as ref:
        assert ref.tolist() == expected
    with heap.alloc_array(scalar, len(expected)) as ref:
        ref[:] = source
        assert ref.tolist() == expected


def test_any_iterable_of_numbers(heap: HeapManager) -> None:
    for scalar in ALL_NUMBERS:
        for source in ([1, 2, 3], (1, 2, 3), range(1, 4), dict.fromkeys((1, 2, 3)), b"\1\2\3"):
            check_source(heap, scalar, source, [1, 2, 3])
        with heap.alloc_array(scalar, (number for number in (1, 2, 3))) as ref:
            assert ref.tolist() == [1, 2, 3]
            ref[:] = map(int, "789")
            assert ref.tolist() == [7, 8, 9]
        check_source(heap, scalar, [], [])
        check_source(heap, scalar, b"", [])


def test_a_bytes_like_is_a_sequence_of_small_integers(heap: HeapManager) -> None:
    for scalar in (uint8, clamped_uint8, uint16, int32, float64, pointer53, uint128):
        for source in (b"\x00\x7f\xff", bytearray(b"\x00\x7f\xff"), memoryview(b"\x00\x7f\xff")):
            check_source(heap, scalar, source, [0, 127, 255])
    with pytest.raises(OverflowError, match="element 2: 255 does not fit int8"):
        heap.alloc_array(int8, b"\x00\x7f\xff")


def test_a_buffer_is_a_sequence_of_its_elements(heap: HeapManager) -> None:
    source: Any
    for code, values in (("b", [-1, 5]), ("H", [500, 5]), ("i", [-70000, 5]), ("q", [2**40, 5])):
        source = array.array(code, values)
        check_source(heap, int64, source, values)
        check_source(heap, float64, source, values)
        check_source(heap, int64, memoryview(source), values)
    check_source(heap, float32, array.array("d", [0.5, 1.5]), [0.5, 1.5])
    check_source(heap, float64, array.array("f", [0.5, 1.5]), [0.5, 1.5])
    check_source(heap, int32, (ctypes.c_int32 * 2)(-7, 7), [-7, 7])
    check_source(heap, clamped_uint8, array.array("d", [-1, 2.5, 300.0]), [0, 2, 255])
    for scalar, source, words in (
        (int16, array.array("i", [1, 40000]), "element 1: 40000 does not fit int16"),
        (uint64, array.array("q", [1, -1]), "element 1: -1 does not fit uint64"),
        (int32, array.array("d", [1.0]), "element 0: int32 takes an int, not float 1.0"),
        (float32, array.array("d", [0.0, 1e39]), r"element 1: 1e\+39 does not fit float32"),
        (pointer53, array.array("Q", [0, 2**53]), f"element 1: {2**53} does not fit pointer53"),
    ):
        wild: Any = heap
        with pytest.raises((OverflowError, TypeError), match=words):
            wild.alloc_array(scalar, source)


def test_strided_and_reversed_buffers(heap: HeapManager) -> None:
    for scalar in (int16, int32, float64):
        numbers = memoryview(array.array("h", range(10)))
        check_source(heap, scalar, numbers[::3], [0, 3, 6, 9])
        check_source(heap, scalar, numbers[::-1], list(range(9, -1, -1)))
        check_source(heap, scalar, numbers[2:5], [2, 3, 4])


def test_buffers_of_more_dimensions_are_refused(heap: HeapManager) -> None:
    grid = memoryview(bytes(range(6))).cast("B", (2, 3))
    with heap.alloc_array(uint8, 6) as ref:
        for scalar in (uint8, clamped_uint8, int32, float64):
            with pytest.raises(emheap.ShapeError, match=r"one dimension, not of 2: .*cast\('B'\)"):
                heap.alloc_array(scalar, grid)
        with pytest.raises(ValueError, match="one dimension, not of 2"):
            ref[:] = grid
        assert ref != grid
        assert ref.tolist() == [0] * 6
        ref[:] = grid.cast("B")
        assert ref == range(6)


def test_text_and_single_numbers_are_no_contents(heap: HeapManager) -> None:
    wild: Any = heap
    for source, words in (
        ("123", "takes numbers, not a str; strings are allocated with heap.alloc"),
        (object(), "takes a count, an iterable or a buffer, not object "),
        (None, "count must be an int, not NoneType None"),
        (2.0, "count must be an int, not float 2.0"),
        (True, "count must be an int, not the bool True"),
    ):
        for scalar in (int32, float64, clamped_uint8, uint128):
            with pytest.raises(TypeError, match=words):
                wild.alloc_array(scalar, source)
    with heap.alloc_array(int32, 3) as ref:
        for source, words in (
            ("123", "takes numbers, not a str"),
            (object(), "takes a count, an iterable or a buffer, not object "),
            (None, "takes a count, an iterable or a buffer, not NoneType None"),
            (3, "takes a count, an iterable or a buffer, not int 3"),
            (["1", 2, 3], "element 0: int32 takes an int, not str '1'"),
            ([[1], [2], [3]], r"element 0: int32 takes an int, not list \[1\]"),
            ([1, 2, None], "element 2: int32 takes an int, not NoneType None"),
        ):
            wild = source
            with pytest.raises(TypeError, match=words):
                ref[:] = wild
        assert ref.tolist() == [0, 0, 0]
    assert heap.total_allocated_byte_size == 0


def test_the_first_element_that_does_not_fit_is_named(heap: HeapManager) -> None:
    wild: Any = heap
    for scalar in SCALARS:
        bad: Any = "x" if scalar in (float32, float64, clamped_uint8) else 10**30
        with pytest.raises((OverflowError, TypeError), match=r"^element 2: "):
            wild.alloc_array(scalar, [0, 1, bad, bad])
    with pytest.raises(TypeError, match=r"^element 1: float64 takes a float, not str '1.5'"):
        wild.alloc_array(float64, [0.5, "1.5"])
    with pytest.raises(OverflowError, match=r"^element 0: -1 does not fit uint128"):
        wild.alloc_array(uint128, [-1])
    assert heap.total_allocated_byte_size == 0


def sources_of(ref: ArrayRef[int]) -> list[Any]:
    return [ref, ref[:], ref.view, ref.view[:]]


def test_an_array_of_the_same_heap_is_a_source(heap: HeapManager) -> None:
    for scalar in (uint8, int32, uint64):
        with heap.alloc_array(scalar, range(100)) as ref:
            for source in sources_of(ref):
                with heap.alloc_array(scalar, source) as copy:
                    assert copy.tolist() == list(range(100))
                del source
            with heap.alloc_array(float64, ref) as converted:
                assert converted == ref


def test_a_source_on_the_same_heap_survives_its_growth(heap: HeapManager) -> None:
    # Each round allocates as much again, so a memory that grows does so on the way.
    with heap.arena() as scratch:
        ref = scratch.alloc_array(int32, range(800))
        for number in range(5):
            # Sources are taken one at a time: a view taken before a buffer was replaced is of the
            # old one.
            kinds = range(len(sources_of(ref)))
            copies = [scratch.alloc_array(int32, sources_of(ref)[index]) for index in kinds]
            for copy in copies:
                assert copy.tolist() == list(range(800)), f"round {number}"
            ref = copies[-1]


@pytest.mark.needs("numpy")
def test_numpy_arrays_are_sources(heap: HeapManager, scratch: Arena) -> None:
    import numpy

    for scalar in SCALARS:
        for source in (
            numpy.array([1, 2, 3]),
            numpy.array([1, 2, 3], dtype=numpy.uint8),
            numpy.array([3, 2, 1])[::-1],
            numpy.array([1, 2, 3], dtype=">i4"),
        ):
            check_source(heap, scalar, source, [1, 2, 3])
        if scalar in (float32, float64, clamped_uint8):
            check_source(heap, scalar, numpy.array([1.0, 2.0]), [1, 2])
            check_source(heap, scalar, numpy.array([1.0, 2.0], dtype=">f8"), [1, 2])
            check_source(heap, scalar, numpy.array([1.0, 2.0], dtype=numpy.float16), [1, 2])
    grid = numpy.arange(6, dtype=numpy.int32).reshape(2, 3)
    check_source(heap, int32, grid.ravel(), [0, 1, 2, 3, 4, 5])
    check_source(heap, int32, grid.T.ravel(), [0, 3, 1, 4, 2, 5])
    check_source(heap, int16, grid.T.ravel(), [0, 3, 1, 4, 2, 5])
    check_source(heap, clamped_uint8, grid.ravel() * 100.0, [0, 100, 200, 255, 255, 255])
    wild: Any = heap
    for wrong in (grid, grid.T, numpy.array(1.5)):
        with pytest.raises(emheap.ShapeError, match=r"pass array\.ravel\(\)"):
            wild.alloc_array(float64, wrong)
    with pytest.raises(OverflowError, match="element 3: 300 does not fit uint8"):
        wild.alloc_array(uint8, grid.ravel() * 100)
    with pytest.raises(TypeError, match="element 0: int32 takes an int, not "):
        wild.alloc_array(int32, numpy.array([1.0]))
    on_heap = scratch.alloc_array(int32, 6).numpy().reshape(2, 3)
    on_heap[:] = grid
    check_source(heap, int32, on_heap.ravel(), [0, 1, 2, 3, 4, 5])


def buffers_of(numbers: int) -> Iterator[Any]:
    yield array.array("f", [0.5]) * numbers
    if find_spec("numpy"):
        import numpy

        yield numpy.full(numbers, 0.5, dtype=numpy.float32)


def copies_made(run: Callable[[], Any], size: int) -> int:
    """How many copies of `size` bytes Python had at the same time while it ran."""
    run()  # what the first use alone makes is no copy
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        run()
        return round((tracemalloc.get_traced_memory()[1] - before) / size)
    finally:
        tracemalloc.stop()


def test_a_buffer_of_the_same_type_is_copied_once(heap: HeapManager) -> None:
    """What is in Python's memory meanwhile is a copy besides."""
    for source in buffers_of(5000):
        size = memoryview(source).nbytes
        with heap.alloc_array(float32, source) as ref:
            assert ref[:] == [0.5] * 5000
            assert copies_made(lambda: ref.__setitem__(slice(None), source), size) == 0  # noqa: B023
        # Making room may move the memory, in which the source may lie.
        besides = 0 if heap.memory.stable else 1
        assert copies_made(lambda: heap.alloc_array(float32, source).free(), size) == besides  # noqa: B023
        assert copies_made(lambda: heap.alloc_array(float32, list(source)).free(), size) > 0  # noqa: B023


def ways_to_store(heap: Any, scalar: Any, ref: Any, number: Any) -> list[Callable[[Any], Any]]:
    return [
        lambda source: heap.alloc_array(scalar, source),
        lambda source: heap.alloc(scalar, source[0]),
        lambda source: heap.write(scalar, number.address, source[0]),
        lambda source: ref.__setitem__(slice(None), source),
        lambda source: ref.__setitem__(slice(None), list(source)),
        lambda source: ref.__setitem__(0, source[0]),
        lambda source: number.write(source[0]),
        lambda source: setattr(number, "value", source[0]),
    ]


REFUSAL = "takes (an? |no masked|a buffer of one dimension)|must be"


@pytest.mark.needs("numpy")
def test_what_numpy_would_store_with_a_loss_is_refused(heap: HeapManager) -> None:
    import numpy

    hidden = numpy.ma.array([1.0, 2.0], mask=[False, True])
    losses: list[Any] = [
        numpy.array([1 + 2j]),
        numpy.array([1 + 2j], dtype=numpy.complex64),
        numpy.array([5], dtype="m8[s]"),
        numpy.array(["2020-01-01"], dtype="M8[D]"),
        numpy.zeros(1, "V4"),
        numpy.zeros(1, [("x", "i4")]),
        (ctypes.c_int32 * 1 * 1)(),
        hidden[1:],
    ]
    for scalar in ALL_NUMBERS:
        with heap.alloc_array(scalar, 1) as ref, heap.alloc(scalar) as number:
            for source in losses:
                for store in ways_to_store(heap, scalar, ref, number):
                    with pytest.raises((TypeError, emheap.ShapeError), match=REFUSAL):
                        pytest.fail(f"{scalar.name}: {store(source)!r}")
            assert (ref[0], number.value) == (0, 0)
    check_source(heap, float64, numpy.ma.array([1.0, 2.0]), [1.0, 2.0])
    words = (
        "^an array of float64 takes no masked elements, which have no value: pass "
        r"array\.filled\(\.\.\.\) or array\.compressed\(\)$"
    )
    with pytest.raises(TypeError, match=words):
        heap.alloc_array(float64, hidden)


@pytest.mark.needs("numpy")
@pytest.mark.filterwarnings("ignore:In future, it will be an error:DeprecationWarning")  # numpy's
def test_bools_of_numpy_are_integers_too(heap: HeapManager) -> None:
    import numpy

    for scalar in ALL_NUMBERS:
        check_source(heap, scalar, numpy.array([True, False]), [1, 0])
        check_source(heap, scalar, list(numpy.array([True, False])), [1, 0])
        with heap.alloc(scalar, numpy.True_) as number:
            assert number.value == 1
    check_source(heap, boolean, list(numpy.array([True, False])), [True, False])
    true: Any = numpy.True_
    truth: Any
    with heap.alloc(boolean, true) as truth:
        truth.value = numpy.array(False)
        assert truth.value is False
        with pytest.raises(TypeError, match="boolean takes a bool, not MaskedConstant"):
            truth.value = numpy.ma.masked


def test_bools_are_integers(heap: HeapManager) -> None:
    check_source(heap, int32, [True, False], [1, 0])
    check_source(heap, uint8, memoryview(b"\1\0").cast("?"), [1, 0])
    assert emheap.uint8 is uint8


@pytest.mark.needs("numpy")
def test_numbers_of_numpy_whose_sum_is_no_number_are_stored_without_a_warning(
    heap: HeapManager,
) -> None:
    import numpy

    large, infinite = numpy.float64(1e308), numpy.float64("inf")
    small = numpy.int8(100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for source in ([large, large], [infinite, -infinite], [0.5, infinite, -infinite]):
            check_source(heap, float64, source, list(map(float, source)))
        for scalar in (float32, float64):
            check_source(heap, scalar, [infinite, -infinite, 1], [math.inf, -math.inf, 1])
            check_source(heap, scalar, [small, small, small], [100, 100, 100])
        with pytest.raises(OverflowError, match="element 0: 1e\\+308 does not fit float32"):
            heap.alloc_array(float32, [large, large])


def test_rows_are_refused_without_being_joined(heap: HeapManager) -> None:
    class Row(list[float]):
        def __add__(self, other: Any) -> Any:
            pytest.fail("rows of numbers are added up")

    wild: Any = heap
    for rows in ([Row([1, 2]), Row([3, 4])], (Row([1]), Row([2]), 3.0)):
        with pytest.raises(TypeError, match="element 0: float32 takes a float, not Row"):
            wild.alloc_array(float32, rows)


def test_numbers_whose_sum_raises_are_named_one_by_one(heap: HeapManager) -> None:
    wild: Any = heap
    with pytest.raises(ValueError, match="signaling NaN"):
        wild.alloc_array(float64, [Decimal("sNaN"), Decimal(1)])
    with pytest.raises(ValueError, match="signaling NaN"):
        wild.alloc_array(float64, [1.0, Decimal("sNaN"), 1.0])


def test_a_float_of_the_users_is_what_it_holds(heap: HeapManager, scratch: Arena) -> None:
    class Odd(float):
        def __float__(self) -> float:
            return 99.0

    for scalar in (float32, float64):
        check_source(heap, scalar, [Odd(1.5), 2.5], [1.5, 2.5])
        ref, number = scratch.alloc_array(scalar, 1), scratch.alloc(scalar, Odd(1.5))
        ref[0] = Odd(1.5)
        assert (ref[0], number.value) == (1.5, 1.5)


def test_what_a_view_held_that_was_released_is_not_there(heap: HeapManager, scratch: Arena) -> None:
    wild: Any = heap
    numbers, pointers = scratch.alloc_array(int32, 2), scratch.alloc_array(Pointer[int32], 2)
    points: Any = scratch.alloc_array(Vec, 1)
    view: Any = memoryview(bytearray(8)).cast("i")
    view.release()

    def assign(ref: Any) -> Callable[[], Any]:
        return lambda: ref.__setitem__(slice(None), view)

    uses: dict[str, list[Callable[[], Any]]] = {
        "an array of int32": [
            lambda: heap.alloc_array(int32, view),
            assign(numbers),
            lambda: wild.write_many(int32, [numbers], view),
        ],
        "an array of Vec": [lambda: wild.alloc_array(Vec, view), assign(points)],
        "an array of ": [lambda: heap.alloc_array(Pointer[int32], view), assign(pointers)],
        "a search": [lambda: heap.find(numbers, view)],
        "a heap": [lambda: emheap.wrap_buffer(view)],
        "a view": [assign(numbers.view)],
        "a module": [lambda: emheap.load_wasm(view)],
    }
    for what, calls in uses.items():
        for call in calls:
            words = f"^{what}.* cannot have the bytes of a memoryview that was released"
            if what == "a view" and isinstance(numbers.view, memoryview):
                words = "released memoryview"  # which is Python's own
            with pytest.raises(ValueError, match=words):
                call()
    flat = memoryview(bytearray(8)).cast("B")
    for values in (flat.cast("B", (2, 4)), flat.cast("q", ())):
        words = f"takes values in one row, not a memoryview of {values.ndim} dimensions"
        for ref in (points, pointers):
            with pytest.raises(emheap.ShapeError, match=words):
                ref[:] = values
        with pytest.raises(emheap.ShapeError, match=words):
            heap.alloc_array(Pointer[int32], values)
    with pytest.raises(TypeError, match="several strings are an iterable of str, not a memoryview"):
        wild.alloc_strings(utf8, view)
    assert (numbers[:], list(map(int, pointers[:])), points.tolist()) == ([0, 0], [0, 0], [(0, 0)])


@pytest.mark.needs("numpy")
def test_a_masked_array_of_no_dimensions_is_an_index_to_python(heap: HeapManager) -> None:
    import numpy

    hidden: Any = numpy.ma.array(5, mask=True)
    assert numpy.ma.is_masked(hidden)
    number: Any = heap.alloc(int32, 1)
    with number, heap.alloc(float64, 1.0) as real:
        number.value = hidden
        assert number.value == 5
        for refused in (numpy.ma.masked, numpy.ma.array([5], mask=[True])[0]):
            assert numpy.ma.is_masked(refused)
            with pytest.raises(TypeError, match="takes an int, not MaskedConstant"):
                number.value = refused
        with pytest.raises(TypeError):
            real.value = hidden
        assert (number.value, real.value) == (5, 1.0)
