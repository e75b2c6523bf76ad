"""The flat spelling: ``read_int32`` and its like, made from the table of types.

Each name is wasm-heap-manager's, in snake case. A heap makes a function when its name is first
asked for and keeps it as an attribute of its own, so that calling it costs no more than calling
any function. ``flat_names.pyi`` declares them all; a test compares it with this module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from emheap.refs import make
from emheap.refs.wrapping import array_viewer, scalar_wrapper
from emheap.types import FloatingPoint, Type, scalar_types, text_types, wide_types

__all__ = ["ALLOC_NAMES", "FLAT_NAMES", "AllocNames", "FlatName", "FlatNames"]

Function = Callable[..., Any]


class FlatName:
    """What stands behind one name."""

    __slots__ = ("doc", "kind", "make", "signature")

    def __init__(
        self,
        kind: type[Type[Any]],
        make: Callable[[Any, Any], Function],
        signature: str,
        doc: str,
    ) -> None:
        self.kind = kind
        self.make = make
        """Gives the function for a heap (or an arena) and the type."""
        self.signature = signature
        """As the stub declares it, with ``{value}`` for the Python type of a value."""
        self.doc = doc


def _read(heap: Any, scalar: Any) -> Function:
    return cast(Function, heap._memory.reader(scalar))


def _write(heap: Any, scalar: Any) -> Function:
    return cast(Function, heap._memory.writer(scalar))


def _read_atomic(heap: Any, scalar: Any) -> Function:
    return cast(Function, heap._table.atomics.reader(scalar))


def _write_atomic(heap: Any, scalar: Any) -> Function:
    return cast(Function, heap._table.atomics.writer(scalar))


def _wrap(heap: Any, scalar: Any) -> Function:
    return scalar_wrapper(heap._table, scalar)


def _view_array(heap: Any, scalar: Any) -> Function:
    return array_viewer(heap._table, scalar)


def _wrap_array(heap: Any, scalar: Any) -> Function:
    def wrap(address: int, count: int) -> Any:
        return make.wrap_array(heap._table, scalar, address, count)

    return wrap


def _alloc(heap: Any, scalar: Any) -> Function:
    return cast(Function, heap._scalar_allocator(scalar))


def _alloc_array(heap: Any, scalar: Any) -> Function:
    def allocate(count_or_values: Any, *, align: int | None = None) -> Any:
        return heap._alloc_array(scalar, count_or_values, align, 3)

    return allocate


def _alloc_text(heap: Any, text: Any) -> Function:
    def allocate(text_or_capacity: Any, *, align: int | None = None, errors: str = "strict") -> Any:
        return heap._alloc_text(text, text_or_capacity, align, errors, 3)

    return allocate


def _read_text(heap: Any, text: Any) -> Function:
    return cast(Function, heap._memory.text_reader(text))


def _write_text(heap: Any, text: Any) -> Function:
    return cast(Function, heap._memory.text_writer(text))


def _wrap_text(heap: Any, text: Any) -> Function:
    def wrap(address: int, capacity: int | None = None) -> Any:
        return make.wrap_text(heap._table, text, address, capacity)

    return wrap


_Row = tuple[str, Callable[[Any, Any], Function], str, str]

_WIDE: list[_Row] = [
    ("read_{}", _read, "(address: int) -> {value}", "The {} at an address."),
    ("write_{}", _write, "(address: int, value: {value}) -> None", "Store {} at an address."),
    ("wrap_{}", _wrap, "(address: int) -> ScalarRef[{value}]", "Borrow the {} at an address."),
]
_SCALAR: list[_Row] = [
    *_WIDE,
    ("read_{}_atomic", _read_atomic, "(address: int) -> {value}", "Read {} in one step."),
    (
        "write_{}_atomic",
        _write_atomic,
        "(address: int, value: {value}) -> None",
        "Store {} in one step.",
    ),
    (
        "view_{}_array",
        _view_array,
        "(address: int, count: int) -> memoryview[{value}]",
        "A view of `count` elements of {} at an address, with no copy.",
    ),
    (
        "wrap_{}_array",
        _wrap_array,
        "(address: int, count: int) -> ArrayRef[{value}]",
        "Borrow `count` elements of {} at an address.",
    ),
]
_ALLOC_WIDE: list[_Row] = [
    (
        "alloc_{}",
        _alloc,
        "(initial: {value} | None = None) -> ScalarRef[{value}]",
        "Allocate {}, 0 or `initial`.",
    ),
]
_ALLOC_SCALAR: list[_Row] = [
    *_ALLOC_WIDE,
    (
        "alloc_{}_array",
        _alloc_array,
        "(count_or_values: int | Iterable[{value}] | BufferLike, *, align: int | None = None)"
        " -> ArrayRef[{value}]",
        "Allocate an array of {}: `count` zeros, or the values given.",
    ),
]
_TEXT: list[_Row] = [
    (
        "read_null_terminated_{}_string",
        _read_text,
        '(address: int, max_elements: int | None = None, errors: str = "strict") -> str',
        "The null-terminated {} string at an address.",
    ),
    (
        "write_null_terminated_{}_string",
        _write_text,
        '(address: int, value: str, capacity: int | None = None, errors: str = "strict") -> int',
        "Store a string as {} with its terminator; gives the elements before that.",
    ),
    (
        "wrap_null_terminated_{}_string",
        _wrap_text,
        "(address: int, capacity: int | None = None) -> StringRef",
        "Borrow the null-terminated {} string at an address.",
    ),
]
_ALLOC_TEXT: list[_Row] = [
    (
        "alloc_null_terminated_{}_string",
        _alloc_text,
        '(text_or_capacity: str | int, *, align: int | None = None, errors: str = "strict")'
        " -> StringRef",
        "Allocate a {} string: holding a text, or empty with room for so many elements.",
    ),
]


def _table(scalars: list[_Row], wide: list[_Row], texts: list[_Row]) -> dict[str, FlatName]:
    return {
        name.format(kind.name): FlatName(kind, make, signature, doc.format(kind.name))
        for kinds, rows in ((scalar_types, scalars), (wide_types, wide), (text_types, texts))
        for kind in kinds
        for name, make, signature, doc in rows
    }


ALLOC_NAMES = _table(_ALLOC_SCALAR, _ALLOC_WIDE, _ALLOC_TEXT)
"""The flat names that allocate: what an arena has too."""
FLAT_NAMES = {**_table(_SCALAR, _WIDE, _TEXT), **ALLOC_NAMES}
"""All flat names of a heap."""


class _FlatAttribute:
    """A flat name as an attribute of a class.

    Asked of a heap it makes the function and leaves it there, so that it is asked once; asked of
    the class it gives a function with the signature, for ``help()``, for documentation tools and
    for mocks.
    """

    __slots__ = ("_entry", "_name")

    def __init__(self, name: str, entry: FlatName) -> None:
        self._name = name
        self._entry = entry

    def __get__(self, heap: Any, owner: type[Any]) -> Function:
        entry, name = self._entry, self._name
        if heap is None:
            return _describe(owner, name, entry)
        function = entry.make(heap, entry.kind)
        function.__name__ = name
        function.__qualname__ = f"{type(heap).__name__}.{name}"
        function.__doc__ = entry.doc
        heap.__dict__[name] = function
        return function


def _describe(owner: type[Any], name: str, entry: FlatName) -> Function:
    from inspect import signature

    def describe(heap: Any, *arguments: Any, **options: Any) -> Any:
        return getattr(heap, name)(*arguments, **options)

    value = "float" if issubclass(entry.kind, FloatingPoint) else "int"
    header = f"def {name}{entry.signature.format(value=value)}: ..."
    scope: dict[str, Any] = {}
    exec(f"from __future__ import annotations\n{header}", scope)
    described: Any = describe
    described.__name__, described.__qualname__ = name, f"{owner.__name__}.{name}"
    described.__doc__ = entry.doc
    described.__signature__ = signature(scope[name])
    return describe


class AllocNames:
    """The flat names that allocate."""


class FlatNames(AllocNames):
    """All flat names of a heap."""


for _name, _entry in FLAT_NAMES.items():
    setattr(AllocNames if _name in ALLOC_NAMES else FlatNames, _name, _FlatAttribute(_name, _entry))
