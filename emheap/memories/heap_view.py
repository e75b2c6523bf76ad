"""Views with memoryview's interface, on memories whose bytes Python cannot share."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, cast, overload

from emheap._util.messages import count_of
from emheap._util.released import not_released
from emheap._util.sequences import index_in
from emheap.errors import NotSupportedError
from emheap.memories.base import Loan, Memory
from emheap.memories.window import empty_elements
from emheap.types import Scalar, stored_types

__all__ = ["HeapView", "lend_indirectly"]

T = TypeVar("T")


class _Exporter:
    """Lives as long as a view or a slice of one."""


class HeapView(Sequence[T]):
    """A view on elements of a memory that may move, or that another language owns.

    It has the interface of a memoryview of one dimension: indexing, slicing, assignment, iteration,
    comparison and release; slices are views on the same elements. Every access goes through the
    memory, so the view stays right when the memory grows. ``view[:] = data`` and ``view.tolist()``
    move all elements in one step. It is not a buffer, so ``memoryview()`` and ``numpy.asarray()``
    do not take it; they take ``view.tobytes()``, which is a copy.
    """

    __slots__ = (
        "__weakref__",
        "_address",
        "_exporter",
        "_memory",
        "_positions",
        "_scalar",
        "readonly",
    )
    __hash__ = None  # type: ignore[assignment]

    ndim = 1
    suboffsets = ()
    readonly: bool

    def __init__(
        self,
        memory: Memory,
        scalar: type[Scalar[T]],
        address: int,
        positions: range,
        exporter: Any,
        readonly: bool = False,
    ) -> None:
        self._memory = memory
        self._scalar = scalar
        self._address = address
        self._positions = positions
        self._exporter = exporter
        self.readonly = readonly

    # What it is

    @property
    def format(self) -> str:
        """The code of ``struct`` for one element."""
        return self._scalar.format

    @property
    def itemsize(self) -> int:
        """The bytes of one element."""
        return self._scalar.size

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return len(self) * self._scalar.size

    @property
    def shape(self) -> tuple[int]:
        """The number of elements, as a tuple of one."""
        return (len(self),)

    @property
    def strides(self) -> tuple[int]:
        """The bytes from one element to the next, as a tuple of one."""
        return (self._positions.step * self._scalar.size,)

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie side by side."""
        return self._positions.step == 1 or len(self) < 2

    c_contiguous = f_contiguous = contiguous

    def _check_alive(self) -> Any:
        """What keeps the block from being freed for as long as the result is at hand."""
        exporter = self._exporter
        if exporter is None:
            raise ValueError("operation forbidden on released view")
        return exporter

    def __len__(self) -> int:
        self._check_alive()
        return len(self._positions)

    def _javascript_number(self) -> int:
        raise TypeError("a view is no address: pass the reference that it is of, or its address")

    # Elements

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> HeapView[T]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            self._check_alive()
            return self._part(self._positions[index])
        index = operator.index(index)  # may run the user's code: before the look
        _pinned = self._check_alive()
        return self._memory.cached_reader(self._scalar)(self._locate(index))

    @overload
    def __setitem__(self, index: int, value: T) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Any) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        if self.readonly:
            self._check_alive()
            raise TypeError("cannot modify read-only memory")
        if isinstance(index, slice):
            self[index]._store(value)
        else:
            index = operator.index(index)
            if type(value) not in (int, float):
                value = self._scalar.encode(value)
            _pinned = self._check_alive()
            self._memory.cached_writer(self._scalar)(self._locate(index), value)

    def _locate(self, index: Any) -> int:
        try:
            position = self._positions[operator.index(index)]
        except IndexError:
            elements = count_of(len(self._positions), "element")
            raise IndexError(f"index {index} is outside the {elements} of the view") from None
        return self._address + position * self._scalar.size

    def __iter__(self) -> Iterator[T]:
        for index in range(len(self)):
            yield self[index]

    # Other views on the same bytes

    def _part(self, positions: range, readonly: bool = False) -> HeapView[T]:
        return HeapView(
            self._memory,
            self._scalar,
            self._address,
            positions,
            self._exporter,
            readonly or self.readonly,
        )

    def toreadonly(self) -> HeapView[T]:
        """A read-only view on the same elements."""
        self._check_alive()
        return self._part(self._positions, readonly=True)

    def cast(self, format: str) -> HeapView[Any]:  # noqa: A002 (its name in memoryview)
        """A view on the same bytes as elements of another format; one of the two must be bytes.

        Raises TypeError if the bytes do not divide into elements, or are not contiguous.
        """
        self._check_alive()
        scalar = stored_types.get(format.removeprefix("@"))
        if scalar is None:
            raise ValueError(
                f"cast takes one of the formats {' '.join(stored_types)}, not {format!r}"
            )
        if scalar.size > 1 and self._scalar.size > 1:
            raise TypeError("memoryview: cannot cast between two non-byte formats")
        if not self.contiguous:
            raise TypeError("cannot cast a view whose elements are not contiguous")
        count, rest = divmod(self.nbytes, scalar.size)
        if rest:
            raise TypeError(
                f"{self.nbytes} bytes are not a multiple of the {scalar.size} of {scalar.name}"
            )
        low, _, _ = self._span()
        address = self._address + low * self._scalar.size
        return HeapView(self._memory, scalar, address, range(count), self._exporter, self.readonly)

    # Whole runs

    def tobytes(self) -> bytes:
        """A copy of the elements' bytes."""
        return self._copy_elements().tobytes()

    __bytes__ = tobytes

    def hex(self, *separator: Any) -> str:
        """The elements' bytes in hexadecimal, as ``bytes.hex`` gives them."""
        return self.tobytes().hex(*separator)

    def tolist(self) -> list[T]:
        """The elements as Python numbers."""
        return cast("list[T]", self._copy_elements().tolist())

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """The index of the first element equal to `value`; raises ValueError if no element is."""
        return index_in(len(self), self.tolist, value, start, stop, self.__repr__)

    def _copy_elements(self) -> memoryview:
        """A copy of the elements. Raises ValueError if the view was released."""
        _pinned = self._check_alive()
        low, count, step = self._span()
        size = self._scalar.size
        if not count:
            return empty_elements(self._scalar)
        data = self._memory.read_bytes(self._address + low * size, count * size)
        run = memoryview(data).cast(cast(Any, self._scalar.format))
        return run[::step]

    def _span(self) -> tuple[int, int, int]:
        """The lowest position, how many elements lie from it to the highest, and the step."""
        positions = self._positions
        if not positions:
            return 0, 0, 1
        low, high = min(positions[0], positions[-1]), max(positions[0], positions[-1])
        return low, high - low + 1, positions.step

    def _store(self, source: Any) -> None:
        values = (
            source._copy_elements()
            if isinstance(source, HeapView)
            else memoryview(not_released(source, "a view"))
        )
        if values.format.lstrip("@") != self._scalar.format or values.shape != self.shape:
            raise ValueError(
                f"a slice of {count_of(len(self), 'element')} of format {self._scalar.format!r} "
                f"takes a buffer like it, not {count_of(len(values), 'element')} of format "
                f"{values.format!r}"
            )
        _pinned = self._check_alive()
        low, count, step = self._span()
        if not count:
            return
        if step == 1:
            self._memory.write_bytes(self._address + low * self._scalar.size, values.tobytes())
        else:
            for position, value in zip(self._positions, values, strict=True):
                address = self._address + position * self._scalar.size
                self._memory.cached_writer(self._scalar)(address, cast(T, value))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if not copy:
            # numpy would take the elements one by one, and what is stored in its array be lost.
            raise NotSupportedError(
                f"no numpy array can share the bytes of {self._memory.name}: "
                "make a copy with numpy.array(view.tolist(), view.format) and store it with "
                "view[:] = copy"
            )
        import numpy

        return numpy.array(self.tolist(), dtype or self._scalar.format)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, HeapView):
            if self._exporter is None or other._exporter is None:
                return self is other
            return self._copy_elements() == other._copy_elements()
        try:
            buffer = memoryview(cast(Any, other))
        except TypeError:
            return NotImplemented
        except ValueError:  # a released memoryview equals nothing but itself
            return False
        return self._exporter is not None and self._copy_elements() == buffer

    # Its life

    def release(self) -> None:
        """Release the view: reaching its elements raises ValueError. Slices of it stay valid."""
        self._exporter = None

    def __enter__(self) -> HeapView[T]:
        self._check_alive()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        if self._exporter is None:
            return "<released HeapView>"
        return f"<HeapView of {len(self)} {self._scalar.name} in {self._memory.name}>"


def lend_indirectly(
    memory: Memory, scalar: type[Scalar[Any]], address: int, count: int
) -> Loan[HeapView[Any]]:
    """A view on `count` elements at an address that was checked."""
    exporter = _Exporter()
    stored = stored_types.get(scalar.format, scalar)
    return Loan(HeapView(memory, stored, address, range(count), exporter), exporter)
