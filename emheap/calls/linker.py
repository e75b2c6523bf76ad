"""The contract of a linker: how one backend finds, checks and calls C's functions.

A linker deals in numbers only. Everything else, strings, references, structures, is turned into
numbers by `lowering` and `arguments`, in the same way for every backend.
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple
from weakref import ref

from emheap.allocators.base import Allocator
from emheap.calls.temporaries import Temporaries
from emheap.errors import UseAfterFreeError
from emheap.memories.base import Memory
from emheap.types.abi import ABI, WASM32, WASM64

__all__ = [
    "EXPORT_STACK",
    "UNCAUGHT",
    "WASM_TYPES",
    "CallbackEntry",
    "Convention",
    "Linker",
    "TrapReport",
    "Wire",
    "exited",
    "trapped",
    "weakly",
]

WASM_TYPES = {
    "?": "i32", "b": "i32", "B": "i32", "h": "i32", "H": "i32", "i": "i32", "I": "i32",
    "q": "i64", "Q": "i64", "f": "f32", "d": "f64", "P": "i32",
}  # fmt: skip
"""The WebAssembly type that carries each of ``struct``'s letters; addresses in Pyodide's heap."""


@dataclass(frozen=True)
class Convention:
    """How large C's types are, and how their values travel."""

    is_wasm: bool
    abi: ABI

    def letter(self, format: str) -> str:  # noqa: A002 (what struct calls it)
        """The letter of fixed size for a letter whose size the ABI decides."""
        if format in "lL":
            wide, narrow = ("q", "i") if format == "l" else ("Q", "I")
            return wide if self.abi.long_size == 8 else narrow
        if format in "nN":
            wide, narrow = ("q", "i") if format == "n" else ("Q", "I")
            return wide if self.abi.pointer_size == 8 else narrow
        long_double: type = ctypes.c_longdouble  # which is c_double where C has it so
        if format == "g" and long_double is ctypes.c_double and not self.passes_as_wasm:
            return "d"
        return format

    @property
    def passes_as_wasm(self) -> bool:
        """Whether what is no single number of up to 8 bytes goes as in WebAssembly: in Pyodide's
        own process, too."""
        return self.abi in (WASM32, WASM64)

    @property
    def address(self) -> str:
        """The letter of an address."""
        if not self.is_wasm:
            return "P"
        return "Q" if self.abi.pointer_size == 8 else "I"


class Wire(NamedTuple):
    """A function as the machine sees it: letters of ``struct``, or a ctypes structure where one
    goes by value; the result is empty for void."""

    params: tuple[Any, ...]
    result: Any
    variadic: bool = False

    def wasm(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The function type in WebAssembly."""
        results = (WASM_TYPES[self.result],) if self.result else ()
        return tuple(WASM_TYPES[letter] for letter in self.params), results


class TrapReport(NamedTuple):
    """What an exception means that came out of C."""

    reason: str
    closes: bool = False
    """Whether nothing can be called any more."""


EXPORT_STACK = (
    "link it with -Wl,--export=__stack_pointer, and with clang before 15 compile it with "
    "-mmutable-globals"
)
"""What lets the stack of a module be put back."""

UNCAUGHT = TrapReport("it threw a C++ exception, which nothing in it caught")


def exited(status: object) -> TrapReport:
    """What ``exit`` means."""
    return TrapReport(f"its program ended with status {status}", closes=True)


def trapped(reason: str, function: str) -> TrapReport:
    """What a trap means, in the innermost function, as far as its name is known.

    WASI's ``abort`` is nothing but a trap, so that its name alone tells it from others.
    """
    if "unreachable" not in reason:
        return TrapReport(reason)
    if function == "abort":
        return TrapReport("it called abort()", closes=True)
    place = f" in {function}()" if function else ""
    return TrapReport(f"unreachable code{place}: abort(), a failed assertion, or __builtin_trap()")


class CallbackEntry(NamedTuple):
    """Where C calls a Python function."""

    address: int
    keep: Any
    """What has to live as long as C may call it."""


def weakly(adapter: Callable[..., Any]) -> Callable[..., Any]:
    """A function that calls another one as long as that lives.

    It is what a module gets for a callback or an import. The function itself has the heap, and the
    heap the module: through an engine, into which Python's garbage collector does not look, they
    would keep each other for ever.
    """
    reference = ref(adapter)

    def call(*arguments: Any) -> Any:
        function = reference()
        if function is None:
            raise UseAfterFreeError("C called a Python function of a heap that is gone")
        return function(*arguments)

    return call


class Linker(ABC):
    """One module's, or one shared library's, functions."""

    name: str
    """What messages call it."""
    convention: Convention
    can_trap: ClassVar[bool] = False
    """Whether C's failures show as exceptions."""
    argument_templates: ClassVar[Mapping[str, str]] = {}
    """Python source, by letter, that turns a checked number into what `raw` takes; a letter
    without one needs nothing."""
    result_templates: ClassVar[Mapping[str, str]] = {}
    """The same for what `raw` gives."""
    callback_argument_templates: ClassVar[Mapping[str, str]] = {}
    """The same for the numbers that C calls a callback with."""
    callback_result_templates: ClassVar[Mapping[str, str]] = {}
    """The same for what a callback returns."""
    template_names: ClassVar[Mapping[str, Any]] = {}
    """What the templates name."""
    code_outlives_library: ClassVar[bool] = False
    """Whether C can call back after the library is gone here."""
    no_stack: ClassVar[str] = ""
    """What to say after a trap where `stack_mark` gives None."""

    @abstractmethod
    def names(self) -> Iterable[str]:
        """The functions there are, where that can be known."""

    @abstractmethod
    def find(self, name: str) -> Any:
        """The symbol of a function, or None."""

    @abstractmethod
    def missing(self, name: str) -> str:
        """What to do about a function that is not there."""

    def check(self, name: str, symbol: Any, wire: Wire) -> str:
        """Why the module's own type of a function contradicts `wire`; empty if it does not, or if
        that cannot be known."""
        return ""

    @abstractmethod
    def raw(self, symbol: Any, wire: Wire) -> Callable[..., Any]:
        """A function of numbers."""

    def unless_closed(self, free: Callable[[int], Any]) -> Callable[[int], Any]:
        """`free`, for results that may be collected in one go with the memory that they lie in."""
        return free

    @abstractmethod
    def function_at(self, address: int) -> Any:
        """The symbol of the function that a pointer points to. Raises OutOfBoundsError if there
        is no function there, as far as that can be known."""

    def make_temporaries(self, memory: Memory, allocator: Allocator) -> Temporaries:
        """What holds copies of arguments on a heap of this backend's."""
        return Temporaries(memory, allocator)

    def loop_over(self, symbol: Any, wire: Wire) -> Any:
        """The symbol of a function that calls another one for each element of arrays; see
        `mapping`. None where a loop in Python does as well."""
        return None

    @abstractmethod
    def make_callback(self, wire: Wire, adapter: Callable[..., Any]) -> CallbackEntry:
        """Let C call `adapter`, which takes and gives numbers and never raises, as long as the
        caller keeps it and the entry."""

    def explain(self, error: BaseException) -> TrapReport | None:
        """What an exception that came out of a call means; None if it is not C's."""
        return None

    def stack_mark(self) -> Any:
        """Where the stack of C ends now; None where it cannot be known, or unwinds by itself."""
        return None

    def stack_restore(self, mark: Any) -> None:  # noqa: B027 (most have nothing to do)
        """Put the end of the stack back."""
