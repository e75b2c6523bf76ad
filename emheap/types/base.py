"""What a type is to a heap: a size, an alignment, and nothing of where its bytes live."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

__all__ = ["Type", "check_type"]

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

    def __new__(cls, *_: object, **__: object) -> Any:
        raise TypeError(
            f"{cls.__name__} is a type of memory, not of Python objects: pass the type itself, "
            f"as in heap.alloc({cls.__name__})"
        )


def check_type(value: Any, base: type[Any], example: str) -> Any:
    """Return `value` if it is a type derived from `base`; raise TypeError otherwise."""
    if isinstance(value, type) and issubclass(value, base) and hasattr(value, "name"):
        return value
    raise TypeError(f"expected an emheap type such as {example}, got {value!r}")
