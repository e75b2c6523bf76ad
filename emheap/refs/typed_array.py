"""References to arrays whose items a typed array of JavaScript's keeps.

They reach it without the function of the elements in between, which would cost a third of what
an item does.
"""

from __future__ import annotations

from typing import Any, TypeVar

from emheap.refs.array import ArrayRef, OwningArrayRef
from emheap.refs.lifetime import Owner

__all__ = ["typed_array_class"]

T = TypeVar("T")


class TypedArrayRef(ArrayRef[T]):
    __slots__ = ()
    __hash__ = None

    def __getitem__(self, index: Any) -> Any:
        if type(index) is int:
            try:
                return self._elements._array[index]  # type: ignore[attr-defined]
            except IndexError:
                pass  # there is none, or none that is alive
        return ArrayRef.__getitem__(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        elements: Any = self._elements
        if type(value) is int and elements._lowest <= value <= elements._highest:
            try:
                if type(index) is int:
                    array = elements._array
                    array[index]  # which raises where no element is; a store would be lost
                    array[index] = value
                    return
            except IndexError:
                pass
        ArrayRef.__setitem__(self, index, value)


class OwningTypedArrayRef(Owner, TypedArrayRef[T]):
    __slots__ = ()
    __hash__ = None


_CLASSES: dict[Any, Any] = {ArrayRef: TypedArrayRef, OwningArrayRef: OwningTypedArrayRef}


def typed_array_class(cls: Any) -> Any:
    """The class of references to such elements, in place of `cls`."""
    return _CLASSES.get(cls, cls)
