"""Calling functions of a module in wasmtime by the C API, without the objects of wasmtime-py.

``Func.__call__`` asks for the function's type, makes an object for every value and takes 20 times
as long as the call itself. Here the numbers go into an array that is kept, and
``wasmtime_func_call_unchecked`` is called with its address. What that would not notice is noticed
before: the letters of the caller are held against the function's own type, once.

This reaches into wasmtime-py, which has a new major version each month. So a trial decides, once
for each process: a module of its own is called both ways, with every type of number, with a trap,
with an exception in Python, and with a call within a call. If anything differs, or is missing,
calls go through ``Func.__call__``, which does the same, slowly.

A function must not be called in two threads at a time, for wasmtime allows a store to one only.
Within one thread calls may nest: arguments are read before the function runs, and results are
written after it.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from emheap._util.generated import make_function
from emheap.memories.wasmtime_lifetime import Hold

if TYPE_CHECKING:
    import wasmtime

__all__ = ["bind_function", "calls_directly", "expect_callbacks"]

_SLOT = 16
"""The bytes of a ``wasmtime_val_raw_t``."""
_FRAMES = 6 if sys.version_info >= (3, 12) else 12
"""What wasmtime-py takes to call back, and then to say that it could not, and some more to be sure.
Before CPython 3.12 the conversions of ctypes count as frames, too."""


def bind_function(
    store: wasmtime.Store, function: wasmtime.Func, params: str, result: str
) -> Callable[..., Any]:
    """A Python function that calls a module's.

    `params` and `result` are letters of ``struct``, so that an unsigned number stays one; they
    must agree with the function's type. Arguments must be in range: nothing is converted. Raises
    what ``Func.__call__`` raises, for traps, out of fuel, epochs and exceptions of the host.
    """
    bind = _bind_directly if calls_directly() else _bind_slowly
    return bind(store, function, params, result)


# Callbacks

# wasmtime-py calls a Python function by some of its own. Where one of these has no room for its
# frame, ctypes leaves whatever was there as the result. That is taken for the address of a trap,
# which ends the process. So there must be room before a module is called that may call back.

_calling_back: WeakKeyDictionary[Any, list[bool]] = WeakKeyDictionary()


def expect_callbacks(store: Any) -> None:
    """Let calls into a store raise RecursionError where there is no room for a callback."""
    _flag_of(store)[:] = [True]


def _flag_of(store: Any) -> list[bool]:
    """One list for each store: empty as long as nothing in it calls Python."""
    return _calling_back.setdefault(store, [])


def _calling(function: Callable[[], None]) -> Callable[[], None]:
    return lambda: function()


def _no_more() -> None:
    pass


_need_frames = functools.reduce(lambda inner, _: _calling(inner), range(_FRAMES), _no_more)
"""Raises RecursionError unless there is room for so many frames."""


# The slow way


def _bind_slowly(
    store: wasmtime.Store, function: wasmtime.Func, params: str, result: str
) -> Callable[..., Any]:
    convert = [_TO_SIGNED.get(letter) for letter in params]
    lift = _FROM_SIGNED.get(result)
    calls_back = _flag_of(store)

    def call(*arguments: Any) -> Any:
        if calls_back:
            _need_frames()
        given = [
            value if one is None else one(value)
            for one, value in zip(convert, arguments, strict=True)
        ]
        got = function(store, *given)
        return got if lift is None else lift(got)

    return call


def _signed(bits: int) -> Callable[[int], int]:
    half, whole = 1 << bits - 1, 1 << bits
    return lambda value: ((value + half) % whole) - half


def _unsigned(bits: int) -> Callable[[int], int]:
    return lambda value: value % (1 << bits)


_TO_SIGNED: dict[str, Callable[[Any], Any]] = {
    "I": _signed(32),
    "Q": _signed(64),
    "?": int,
}
_FROM_SIGNED: dict[str, Callable[[Any], Any]] = {
    "b": _signed(8),
    "B": _unsigned(8),
    "h": _signed(16),
    "H": _unsigned(16),
    "I": _unsigned(32),
    "Q": _unsigned(64),
    "?": lambda value: value & 255 != 0,
}


# The fast way


def _bind_directly(
    store: wasmtime.Store, function: wasmtime.Func, params: str, result: str
) -> Callable[..., Any]:
    # An i32 is written whole, whatever the parameter's own size.
    letters = ["I" if letter in "?BHI" else "i" if letter in "bhi" else letter for letter in params]
    count = max(len(params), 1)
    slots = (ctypes.c_char * (_SLOT * count))()
    trap = ctypes.c_void_p()
    names: dict[str, Any] = {
        "call": _entry(),
        "context": _address(store._context()),
        "handle": ctypes.addressof(function._func),
        "slots": ctypes.addressof(slots),
        "trap": trap,
        "trap_place": ctypes.addressof(trap),
        "fail": _failure(trap),
        "kept": (_hold(store), function, slots),
        "calls_back": _flag_of(store),
        "need_frames": _need_frames,
    }
    for letter in {*letters, result} - {""}:
        names[f"view_{ord(letter)}"] = memoryview(slots).cast("B").cast(letter)  # type: ignore[call-overload]

    def place(number: int, letter: str) -> str:
        name = f"view_{ord(letter)}"
        return f"{name}[{number * _SLOT // names[name].itemsize}]"

    arguments = [f"a{number}" for number in range(len(params))]
    lines = [f"def run({', '.join(arguments)}):", " if calls_back: need_frames()"]
    lines += [f" {place(n, letter)} = a{n}" for n, letter in enumerate(letters)]
    lines += [f" error = call(context, handle, slots, {count}, trap_place)"]
    lines += [" if error or trap.value: fail(error)"]
    lines += [f" return {place(0, result)}"] if result else []
    return make_function("\n".join(lines), names)


def _hold(store: Any) -> Any:
    """What keeps a store open: a call into one that was closed would end the process."""
    import wasmtime

    return Hold(store) if isinstance(store, wasmtime.Store) else store


def _address(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def _entry() -> Callable[..., int]:
    """The C function. It releases the interpreter's lock, as ``Func.__call__`` does: another
    thread may want to stop the guest, by the engine's epoch."""
    from wasmtime import _ffi

    size, library = ctypes.c_size_t, cast("Any", _ffi).dll
    return ctypes.CFUNCTYPE(size, size, size, size, size, size)(
        ("wasmtime_func_call_unchecked", library)
    )


def _failure(trap: ctypes.c_void_p) -> Callable[[int], None]:
    """A function that raises what ``Func.__call__`` would."""
    from wasmtime import Trap, WasmtimeError, _bindings, _func

    error_pointer = ctypes.POINTER(_bindings.wasmtime_error_t)
    trap_pointer = ctypes.POINTER(_bindings.wasm_trap_t)
    raise_last: Any = _func.maybe_raise_last_exn
    traps: Any = Trap
    errors: Any = WasmtimeError

    def fail(error: int) -> None:
        trapped, trap.value = trap.value, None
        # Made first: the object of C is freed with the one of Python, whichever is raised.
        made = (
            errors._from_ptr(ctypes.cast(error, error_pointer))
            if error
            else traps._from_ptr(ctypes.cast(trapped or 0, trap_pointer))
        )
        raise_last()
        raise made

    return fail


# The trial


_direct: bool | None = None


def calls_directly() -> bool:
    """Whether calls go by the C API, as they do where it behaves as expected."""
    global _direct
    if _direct is None:
        import wasmtime

        lacking = (
            AttributeError,
            TypeError,
            ValueError,
            LookupError,
            RuntimeError,
            ctypes.ArgumentError,
        )
        try:
            _direct = _has_the_function() and _try_out()
        except (*lacking, wasmtime.WasmtimeError, wasmtime.Trap):
            _direct = False
    return _direct


_TRIAL = """(module
  (import "" "again" (func $again (param i32) (result i32)))
  (import "" "raise" (func $raise))
  (func (export "i32") (param i32 i32) (result i32) local.get 0 local.get 1 i32.sub)
  (func (export "i64") (param i64 i64) (result i64) local.get 0 local.get 1 i64.sub)
  (func (export "f32") (param f32 f32) (result f32) local.get 0 local.get 1 f32.sub)
  (func (export "f64") (param f64 f64) (result f64) local.get 0 local.get 1 f64.sub)
  (func (export "trap") unreachable)
  (func (export "raise") call $raise)
  (func (export "nest") (param i32) (result i32)
    local.get 0 i32.const 10 i32.mul local.get 0 call $again i32.add))"""


def _has_the_function() -> bool:
    """Whether wasmtime-py declares the C function as it is called here: with other arguments the
    trial would end the process."""
    from wasmtime import _bindings

    takes: Any = getattr(_bindings, "_wasmtime_func_call_unchecked").argtypes  # noqa: B009
    context, function, slots, count, trap = takes
    return (
        ctypes.sizeof(slots._type_) == _SLOT
        and count is ctypes.c_size_t
        and context._type_ is _bindings.wasmtime_context_t
        and function._type_ is _bindings.wasmtime_func_t
        and trap._type_._type_ is _bindings.wasm_trap_t
    )


def _try_out() -> bool:
    import wasmtime

    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, bytes(wasmtime.wat2wasm(_TRIAL)))
    bound: dict[str, Callable[..., Any]] = {}

    def again(value: int) -> int:
        return bound["nest"](value - 1) if value else 7

    def fail() -> None:
        raise ZeroDivisionError("raised in the trial")

    integer = wasmtime.ValType.i32()
    imports = [
        wasmtime.Func(store, wasmtime.FuncType([integer], [integer]), again),
        wasmtime.Func(store, wasmtime.FuncType([], []), fail),
    ]
    exports: Any = wasmtime.Instance(store, module, imports).exports(store)
    for name, params, result in (
        ("i32", "ii", "i"), ("i64", "qq", "q"), ("f32", "ff", "f"), ("f64", "dd", "d"),
        ("trap", "", ""), ("raise", "", ""), ("nest", "i", "i"),
    ):  # fmt: skip
        bound[name] = _bind_directly(store, exports[name], params, result)
    try:
        return _agree(bound, exports, store)
    finally:
        # The store keeps `again`: it would keep itself, for no collector sees what C has.
        bound.clear()


def _agree(bound: dict[str, Any], exports: Any, store: wasmtime.Store) -> bool:
    numbers = (
        bound["i32"](-(2**31), -1) == exports["i32"](store, -(2**31), -1) == -(2**31) + 1
        and bound["i64"](2**62, -1) == exports["i64"](store, 2**62, -1) == 2**62 + 1
        and bound["f32"](0.5, 2.0) == exports["f32"](store, 0.5, 2.0) == -1.5
        and bound["f64"](0.1, 2.0) == exports["f64"](store, 0.1, 2.0)
        and bound["nest"](3) == exports["nest"](store, 3) == 67
    )
    return numbers and _fails_alike(store, bound, exports)


def _fails_alike(store: wasmtime.Store, bound: dict[str, Any], exports: Any) -> bool:
    import wasmtime

    def outcome(call: Callable[[], Any]) -> Any:
        try:
            call()
        except wasmtime.Trap as trap:
            return trap.trap_code, trap.message
        except ZeroDivisionError as error:
            return str(error)
        return None

    traps = [outcome(call) for call in (bound["trap"], lambda: exports["trap"](store)) * 2]
    raised = [outcome(call) for call in (bound["raise"], lambda: exports["raise"](store)) * 2]
    return len({*traps}) == 1 and traps[0] is not None and raised == ["raised in the trial"] * 4
