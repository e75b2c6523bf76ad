"""C's own names, for the signatures of a `Library`: ``from emheap import c``.

To a type checker they are the Python types that go in and come out, so that calls are checked; at
run time they say how C has the value. Numbers have C's names. Beside them:

- `string`: a ``const char *`` parameter; a str is encoded as UTF-8 and passed for the call.
- `text`: a ``const char *`` result, decoded; ``c.text | None`` where it may be null.
- `data`, `buffer`: a ``const void *`` and a ``void *`` parameter: any bytes-like object,
  reference, or pointer, those of ctypes and cffi too. What C writes to a buffer is there
  afterwards, in every backend; one that is read-only, or whose elements lie apart, is refused.
- `out[c.int]`, `pointer[c.float]`: the address of one value, or of an array; `ref[Point]`: of a
  structure. `value[Point]`, or ``Point`` alone, is a structure by value, and ``Pointer[Point]`` a
  pointer that C returns.
- `callback[Callable[[c.int], c.int]]`: a function that C calls.
- `owned("free")`: in ``Annotated[StringRef, c.owned("free")]``, a result to be freed.
- An Enum is C's int and a Flag its unsigned int; `stored` says otherwise.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from emheap.calls.kinds import (
    UINTPTR,
    Buffer,
    Kind,
    Number,
    Owned,
    Reference,
    String,
    Text,
)
from emheap.calls.signature import enumeration_of, kind_of
from emheap.types import Type, utf8
from emheap.types.pointers import PointerTo
from emheap.types.structs import StructType

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import Buffer as BytesLike

    from emheap.calls.callbacks import ScopedCallback
    from emheap.refs import ArrayRef, HeapRef, ScalarRef, StringRef
    from emheap.refs.pointer import Pointer
    from emheap.refs.struct import Struct
    from emheap.refs.struct_array import StructArrayRef

    S = TypeVar("S", bound=Struct)

__all__ = [
    "address", "bool", "buffer", "callback", "char", "data", "double", "float", "int", "int8",
    "int16", "int32", "int64", "int128", "long", "longdouble", "longlong", "out", "owned",
    "pointer", "ref", "short", "size_t", "ssize_t", "stored", "string", "text", "uchar", "uint",
    "uint8", "uint16", "uint32", "uint64", "uint128", "ulong", "ulonglong", "ushort", "value",
    "vararg",
]  # fmt: skip

T = TypeVar("T")
F = TypeVar("F")

bool: TypeAlias = Annotated[builtins.bool, Number("bool", "?")]
char: TypeAlias = Annotated[builtins.int, Number("char", "b")]
uchar: TypeAlias = Annotated[builtins.int, Number("unsigned char", "B")]
short: TypeAlias = Annotated[builtins.int, Number("short", "h")]
ushort: TypeAlias = Annotated[builtins.int, Number("unsigned short", "H")]
int: TypeAlias = Annotated[builtins.int, Number("int", "i")]
uint: TypeAlias = Annotated[builtins.int, Number("unsigned int", "I")]
long: TypeAlias = Annotated[builtins.int, Number("long", "l")]
ulong: TypeAlias = Annotated[builtins.int, Number("unsigned long", "L")]
longlong: TypeAlias = Annotated[builtins.int, Number("long long", "q")]
ulonglong: TypeAlias = Annotated[builtins.int, Number("unsigned long long", "Q")]
size_t: TypeAlias = Annotated[builtins.int, Number("size_t", "N")]
ssize_t: TypeAlias = Annotated[builtins.int, Number("ssize_t", "n")]
float: TypeAlias = Annotated[builtins.float, Number("float", "f")]
double: TypeAlias = Annotated[builtins.float, Number("double", "d")]
longdouble: TypeAlias = Annotated[builtins.float, Number("long double", "g")]
"""Its values pass as floats: those of C are rounded to the nearest, and one beyond raises."""
int8: TypeAlias = Annotated[builtins.int, Number("int8_t", "b")]
uint8: TypeAlias = Annotated[builtins.int, Number("uint8_t", "B")]
int16: TypeAlias = Annotated[builtins.int, Number("int16_t", "h")]
uint16: TypeAlias = Annotated[builtins.int, Number("uint16_t", "H")]
int32: TypeAlias = Annotated[builtins.int, Number("int32_t", "i")]
uint32: TypeAlias = Annotated[builtins.int, Number("uint32_t", "I")]
int64: TypeAlias = Annotated[builtins.int, Number("int64_t", "q")]
uint64: TypeAlias = Annotated[builtins.int, Number("uint64_t", "Q")]
int128: TypeAlias = Annotated[builtins.int, Number("__int128", "t")]
uint128: TypeAlias = Annotated[builtins.int, Number("unsigned __int128", "T")]
address: TypeAlias = Annotated[builtins.int, UINTPTR]
"""An address as a number, which is what `ref.address` is. A reference or a pointer may be passed in
its place, and is held for the call."""


class _Completed:
    """Metadata that makes a kind of what it is the metadata of."""

    def __init__(self, make: Callable[[Any], Kind]) -> None:
        self.complete = make


def owned(free: str, kind: Any = None) -> Any:
    """``Annotated[StringRef, c.owned("free")]``: a result that C hands over, to be freed by its
    function `free`. `kind` is the type of what lies there; a `StringRef` is utf8 without it."""

    def complete(reference: Any) -> Kind:
        return Owned(kind or _type_of_reference(reference), free)

    return _Completed(complete)


def stored(number: Any) -> Any:
    """``Annotated[Color, c.stored(c.uint8)]``: an Enum or Flag whose C type is not int."""

    def complete(members: Any) -> Kind:
        return enumeration_of(members, number_of(number))

    return _Completed(complete)


def number_of(annotation: Any) -> Number:
    """The C number type that a name of this module stands for. Raises TypeError for any other."""
    kind = kind_of(annotation, "the type")
    if not isinstance(kind, Number):
        raise TypeError(f"{kind} is no number of C's: pass a name such as c.long")
    return kind


class vararg:  # noqa: N801 (it stands among C's names)
    """A number of a given C type among variable arguments: ``c.vararg(c.size_t, 5)``.

    Without it an int goes as C's int, or as long long where that is too small, a float as double.
    """

    def __init__(self, kind: Any, value: Any) -> None:
        self.number = number_of(kind)
        self.value = value


def _type_of_reference(reference: Any) -> Any:
    from emheap.refs import StringRef

    if reference is StringRef:
        return utf8
    if isinstance(reference, StructType):
        return reference
    raise TypeError(f"what lies behind {reference!r:.60}? Say it, as in c.owned('free', utf8)")


if TYPE_CHECKING:
    Characters: TypeAlias = str | bytes | bytearray | StringRef | ArrayRef[builtins.int]
    string: TypeAlias = Annotated[Characters | Pointer[Any] | None, String()]
    text: TypeAlias = Annotated[str, Text()]
    Bytes: TypeAlias = BytesLike | HeapRef[Any] | Pointer[Any]
    data: TypeAlias = Annotated[Bytes | None, Buffer(constant=True)]
    buffer: TypeAlias = Annotated[Bytes | None, Buffer()]
    out: TypeAlias = Annotated[ScalarRef[T] | ArrayRef[T] | None, "out"]
    pointer: TypeAlias = Annotated[
        ArrayRef[T] | ScalarRef[T] | BytesLike | Pointer[Any] | None, "pointer"
    ]
    ref: TypeAlias = Annotated[S | Pointer[S] | StructArrayRef[S] | None, "ref"]
    value: TypeAlias = Annotated[S, "value"]
    callback: TypeAlias = Annotated[F | ScopedCallback[F] | None, "callback"]
else:
    string = Annotated[Any, String()]
    text = Annotated[str, Text()]
    data = Annotated[Any, Buffer(constant=True)]
    buffer = Annotated[Any, Buffer()]

    class _Generic:
        """``c.out[...]`` and its like: makes a kind of what stands between the brackets."""

        def __init__(self, make: Callable[[Any], Kind]) -> None:
            self._make = make

        def __getitem__(self, argument: Any) -> Any:
            return Annotated[Any, self._make(argument)]

    def _target(argument: Any) -> Any:
        """A type of emheap's, or the number that a name of C's stands for."""
        known = isinstance(argument, (PointerTo, StructType)) or argument is Any
        if known or (isinstance(argument, type) and issubclass(argument, Type)):
            return argument
        kind = kind_of(argument, "what is pointed to")
        if isinstance(kind, Number) and kind.format in "gtT":
            raise TypeError(
                f"what is pointed to is {kind}, of which emheap has no type of memory: pass "
                "c.buffer, and bytes that are aligned to 16, as heap.alloc_array(uint8, 16, "
                "align=16) has them"
            )
        return kind

    out = _Generic(lambda argument: Reference(_target(argument), "out"))
    pointer = _Generic(lambda argument: Reference(_target(argument), "pointer"))
    ref = _Generic(lambda argument: Reference(_target(argument), "ref"))
    value = _Generic(lambda argument: kind_of(argument, "a value"))
    callback = _Generic(lambda argument: kind_of(argument, "a callback"))
