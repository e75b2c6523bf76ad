"""Sharing the bytes of an array with numpy and with other consumers of buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emheap.errors import NotSupportedError
from emheap.memories.base import Memory
from emheap.refs.base import HeapRef, as_bytes
from emheap.types import uint8
from emheap.types.scalars import BYTE_ORDER

if TYPE_CHECKING:
    import numpy

__all__ = ["array_interface", "import_numpy", "to_numpy"]


def _cannot_share(memory: Memory) -> str:
    """Why nothing outside of Python's reach can be a buffer, and what to do instead."""
    return (
        f"no numpy array can share the bytes of {memory.name}: work on a copy "
        "with array.edit(), which stores it back, or take array[:] or bytes(array)"
    )


def array_interface(ref: HeapRef[Any]) -> dict[str, Any]:
    """What numpy asks an array for; raises AttributeError where numpy has no such type."""
    # A view of its own, for numpy keeps the object but not a buffer of it: given the bare address,
    # the array would not be seen to use the block.
    unit = ref._unit
    if not unit.format:
        raise AttributeError(f"numpy has no type for {unit.name}")
    if not ref._memory.zero_copy:
        # Without this numpy would copy the elements, and what is stored there be lost.
        raise NotSupportedError(_cannot_share(ref._memory))
    kind = "f" if unit.format in "fd" else "i" if unit.format.islower() else "u"
    # Before its length, for another thread may resize the block; numpy does not compare the two.
    data = _buffer_for_numpy(ref)
    return {
        "version": 3,
        "shape": (memoryview(data).nbytes // unit.size,),
        "typestr": f"{BYTE_ORDER if unit.size > 1 else '|'}{kind}{unit.size}",
        "data": data,
    }


def _buffer_for_numpy(ref: HeapRef[Any]) -> Any:
    if not ref._exports():
        return ref._lend(uint8, ref.allocated_byte_size, "numpy array").exporter
    # Not one to be released when the block is freed, for numpy would look through it still.
    return ref._view(as_bytes, uint8, "numpy array", recalled=False)


def to_numpy(ref: Any) -> numpy.ndarray[Any, Any]:
    """A writable numpy array on the elements of an array."""
    made: numpy.ndarray[Any, Any] = import_numpy(ref).asarray(ref.view)
    return made


def import_numpy(ref: HeapRef[Any]) -> Any:
    """The module, for an array on the bytes of a reference. Raises where there can be none."""
    ref._check_alive()  # a use after free is the worse of two mistakes
    if not ref._memory.zero_copy:
        raise NotSupportedError(_cannot_share(ref._memory))
    try:
        import numpy
    except ImportError:
        raise ImportError(
            "numpy() needs numpy: pip install numpy, or in Pyodide "
            'await pyodide_js.loadPackage("numpy")'
        ) from None
    return numpy
