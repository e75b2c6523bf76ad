"""What a type is to a heap: a size, an alignment, and nothing of where its bytes live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_origin, overload

from emheap.types.abi import ABI
from emheap.types.fields import Field

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Compound", "Type", "check_type", "likely_type"]

T = TypeVar("T")


class Type(Generic[T]):
    """The base of all emheap types. A type is a class and is never instantiated.

    It is a class, not an instance, so that a checker understands both ``heap.alloc(int32)`` and,
    in a structure, the annotation ``x: int32``.
    """

    name: ClassVar[str]
    """The name in messages and in the flat names of the manager."""
    size: ClassVar[int]
    """Bytes of one value, or of one element of a string."""
    alignment: ClassVar[int]
    """The natural alignment, in bytes."""

    __slots__ = ()

    if TYPE_CHECKING:
        # What checkers need to know of ``x: int32`` in a structure: reading and storing it takes
        # and gives a Python value, and the structure's own attribute is a Field.
        @overload
        def __get__(self, instance: None, owner: Any) -> Field[T]: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> T: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(self, instance: object, value: T) -> None: ...
        def _given(self) -> T: ...
    else:

        def __new__(cls, *_: object, **__: object) -> Any:
            raise TypeError(
                f"{cls.__name__} is a type of memory, not of Python objects: pass the type "
                f"itself, as in heap.alloc({cls.__name__})"
            )

    @classmethod
    def for_abi(cls, abi: ABI) -> type[Self]:
        """The type that C code with this ABI has here; another one for ``long`` and its like."""
        return cls


class Compound:
    """What the kinds that are made of others are: structures and pointers.

    It tells them from numbers and texts without importing what they are made with, which most
    programs do not need.
    """

    __slots__ = ()


def check_type(value: Any, base: type[Any], example: str) -> Any:
    """Return `value` if it is a type derived from `base`; raise TypeError otherwise."""
    if isinstance(value, type) and issubclass(value, base) and hasattr(value, "name"):
        return value
    raise TypeError(f"expected an emheap type such as {example}, got {value!r}{likely_type(value)}")


_OF_OTHERS = {
    "bool": "boolean",
    "float16": "float16",
    "float32": "float32",
    "float64": "float64",
    "int8": "int8",
    "int16": "int16",
    "int32": "int32",
    "int64": "int64",
    "uint8": "uint8",
    "uint16": "uint16",
    "uint32": "uint32",
    "uint64": "uint64",
    "c_float": "float32",
    "c_double": "float64",
    "c_byte": "int8",
    "c_ubyte": "uint8",
    "c_short": "int16",
    "c_ushort": "uint16",
    "c_int": "int32",
    "c_uint": "uint32",
    "c_long": "int64",
    "c_ulong": "uint64",
    "c_bool": "boolean",
    "c_char_p": "utf8",
    "float": "float64",
    "int": "int64",
    "str": "utf8",
    "utf8": "utf8",
}


def likely_type(value: Any) -> str:
    """The advice for a type of numpy, of ctypes or of Python that was passed by mistake, for a
    name, for an address where the type belongs, and for a structure that is generic to type
    checkers alone."""
    if isinstance(value, int):
        return "; the type comes first"
    origin = get_origin(value)
    if isinstance(origin, Compound):
        return f"; it is generic to type checkers alone: pass {origin.__name__}"  # type: ignore[attr-defined]
    named = value if isinstance(value, str) else getattr(value, "__name__", None)
    name = named or getattr(value, "name", None)
    found = _OF_OTHERS.get(name.rstrip("_")) if isinstance(name, str) else None
    return f"; use emheap.{found}" if found else ""
