"""Working on a block as on a buffer, also where Python cannot point at its bytes."""

from __future__ import annotations

from typing import Any, Protocol, cast

from emheap.errors import BufferInUseError
from emheap.memories.base import Loan, Memory
from emheap.types import Scalar, WideInteger, uint8

__all__ = ["Edit"]


class _Reference(Protocol):
    """A reference of a heap. Their module imports this one."""

    @property
    def address(self) -> int: ...
    @property
    def allocated_byte_size(self) -> int: ...
    @property
    def _memory(self) -> Memory: ...
    @property
    def _unit(self) -> type[Scalar[Any]]: ...
    def _check_alive(self) -> None: ...
    def _lend(self, scalar: type[Scalar[Any]], count: int, what: str = ...) -> Loan[Any]: ...
    def __bytes__(self) -> bytes: ...


class Edit:
    """The elements of a reference as a memoryview, while a ``with`` block lasts."""

    def __init__(self, ref: _Reference) -> None:
        self._ref = ref
        self._view: memoryview
        self._copy: bytearray | None = None

    def __enter__(self) -> memoryview:
        ref = self._ref
        unit: type[Scalar[Any]] = uint8 if issubclass(ref._unit, WideInteger) else ref._unit
        if ref._memory.zero_copy:
            count = ref.allocated_byte_size // unit.size
            self._view = ref._lend(unit, count, "buffer being edited").view
        else:
            self._copy = bytearray(bytes(ref))
            self._view = memoryview(self._copy).cast(cast(Any, unit.format))
        return self._view

    def __exit__(self, kind: object, *_: object) -> None:
        try:  # noqa: SIM105 (contextlib takes time to import)
            self._view.release()
        except BufferError:
            pass  # an array on the very bytes may go on; one on a copy is dealt with below
        if self._copy is not None and kind is None:
            self._store(self._copy)

    def _store(self, copy: bytearray) -> None:
        ref = self._ref
        ref._check_alive()
        ref._memory.write_bytes(ref.address, memoryview(copy))
        try:
            copy.clear()
        except BufferError:
            raise BufferInUseError(
                f"the changes to {ref!r} were stored, but a slice or an array made of the edited "
                "buffer is still in use, and what is stored there from now on would be lost: let "
                "it go before the with block ends"
            ) from None
