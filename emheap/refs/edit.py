"""Working on a block as on a buffer, also where Python cannot point at its bytes."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from emheap._util.messages import count_of
from emheap.blocks.block import Block
from emheap.errors import BufferInUseError, ShapeError
from emheap.memories.base import Memory
from emheap.memories.elements import Pin
from emheap.memories.window import empty_elements
from emheap.types import Scalar, uint8

__all__ = ["Edit"]

T = TypeVar("T")


class _Reference(Protocol):
    """A reference of a heap. Their module imports this one."""

    @property
    def _memory(self) -> Memory: ...
    @property
    def _unit(self) -> type[Scalar[Any]]: ...
    def _pin(self) -> tuple[Block, Pin]: ...
    def _extent(self, block: Block) -> tuple[int, int]: ...
    def _view_to_edit(self) -> memoryview: ...
    def __bytes__(self) -> bytes: ...


class Edit(Generic[T]):
    """The elements of a reference as a memoryview, while a ``with`` block lasts."""

    def __init__(self, ref: _Reference) -> None:
        self._ref = ref
        self._view: memoryview
        self._copy: bytearray | None = None

    def __enter__(self) -> memoryview[T]:
        ref = self._ref
        if ref._memory.zero_copy:
            self._view = ref._view_to_edit()
        else:
            self._copy = bytearray(bytes(ref))
            code: Any = ref._unit.format or uint8.format
            # One of no bytes cannot be cast.
            self._view = (
                memoryview(self._copy).cast(code) if self._copy else empty_elements(ref._unit)
            )
        return self._view  # type: ignore[return-value]

    def __exit__(self, kind: object, *_: object) -> None:
        try:  # noqa: SIM105 (contextlib takes time to import)
            self._view.release()
        except BufferError:
            pass  # an array on the very bytes may go on; one on a copy is dealt with below
        if self._copy is not None and kind is None:
            self._store(self._copy)

    def _store(self, copy: bytearray) -> None:
        ref = self._ref
        block, pinned = ref._pin()
        try:
            address, size = ref._extent(block)
            if size != len(copy):
                raise ShapeError(
                    f"{ref!r} has {count_of(size, 'byte')} and the copy being edited "
                    f"{len(copy)}: it was resized meanwhile, and the changes are lost; edit it "
                    "after resizing"
                )
            block[2].table.raw_memory.write_bytes(address, memoryview(copy))
        finally:
            pinned.release()
        try:
            copy.clear()
        except BufferError:
            raise BufferInUseError(
                f"the changes to {ref!r} were stored, but a slice or an array made of the edited "
                "buffer is still in use, and what is stored there from now on would be lost: "
                "release or delete it before the with block ends"
            ) from None
