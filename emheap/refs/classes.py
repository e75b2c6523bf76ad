"""Which class a reference has, by the type of what it refers to."""

from __future__ import annotations

from typing import Any

from emheap.refs import array as arrays
from emheap.refs import scalar as scalars

__all__ = ["array_ref_class", "owning_scalar_ref", "wrapping_scalar_ref"]


def owning_scalar_ref(scalar: Any) -> Any:
    """The class of a reference that owns a `scalar`."""
    if scalar.pointee is not None:
        from emheap.refs.pointer import OwningPointerRef

        return OwningPointerRef
    return scalars.owning_scalar_ref(scalar)


def wrapping_scalar_ref(scalar: Any) -> Any:
    """The class of a reference that borrows a `scalar`."""
    if scalar.pointee is not None:
        from emheap.refs.pointer import PointerRef

        return PointerRef
    return scalars.wrapping_scalar_ref(scalar)


def array_ref_class(scalar: Any, owning: bool) -> Any:
    """The class of a reference to an array of `scalar`."""
    if scalar.pointee is not None:
        from emheap.refs.pointer import OwningPointerArrayRef, PointerArrayRef

        return OwningPointerArrayRef if owning else PointerArrayRef
    return arrays.array_ref_class(scalar, owning)
