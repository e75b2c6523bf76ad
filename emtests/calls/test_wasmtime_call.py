"""How a function of wasmtime is called: by its C API, and where that is not as expected, slowly."""

from __future__ import annotations

import ctypes
import gc
import struct
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import wasmtime
from wasmtime import _bindings

from emheap._util.platform import HAS_GIL
from emheap.calls import wasmtime_call
from emheap.calls.wasmtime_call import bind_function, calls_directly
from emtests.blocks.long import LONG, report
from emtests.blocks.test_soak import resident_pages

CALLS = 1_000_000 if LONG else 20_000

TYPES = {"b": "i32", "h": "i32", "i": "i32", "q": "i64", "f": "f32", "d": "f64", "?": "i32"}
"""What is passed for a letter of `struct`; a large letter is unsigned."""

MODULE = """(module
  (func (export "same_i32") (param i32) (result i32) local.get 0)
  (func (export "same_i64") (param i64) (result i64) local.get 0)
  (func (export "same_f32") (param f32) (result f32) local.get 0)
  (func (export "same_f64") (param f64) (result f64) local.get 0)
  (func (export "mixed") (param i32 i64 f32 f64) (result f64)
    local.get 0 f64.convert_i32_s  local.get 1 f64.convert_i64_s f64.sub
    local.get 2 f64.promote_f32 f64.mul local.get 3 f64.add)
  (func (export "nothing"))
  (func (export "trap") unreachable))"""

Bind = Callable[[str, str, str], Callable[..., Any]]


def stores() -> int:
    """How many there are. By their own types: isinstance would ask dead weak proxies for theirs."""
    gc.collect()
    return sum(issubclass(type(each), wasmtime.Store) for each in gc.get_objects())


def test_the_trial_leaves_no_store_behind() -> None:
    before = stores()
    assert wasmtime_call._try_out()
    assert stores() == before


@pytest.fixture(params=["directly", "slowly"])
def bind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bind:
    monkeypatch.setattr(wasmtime_call, "_direct", request.param == "directly")
    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, MODULE)
    exports: Any = wasmtime.Instance(store, module, []).exports(store)
    return lambda name, params, result: bind_function(store, exports[name], params, result)


def test_this_wasmtime_is_called_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasmtime_call, "_direct", None)  # asked anew
    assert calls_directly()


def _limits(letter: str) -> tuple[Any, ...]:
    if letter == "?":
        return False, True
    if letter in "fd":
        return 0.0, -1.5, 2.0**100, float("inf")
    bits = 8 * struct.calcsize(f"={letter}")
    low, high = (
        (0, (1 << bits) - 1) if letter.isupper() else (-(1 << bits - 1), (1 << bits - 1) - 1)
    )
    return low, low + 1, 0, 1, high // 2, high // 2 + 1, high - 1, high


@pytest.mark.parametrize("letter", "bBhHiIqQfd?")
def test_numbers_pass_unchanged(bind: Bind, letter: str) -> None:
    same = bind(f"same_{TYPES.get(letter) or TYPES[letter.lower()]}", letter, letter)
    for value in _limits(letter):
        result = same(value)
        assert (type(result), result) == (type(value), value)


@pytest.mark.parametrize("letter", "bBhH?")
def test_of_a_result_only_its_own_bits_count(bind: Bind, letter: str) -> None:
    """What lies above them is whatever the compiler left there."""
    same = bind("same_i32", "i", letter)
    for bits in (0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0x8080, 0xFFFF, 0x10080, 0x18000):
        for garbage in (0, -(1 << 17)):
            low = struct.pack("<i", bits | garbage)
            expected = bool(low[0]) if letter == "?" else struct.unpack_from(f"<{letter}", low)[0]
            assert same(bits | garbage) == expected


def test_arguments_of_every_size(bind: Bind) -> None:
    assert bind("mixed", "iqfd", "d")(-3, 2**40, 0.5, 0.25) == (-3 - 2**40) * 0.5 + 0.25
    assert bind("nothing", "", "")() is None


def test_a_trap_is_raised(bind: Bind) -> None:
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        bind("trap", "", "")()


def test_calls_and_traps_leave_no_memory_behind(bind: Bind) -> None:
    mixed, trap = bind("mixed", "iqfd", "d"), bind("trap", "", "")

    def call(times: int) -> int:
        for turn in range(times):
            mixed(1, 2, 3.0, 4.0)
            if turn % 10 == 0:
                with pytest.raises(wasmtime.Trap):
                    trap()
        gc.collect()
        return resident_pages()

    # Without the interpreter's lock the collector comes seldom and has no generations, so that
    # memory rises and falls; what is left behind makes it rise each time.
    levels = [call(4_000), *(call(CALLS) for _ in range(1 if HAS_GIL else 5))]
    grown = min(later - before for before, later in pairwise(levels))
    report(f"{CALLS:,} calls, {CALLS // 10:,} of them traps: {grown} pages more resident")
    assert grown < 100


@pytest.mark.parametrize("lack", ["_has_the_function", "_try_out"])
def test_what_wasmtime_may_lack(monkeypatch: pytest.MonkeyPatch, lack: str) -> None:
    """Another release may have other functions, or have them behave in another way."""

    def fail() -> bool:
        raise AttributeError("no such function in this release")

    monkeypatch.setattr(wasmtime_call, "_direct", None)
    monkeypatch.setattr(wasmtime_call, lack, fail)
    assert not calls_directly()


class _WideSlot(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_byte * 24)]


@pytest.mark.parametrize(
    ("place", "declared"),
    [
        (0, ctypes.POINTER(ctypes.c_int)),
        (1, ctypes.POINTER(ctypes.c_int)),
        (2, ctypes.POINTER(_WideSlot)),
        (3, ctypes.c_int),
        (4, ctypes.POINTER(ctypes.POINTER(ctypes.c_int))),
    ],
)
def test_a_function_with_another_argument_is_not_called(
    monkeypatch: pytest.MonkeyPatch, place: int, declared: Any
) -> None:
    """A release whose function takes something else in one place is called the slow way, and
    not tried: that would end the process."""
    function: Any = getattr(_bindings, "_wasmtime_func_call_unchecked")  # noqa: B009
    takes = list(function.argtypes)
    assert len(takes) == 5
    takes[place] = declared
    changed = SimpleNamespace(argtypes=takes)
    monkeypatch.setattr(_bindings, "_wasmtime_func_call_unchecked", changed)
    monkeypatch.setattr(wasmtime_call, "_direct", None)
    monkeypatch.setattr(wasmtime_call, "_try_out", lambda: pytest.fail("it was tried"))
    assert not calls_directly()
