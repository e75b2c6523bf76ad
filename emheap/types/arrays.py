"""Many elements at once: what a user passes as the contents of an array, as bytes, and back."""

from __future__ import annotations

import array
import struct
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from emheap._util.messages import raise_at
from emheap._util.platform import IN_PYODIDE
from emheap._util.released import not_released
from emheap.errors import ShapeError
from emheap.types.c_scalars import boolean, char
from emheap.types.scalars import BYTE_ORDER, MAX_POINTER53, FloatingPoint, Scalar, is_masked
from emheap.types.wide import as_wide

if TYPE_CHECKING:
    from typing import Protocol, TypeAlias

    from typing_extensions import Buffer

    class _NumpyArray(Protocol):
        """What numpy's arrays are known by: before Python 3.12 checkers do not see that they are
        buffers."""

        @property
        def __array_interface__(self) -> dict[str, Any]: ...

    BufferLike: TypeAlias = Buffer | _NumpyArray

__all__ = ["decode_elements", "encode_elements", "encode_value", "stored_numbers"]

T = TypeVar("T")
Encode = Callable[[Any], Any]

_SAME_KIND = {
    **dict.fromkeys("bhilqn", "bhiq"),
    **dict.fromkeys("BHILQN", "BHIQ"),
    **dict.fromkeys("fd", "fd"),  # memoryview cannot read "e", which numpy's float16 has
    "?": "?",
}
"""For each code of a buffer, those of its kind whose size is the same on every machine."""


def encode_elements(
    scalar: type[Scalar[Any]], source: Any, encode: Encode | None = None
) -> bytes | memoryview:
    """The bytes of an array of `scalar` with the elements of `source`, as `stored_numbers` gives
    them; the result may be a view of `source`."""
    numbers = stored_numbers(scalar, source, encode)
    if isinstance(numbers, bytes):
        return numbers
    view = memoryview(numbers)
    return view.cast("B") if view.nbytes else b""


def stored_numbers(scalar: type[Scalar[Any]], source: Any, encode: Encode | None = None) -> Any:
    """The elements of `source` as they are stored in an array of `scalar`: a buffer in the format
    of `scalar`, or the bytes where memoryview knows none.

    `source` is a buffer of one dimension or an iterable. A buffer is a sequence of its elements:
    bytes-likes hold integers of one byte, whatever `scalar` is. Where the elements have the form
    of `scalar` already, the result is a view of `source`, not a copy. Elements that are no numbers
    of Python's go through `encode`, or through the one of `scalar`.

    Raises TypeError or OverflowError, naming the index, for the first element that does not fit;
    ShapeError for a buffer of more dimensions.
    """
    encode = encode or scalar.encode
    kind = type(source)
    if kind is list or kind is tuple:
        return _from_values(scalar, source, encode)
    if kind is bytes and scalar.format == "B" and not scalar.decodes:
        return source
    if isinstance(source, str):
        raise TypeError(
            f"an array of {scalar.name} takes numbers, not a str; "
            "strings are allocated with heap.alloc(utf8, text)"
        )
    _refuse_masked(scalar, source)
    buffer = _buffer_of(not_released(source, f"an array of {scalar.name}"))
    if buffer is not None:
        return _from_buffer(scalar, source, buffer, encode)
    if not isinstance(source, Iterable):
        raise TypeError(
            f"an array of {scalar.name} takes a count, an iterable or a buffer, "
            f"not {type(source).__name__} {source!r:.60}"
        )
    return _from_values(scalar, tuple(source), encode)


def _from_buffer(scalar: type[Scalar[Any]], source: Any, buffer: memoryview, encode: Encode) -> Any:
    if buffer.ndim != 1:
        back = "" if buffer.format == "B" else f".cast({buffer.format!r})"
        raise ShapeError(
            f"an array of {scalar.name} takes a buffer of one dimension, not of {buffer.ndim}: "
            f"pass array.ravel() of numpy's, or memoryview.cast('B'){back} of a memoryview"
        )
    code = _code(buffer)
    if code is None:
        return _from_values(scalar, tuple(source), encode)
    if not buffer.nbytes:
        return array.array(scalar.format or "B")
    if buffer.format != code or not buffer.c_contiguous:
        # A memoryview reads ctypes' "<i" neither as numbers nor into another.
        whole = buffer.cast("B") if buffer.c_contiguous else memoryview(buffer.tobytes())
        buffer = whole.cast(cast(Any, code))
    if code == scalar.format and not scalar.decodes:
        return buffer
    return _from_values(scalar, buffer.tolist(), encode, only_numbers=True)


def decode_elements(scalar: type[Scalar[T]], data: bytes | memoryview) -> list[T]:
    """The elements of `data`, the bytes of an array of `scalar`."""
    wide = as_wide(scalar)
    if wide is not None:
        starts = range(0, len(data), wide.size)
        pieces = [wide.decode_bytes(bytes(data[start : start + wide.size])) for start in starts]
        return cast("list[T]", pieces)
    elements = memoryview(data).cast(cast(Any, scalar.format)).tolist() if len(data) else []
    return list(map(scalar.decode, elements)) if scalar.decodes else cast("list[T]", elements)


def encode_value(scalar: type[Scalar[Any]], value: Any) -> bytes:
    """The bytes of one `scalar`; raises OverflowError or TypeError if it does not fit."""
    wide = as_wide(scalar)
    if wide is not None:
        return wide.encode_bytes(value)
    return array.array(scalar.format, (scalar.encode(value),)).tobytes()


def _buffer_of(source: Any) -> memoryview | None:
    try:
        return memoryview(source)
    except (TypeError, ValueError):  # numpy's of times, which have no format
        pass
    # What lies in a memory that Python cannot point at gives a copy.
    copy = getattr(type(source), "_copy_elements", None)
    if copy is None and IN_PYODIDE:
        from emheap.javascript.bridge import copy_elements as copy
    return None if copy is None else cast("memoryview | None", copy(source))


def _refuse_masked(scalar: type[Scalar[Any]], source: Any) -> None:
    if is_masked(source):
        raise TypeError(
            f"an array of {scalar.name} takes no masked elements, which have no value: "
            "pass array.filled(...) or array.compressed()"
        )


def _code(buffer: memoryview) -> str | None:
    """What memoryview and struct call the elements of a buffer, or None if they cannot."""
    for code in _SAME_KIND.get(buffer.format.lstrip("@=" + BYTE_ORDER), ""):
        if struct.calcsize("=" + code) == buffer.itemsize:
            return code
    return None


def _from_values(
    scalar: type[Scalar[Any]],
    values: list[Any] | tuple[Any, ...],
    encode: Encode,
    *,
    only_numbers: bool = False,
) -> Any:
    """The numbers to store for values, of which it may be known that they are Python's own."""
    try:
        numbers = _at_once(scalar, values, only_numbers)
        if numbers is not None:
            return numbers
    except (TypeError, ValueError, ArithmeticError, IndexError, struct.error):
        pass  # these messages name neither the element nor the type: find it below
    encoded = [_encode_at(scalar, encode, index, value) for index, value in enumerate(values)]
    wide = as_wide(scalar)
    if wide is not None:
        return b"".join([number.to_bytes(wide.size, "little") for number in encoded])
    return array.array(scalar.format, encoded)


def _at_once(scalar: type[Scalar[Any]], values: Any, only_numbers: bool) -> Any:
    """The numbers where one call converts and checks all of them; None where none does."""
    code = scalar.format
    if issubclass(scalar, FloatingPoint):
        # What these calls take for a float may have lost a part of itself on the way.
        given = tuple(values)  # which `pack` below need not copy, nor this where it is one
        if not only_numbers:
            # Only numbers of Python's own add up to one of these. (Of none at all the error for
            # the first one leads to the other way.)
            usual = type(given[0]) is float is type(given[-1])
            total = sum(given, 0.0) if usual else _sum_of(given)
            if type(total) is not float and not isinstance(total, (float, int)):
                return None
        if code == "d":
            return array.array(code, given)
        # array would store an infinity for a finite float that is too large, and so would struct
        # without a byte order. The function `struct.pack` takes twice as long.
        packed = struct.Struct(f"={len(given)}f").pack(*given)
        return memoryview(packed).cast("f") if packed else array.array("f")
    if not scalar.encodes:
        return array.array(code, values)
    if code == "B":
        return _bytes_at_once(scalar, values, only_numbers)
    if code == "Q":
        numbers = array.array(code, values)
        return numbers if max(numbers, default=0) <= MAX_POINTER53 else None
    return None


def _sum_of(given: tuple[Any, ...]) -> Any:
    """The sum of what may be numbers, or None where it would tell nothing, or take long."""
    first, last = given[0], given[-1]
    if not (isinstance(first, (float, int)) and isinstance(last, (float, int))):
        return None  # of lists a sum would make longer and longer ones
    if not (hasattr(first, "dtype") or hasattr(last, "dtype")):
        return sum(given)
    from numpy import errstate  # numpy has made these, and warns of sums that are too large

    with errstate(all="ignore"):
        return sum(given)


def _bytes_at_once(scalar: type[Scalar[Any]], values: Any, only_numbers: bool) -> bytes | None:
    if scalar is char and not only_numbers:
        return None  # what has an `__index__` is no character
    numbers = bytes(values)
    return numbers if scalar is not boolean or max(numbers, default=0) <= 1 else None


def _encode_at(scalar: type[Scalar[Any]], encode: Encode, index: int, value: Any) -> Any:
    if isinstance(value, str) and issubclass(scalar, FloatingPoint):
        raise TypeError(f"element {index}: {scalar.name} takes a float, not str {value!r}")
    try:
        return encode(value)
    except (TypeError, OverflowError) as error:
        raise_at(error, f"element {index}")
