"""Python functions that C calls."""

from __future__ import annotations

import ctypes
import gc
import inspect
import re
import sys
import threading
import warnings
import weakref
from typing import Any

import pytest

from emheap import Function, HeapManager, UseAfterFreeError, c, int32
from emheap._util.platform import IN_PYODIDE
from emheap.calls import callbacks
from emtests.calls.declared import Calls, Machine, Structures
from emtests.calls.ways import Way, skip_without_big_ints
from emtests.conftest import skip_for_gap
from emtests.threads import run_in_threads


def test_a_callback_gets_what_c_passes(calls: Calls, way: Way) -> None:
    skip_without_big_ints(way)
    seen: list[Any] = []

    def receive(*values: Any) -> float:
        seen.extend(values)
        return 0.25

    assert calls.apply_all(receive) == 0.25
    assert seen == [True, -128, 65535, 2**32 - 1, 2**64 - 1, 0.5]
    assert list(map(type, seen)) == [bool, int, int, int, int, float]
    assert calls.apply_wide(lambda a, b: int(a * 2 + b * 2), 2**40) == 2**41 + 1
    assert calls.apply_text(len, "héllo") == 5
    assert calls.apply(lambda x: -x, -(2**31) + 1) == 2**31 - 1
    calls.apply_void(lambda: seen.append("void"))
    assert seen[-1] == "void"


def test_qsort_and_bsearch(calls: Calls, c_heap: HeapManager) -> None:
    read = c_heap.read_int32

    def compare(a: int, b: int) -> int:
        return read(a) - read(b)

    with c_heap.alloc_array(int32, [5, 3, 9, 1, 7]) as values, c_heap.alloc(int32, 7) as key:
        calls.sort(values, len(values), compare)
        assert values[:] == [1, 3, 5, 7, 9]
        found = calls.search(key, values, len(values), compare)
        assert found == values.address + 3 * 4
        key.value = 8
        assert calls.search(key, values, len(values), compare) == 0


def test_a_result_that_does_not_fit_raises_where_the_call_was(calls: Calls) -> None:
    with pytest.raises(OverflowError, match=r"the result of the callback .* does not fit"):
        calls.apply(lambda x: 2**31, 0)
    with pytest.raises(TypeError, match=r"the result of the callback .* takes an int, not str"):
        calls.apply(lambda x: "x", 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="takes an int, not NoneType"):
        calls.apply(lambda x: None, 0)  # type: ignore[arg-type, return-value]


def test_what_cannot_be_called_raises(calls: Calls) -> None:
    for wrong in (5, "f", object()):
        with pytest.raises(TypeError, match="takes a callable or None, not"):
            calls.apply(wrong, 0)  # type: ignore[arg-type]
        words = rf"^the pointer to {re.escape(f'{wrong!r:.60}')} takes a callable or None, not "
        with pytest.raises(TypeError, match=words):
            calls.function_pointer(Function[[c.int], c.int], wrong)  # type: ignore[arg-type]
    calls.keep(None)
    assert calls.call_kept(1) == -1


# Exceptions


def test_an_exception_arrives_once_after_c_has_ended(calls: Calls) -> None:
    asked = []

    def fail(value: int) -> int:
        asked.append(value)
        raise KeyError("inside")

    for call in (calls.apply, calls.apply_twice, calls.apply_deep):
        del asked[:]
        with pytest.raises(KeyError, match="inside"):
            call(fail, 7)
        assert asked == [7]  # C went on, but Python was not asked again
        assert call(lambda x: x, 7) in (7, 14)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration])
def test_every_exception_passes(calls: Calls, kind: Any) -> None:
    def fail(value: int) -> int:
        raise kind

    with pytest.raises(kind):
        calls.apply(fail, 0)
    assert calls.add(1, 1) == 2


def test_what_c_gets_of_a_callback_that_raised(calls: Calls) -> None:
    def fail(value: int) -> int:
        raise KeyError("from the callback")

    with calls.callback(fail, error_result=-3) as callback:
        with pytest.raises(KeyError, match="from the callback"):
            calls.apply(callback, 0)
        got = []

        def outer(value: int) -> int:
            try:
                return calls.apply(callback, value)
            except KeyError:
                got.append("caught")
                return 5

        assert calls.apply(outer, 0) == 5
    assert got == ["caught"]
    words = "error_result of a callback that returns int takes "
    for wrong, error in ((2**31, OverflowError), ("3", TypeError), (1.5, TypeError)):
        given: Any = wrong
        with (
            calls.callback(fail, error_result=given) as callback,
            pytest.raises(error, match=words),
        ):
            calls.apply(callback, 0)


def test_c_gets_the_error_result_from_then_on(way: Way, c_heap: HeapManager) -> None:
    library: Any = way.bind(Structures, c_heap)
    seen = []

    def fail(value: int) -> int:
        seen.append(value)
        raise KeyError("from the callback")

    for given, error_result in (({}, 0), ({"error_result": -3}, -3)):
        with library.callback(fail, **given) as callback, c_heap.alloc(Machine) as machine:
            machine.step = library.function_pointer(Function[[c.int], c.int], callback)
            for steps in (1, 2):
                machine.state = 8
                with pytest.raises(KeyError, match="from the callback"):
                    library.run_machine(machine, steps)
                assert machine.state == error_result
    assert seen == [8] * 4


def test_calls_and_callbacks_within_each_other(calls: Calls) -> None:
    def countdown(value: int) -> int:
        return 1 + calls.apply(countdown, value - 1) if value else 0

    assert calls.apply(countdown, 20) == 20

    def fail_below(value: int) -> int:
        if value:
            return calls.apply_deep(fail_below, value - 1)
        raise KeyError("at the bottom")

    with pytest.raises(KeyError, match="at the bottom"):
        calls.apply(fail_below, 10)
    assert calls.apply(countdown, 3) == 3


def test_a_callback_that_c_calls_later(calls: Calls) -> None:
    def later(value: int) -> int:
        return value * 3

    calls.keep(later)
    alive = weakref.ref(later)
    del later
    gc.collect()
    assert alive() is not None
    assert calls.call_kept(5) == 15
    calls.keep(None)


def test_an_exception_in_a_thread_that_c_was_not_called_in(calls: Calls, way: Way) -> None:
    if IN_PYODIDE or way.is_wasm:
        skip_for_gap("two threads in one library", "its module is for one thread at a time")
    entered, leave = threading.Event(), threading.Event()

    def fail(value: int) -> int:
        entered.set()
        leave.wait(10)
        raise KeyError("in the other thread")

    caught: list[BaseException] = []

    def work() -> None:
        try:
            calls.apply(fail, 0)
        except KeyError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert entered.wait(10)
    assert calls.apply(lambda x: x, 5) == 5
    leave.set()
    thread.join(10)
    assert calls.apply(lambda x: x, 5) == 5
    assert len(caught) == 1


def test_an_exception_waits_for_the_call_in_its_own_thread(calls: Calls, way: Way) -> None:
    if way.is_wasm:
        skip_for_gap("two threads in one library", "its module is for one thread at a time")
    heap = calls._services.heap
    library = way.bind(Structures, heap)
    got: list[int] = []

    def call_in_another_thread(value: int) -> int:
        run_in_threads([lambda: got.append(calls.apply(abs, -5))])
        return value

    # One of ctypes is called though an exception waits.
    second = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(call_in_another_thread)

    def fail(value: int) -> int:
        machine.step = ctypes.cast(second, ctypes.c_void_p).value
        raise KeyError("in this thread")

    with heap.alloc(Machine, state=1, step=0) as machine:
        machine.step = library.function_pointer(Function[[c.int], c.int], fail)
        with pytest.raises(KeyError, match="in this thread"):
            library.run_machine(machine, 2)
    assert got == [5]


def test_an_exception_that_no_call_waits_for_is_reported(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reported: list[Any] = []
    services = calls._services
    for hook in (reported.append, sys.__unraisablehook__):
        monkeypatch.setattr(sys, "unraisablehook", hook)
        services.state.remember(KeyError("from a thread of C's own"))
    assert [type(one.exc_value) for one in reported] == [KeyError]
    shown = capsys.readouterr().err
    assert "a callback that no call of the library waits for" in shown
    assert "from a thread of C's own" in shown
    assert calls.apply(lambda x: x, 5) == 5


def test_no_exception_is_lost_where_there_is_no_room_for_frames(
    calls: Calls, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way.is_wasm:
        skip_for_gap("callbacks at the limit of frames", "wasmtime-py and JavaScript need more")
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)

    def step(value: int) -> int:
        return value + 1

    assert calls.apply(step, 1) == 2
    limit = sys.getrecursionlimit()

    def call_with(room: int) -> int:
        try:
            sys.setrecursionlimit(len(inspect.stack(0)) + room)
            return calls.apply(step, 1)
        except (RecursionError, ctypes.ArgumentError):
            return 2
        finally:
            sys.setrecursionlimit(limit)

    outcomes = [call_with(room) for room in range(-2, 15)]
    # Where there is none for the callback itself, ctypes reports it, and C gets any number.
    assert len(reported) <= 1
    assert outcomes.count(2) >= len(outcomes) - len(reported)
    assert not calls._services.state.pending
    assert calls.apply(step, 1) == 2


# Their lives


def test_the_same_callable_takes_one_slot(calls: Calls) -> None:
    class Holder:
        def method(self, value: int) -> int:
            return value + 1

    holder = Holder()
    kept = calls._services.callbacks._kept

    def count() -> int:
        return sum(len(one.slots) for one in kept.values())

    before = count()
    for _ in range(100):
        assert calls.apply(abs, -3) == 3
        assert calls.apply(holder.method, 3) == 4
    assert count() == before + 2


def places_of_functions(calls: Calls) -> int:
    """How many functions of Python's C can have the addresses of."""
    linker: Any = calls._services.linker
    if not linker.convention.is_wasm:
        return len(callbacks._immortal) + sum(
            len(one.free) for one in calls._services.callbacks._kept.values()
        )
    table = linker._raw_table()
    return int(table.length if IN_PYODIDE else table.size(linker._store))


def test_a_table_of_functions_grows_for_many_at_a_time(calls: Calls, way: Way) -> None:
    if not way.is_wasm:
        skip_for_gap("a table of functions", "natively a function has an address of its own")
    assert calls.apply(abs, -1) == 1
    places = places_of_functions(calls)
    assert calls.apply(int, 7) == 7
    assert places_of_functions(calls) == places


def test_a_hundred_thousand_round_trips_grow_nothing(calls: Calls, c_heap: HeapManager) -> None:
    def step(value: int) -> int:
        return value + 1

    def round_trips(count: int) -> None:
        for _ in range(count):
            calls.apply(step, 1)

    round_trips(100)
    size, places, objects = c_heap.memory.size, places_of_functions(calls), count_objects()
    round_trips(100_000)
    assert c_heap.memory.size == size
    assert places_of_functions(calls) == places
    assert count_objects() < objects + 1000


def test_scoped_callbacks_use_their_places_again(calls: Calls, c_heap: HeapManager) -> None:
    def use(count: int) -> None:
        for _ in range(count):
            with calls.callback(lambda value: value) as callback:
                assert calls.apply(callback, 4) == 4

    use(20)
    size, places = c_heap.memory.size, places_of_functions(calls)
    use(500)
    assert c_heap.memory.size == size
    assert places_of_functions(calls) == places


def count_objects() -> int:
    gc.collect()
    return sys.getallocatedblocks()


def test_a_scoped_callback_ends_with_its_block(calls: Calls) -> None:
    def step(value: int) -> int:
        return value + 1

    alive = weakref.ref(step)
    with calls.callback(step) as callback:
        assert calls.apply(callback, 1) == 2
        assert calls.apply_twice(callback, 1) == 5
    with pytest.raises(UseAfterFreeError, match=r"the scope of the callback .* is over"):
        calls.apply(callback, 1)
    del step, callback
    gc.collect()
    assert alive() is None
    with pytest.raises(TypeError, match="a callback must be callable, not 5"):
        calls.callback(5)  # type: ignore[type-var]


def test_what_c_calls_of_a_callback_whose_scope_is_over_raises(calls: Calls) -> None:
    with calls.callback(abs, error_result=-7) as callback:
        calls.keep(callback)
        assert calls.call_kept(-5) == 5
    words = r"^C called <built-in function abs> after the scope of its callback was over$"
    with pytest.raises(UseAfterFreeError, match=words):
        calls.call_kept(-5)
    with calls.callback(lambda value: value + 1) as other:
        assert calls.apply(other, 1) == 2
        assert calls.call_kept(-5) == -4  # it has the place of the first
    with pytest.raises(UseAfterFreeError, match="after the scope of its callback was over"):
        calls.call_kept(-5)
    calls.keep(None)


def test_fresh_functions_that_pile_up_are_reported_once(calls: Calls) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in range(100):
            calls.apply(lambda value, number=number: number, 0)  # type: ignore[misc]
    messages = [str(one.message) for one in caught if one.category is ResourceWarning]
    assert len(messages) == 1
    assert "was given 64 functions made at line" in messages[0]
    assert "test_callbacks.py" in messages[0]
    assert messages[0].endswith(
        ", and each is kept as long as the library, for C may call it: define the function once, "
        "or pass `with library.callback(function) as callback`"
    )
    assert caught[0].filename == __file__


def test_a_scoped_callback_is_another_libraries_too(way: Way, calls: Calls) -> None:
    other_heap = way.open_heap()
    other = way.bind(Calls, other_heap)

    def fail(value: int) -> int:
        raise KeyError(value)

    for _ in range(3):  # so that the modules' tables differ
        calls.apply(lambda value: value, 0)
    with calls.callback(lambda value: value + 1) as callback, calls.callback(fail) as failing:
        assert calls.apply(callback, 1) == 2
        assert other.apply(callback, 1) == 2
        for library in (calls, other, calls):
            with pytest.raises(KeyError, match=r"^1$"):
                library.apply(failing, 1)
            assert library.add(1, 1) == 2


def test_a_function_pointer_that_fails_in_another_librarys_call(way: Way, calls: Calls) -> None:
    # In WebAssembly an address means nothing to another module.
    heap = way.open_heap() if not way.is_wasm else calls._services.heap
    other = way.bind(Structures, heap)

    def fail(value: int) -> int:
        raise KeyError(value)

    address = calls.function_pointer(Function[[c.int], c.int], fail)
    with heap.alloc(Machine, state=1, step=address) as machine:
        with pytest.raises(KeyError, match=r"^1$"):
            other.run_machine(machine, 1)
        assert calls.add(1, 1) == 2
