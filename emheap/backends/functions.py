"""The functions that a module allocates by: which they are, and whether they can be called so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from emheap._util.checks import check_choice
from emheap.allocators.base import Allocator
from emheap.allocators.functions import FunctionsAllocator, check_function
from emheap.allocators.pool import PoolAllocator
from emheap.errors import ForeignTrapError, NotSupportedError

if TYPE_CHECKING:
    from emheap.calls.linker import TrapReport

__all__ = [
    "PINNED",
    "AllocatorChoice",
    "Function",
    "allocator_exports",
    "check_bare_memory",
    "make_allocator",
    "missing_function",
    "pages_refusal",
    "reporting_traps",
    "trap_error",
    "wrong_signature",
    "wrong_type",
]


class AllocatorChoice(NamedTuple):
    """What the caller of an opener said of the module's allocator."""

    malloc: Any
    free: Any
    sized_free: bool = False
    aligned: bool = False
    wrap_only: bool = False

    def check(self) -> AllocatorChoice:
        """Return self. Raises TypeError or ValueError for a flag that is not a bool."""
        for name in ("sized_free", "aligned", "wrap_only"):
            check_choice(getattr(self, name), name, (True, False))
        return self

    def on_bare_memory(self) -> AllocatorChoice:
        """The choice for a memory alone, which has no exports to name: two functions, or pages.

        Raises TypeError where one function is given, or a name.
        """
        pair = (self.malloc, self.free)
        if self.wrap_only or all(map(callable, pair)):
            return self
        if pair not in (("malloc", "free"), (None, None)):
            # Not its repr(): what Firefox says of a function of WebAssembly has several lines.
            malloc, free = ("a function" if callable(each) else f"{each!r:.60}" for each in pair)
            raise TypeError(
                f"a bare memory has no exports, so malloc={malloc} and free={free} must both be "
                "functions, or both be left out to have blocks in pages that are added to it"
            )
        return self._replace(malloc=None, free=None)

    def parameters(self, what: str) -> list[str]:
        """What the heap passes to one of the two functions."""
        names = ["size"] if what == "malloc" else ["address", "size"][: 1 + self.sized_free]
        if self.aligned and (what == "malloc" or self.sized_free):
            names.append("alignment")
        return names


class Function(NamedTuple):
    """One of the two functions."""

    name: str
    call: Callable[..., Any]
    takes: int | None
    """How many arguments it takes; None where that cannot be known."""


def check_bare_memory(memory: Any, named: Any) -> None:
    """Raise TypeError for what `memory=` says beside a bare memory, unless that is itself."""
    if named != "memory" and named is not memory and named != memory:
        raise TypeError("a bare memory is the heap's memory itself: leave out memory=")


def wrong_type(what: str, value: Any) -> TypeError:
    """The error for a `malloc` or a `free` that is neither a name nor a function."""
    return TypeError(f"{what} must be the name of an export or a function, not {value!r:.60}")


def wrong_signature(
    what: str, name: str, takes: Iterable[str], gives: Iterable[str], integer: str
) -> NotSupportedError:
    """The error for a function that deals in other types than addresses and sizes."""
    expected = [integer] * (what == "malloc")
    return NotSupportedError(
        f"{name!r} cannot be the module's {what}: it takes {[*takes]} and gives {[*gives]}, "
        f"and {what} takes ['{integer}'] and gives {expected}"
    )


def reporting_traps(
    name: str,
    function: Callable[..., Any],
    kinds: tuple[type[BaseException], ...],
    explain: Callable[[BaseException], TrapReport | None],
) -> Callable[..., Any]:
    """`function`, which raises a ForeignTrapError for an error of one of `kinds`, if `explain`
    knows what it means. Raises TypeError for a function that does its work later."""
    check_function(name, function)

    def call(*arguments: int) -> Any:
        try:
            return function(*arguments)
        except kinds as error:
            report = explain(error)
            if report is None:
                raise
            raise trap_error(name, arguments, report) from error

    return call


def trap_error(name: str, arguments: Iterable[int], report: TrapReport) -> ForeignTrapError:
    """The error for one of the two functions, which did not return."""
    text = (
        f"the module's {name}({', '.join(map(str, arguments))}), which the heap called, did not "
        f"return: {report.reason}"
    )
    if report.closes:
        text += "; the module cannot go on: make a new one, and open that"
    made = ForeignTrapError(text)
    made.reason, made.function = report.reason, name
    return made


def make_allocator(
    choice: AllocatorChoice, malloc: Function, free: Function, pointer_size: int, *, pool: bool
) -> Allocator:
    """An allocator that calls two functions, once their numbers of parameters are right.

    With `pool`, small freed blocks are kept for the next allocation of their size. A free that is
    given a size must get the one that was asked for, which a pool would round up.

    Raises NotSupportedError for functions that cannot be called as the heap would.
    """
    if malloc.name in PINNED and malloc.takes == 2:
        raise NotSupportedError(_advice(malloc, free))
    for what, function in (("malloc", malloc), ("free", free)):
        parameters = choice.parameters(what)
        if function.takes is not None and function.takes != len(parameters):
            raise NotSupportedError(
                f"{function.name!r} cannot be the module's {what}: it takes {function.takes} "
                f"arguments, and would be called with {len(parameters)} "
                f"({', '.join(parameters)}); {_advice(malloc, free)}"
            )
    made = FunctionsAllocator(
        malloc.call,
        free.call,
        pointer_size,
        sized_free=choice.sized_free,
        aligned=choice.aligned,
    )
    return PoolAllocator(made) if pool and not choice.sized_free else made


_OWN_FUNCTIONS = "pass functions of your own as malloc= and free=, which call them as they want it"
_CONVENTIONS = {
    (1, 1): "leave out sized_free= and aligned=",
    (1, 2): "if {free} takes the size after the address, as Rust's usual dealloc(address, size) "
    "is, pass sized_free=True",
    (2, 3): "if {malloc} takes an alignment after the size, and {free} both after the address, as "
    "wasm-bindgen's functions do, pass sized_free=True, aligned=True",
}
PINNED = ("__new", "__alloc")
"""AssemblyScript's: of a size and the number of a class, which looks like an alignment."""


def _advice(malloc: Function, free: Function) -> str:
    """How to have two functions called as they take their arguments."""
    names = {"malloc": repr(malloc.name), "free": repr(free.name)}
    if malloc.name in PINNED:
        return (
            f"{names['malloc']} is AssemblyScript's, whose garbage collector frees what is not "
            "pinned: pass functions, malloc=lambda size: pin(new(size, 1)), free=unpin"
        )
    taken = (malloc.takes or 1, free.takes or 1)
    if taken in _CONVENTIONS:
        return f"{_CONVENTIONS[taken].format(**names)}; otherwise {_OWN_FUNCTIONS}"
    return f"name others, or {_OWN_FUNCTIONS}"


_ALLOCATORS = ["free", "libcfree", "sbrk", "memalign", "delete"]
"""Names of an allocator's functions, in small letters and without underscores, beside those that
have "alloc" in them."""
_RUNTIMES = """
__new __pin __unpin __alloc __retain __release __collect __rtti_base getsp resume go_scheduler
_initialize _start
"""
"""AssemblyScript's and Go's run-time systems, and the start of a program with a C library."""


def allocator_exports(names: Iterable[str]) -> list[str]:
    """Those of a module's exports that show that it has an allocator of its own."""
    return [name for name in names if _shows_allocator(name)]


def _shows_allocator(name: str) -> bool:
    plain = name.replace("_", "").lower()
    named_so = any(part in name for part in ("alloc", "Alloc", "ALLOC"))  # not original_location
    # Those that wasm-bindgen makes are for Rust, whose own allocator its later releases export
    # as __wbindgen_export_0 and the like.
    known = name in _RUNTIMES.split() or name.startswith("__wbindgen_")
    return known or named_so or plain in _ALLOCATORS


def pages_refusal(names: list[str]) -> NotSupportedError:
    """The error for pages of our own beside an allocator, of which `names` are exports."""
    return NotSupportedError(
        f"malloc=None, free=None is for modules that never allocate, and this one exports "
        f"{', '.join(names):.200}: many allocators claim every page of the memory, "
        "no matter which code added it; name its functions as malloc= and free=, or pass "
        "wrap_only=True for a heap that allocates nothing"
    )


def missing_function(what: str, name: str, names: Iterable[str], *, pages: bool = True) -> str:
    """What to do where a module, which exports `names`, does not export its `what`.

    Without `pages` the heap cannot have pages of its own.
    """
    cures = [f"link it with -Wl,--export={name}", f"name another function as {what}="]
    theirs = allocator_exports(names)
    if theirs:
        cures[-1] += f" (its {', '.join(theirs):.200} may belong to an allocator)"
    elif pages:
        cures.append("pass malloc=None, free=None if no code in the module ever allocates")
    return f"{', '.join(cures)}, or pass wrap_only=True for a heap that allocates nothing"
