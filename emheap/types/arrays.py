"""Many elements at once: what a user passes as the contents of an array, as bytes, and back."""

from __future__ import annotations

import array
import struct
from collections.abc import Iterable
from typing import Any, TypeVar, cast

from emheap._util.platform import IN_PYODIDE
from emheap.types.scalars import BYTE_ORDER, FloatingPoint, Scalar
from emheap.types.wide import as_wide

__all__ = ["decode_elements", "encode_elements", "encode_value"]

T = TypeVar("T")

_SAME_KIND = {
    **dict.fromkeys("bhilqn", "bhiq"),
    **dict.fromkeys("BHILQN", "BHIQ"),
    **dict.fromkeys("fd", "fd"),  # memoryview cannot read "e", which numpy's float16 has
}
"""For each code of a buffer, those of its kind whose size is the same on every machine."""


def encode_elements(scalar: type[Scalar[Any]], source: Any) -> bytes | memoryview:
    """The bytes of an array of `scalar` with the elements of `source`.

    `source` is a buffer or an iterable. A buffer is a sequence of its elements, of any number of
    dimensions in C order: bytes-likes hold integers of one byte, whatever `scalar` is. Where the
    elements have the form of `scalar` already, the result is a view of `source`, not a copy.

    Raises TypeError or OverflowError, naming the index, for the first element that does not fit.
    """
    if type(source) is bytes and scalar.format == "B" and not scalar.decodes:
        return source
    if isinstance(source, str):
        raise TypeError(
            f"an array of {scalar.name} takes numbers, not a str; "
            "strings are allocated with heap.alloc(utf8, text)"
        )
    buffer = _buffer_of(source)
    if buffer is None:
        if not isinstance(source, Iterable):
            raise TypeError(
                f"an array of {scalar.name} takes a count, an iterable or a buffer, "
                f"not {type(source).__name__} {source!r:.60}"
            )
        return _encode_each(scalar, source)
    if _same_form(scalar, buffer):
        return buffer.cast("B") if buffer.c_contiguous and buffer.ndim else buffer.tobytes()
    code = _code(buffer)
    if code is None:
        return _encode_each(scalar, _flatten(source))
    # A memoryview reads neither more dimensions nor ctypes' "<i" element by element.
    return _encode_each(scalar, memoryview(buffer.tobytes()).cast(cast(Any, code)))


def decode_elements(scalar: type[Scalar[T]], data: bytes) -> list[T]:
    """The elements of `data`, the bytes of an array of `scalar`."""
    wide = as_wide(scalar)
    if wide is not None:
        starts = range(0, len(data), wide.size)
        pieces = [wide.decode_bytes(data[start : start + wide.size]) for start in starts]
        return cast("list[T]", pieces)
    elements = memoryview(data).cast(cast(Any, scalar.format)).tolist()
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
    except TypeError:
        pass
    # What lies in a memory that Python cannot point at gives a copy.
    copy = getattr(type(source), "_copy_elements", None)
    if copy is None and IN_PYODIDE:
        from emheap.javascript.bridge import copy_elements as copy
    return None if copy is None else cast("memoryview | None", copy(source))


def _code(buffer: memoryview) -> str | None:
    """What memoryview and struct call the elements of a buffer, or None if they cannot."""
    for code in _SAME_KIND.get(buffer.format.lstrip("@=" + BYTE_ORDER), ""):
        if struct.calcsize("=" + code) == buffer.itemsize:
            return code
    return None


def _same_form(scalar: type[Scalar[Any]], buffer: memoryview) -> bool:
    return not scalar.decodes and _code(buffer) == scalar.format


def _flatten(source: Any) -> Iterable[Any]:
    """The elements of an iterable of iterables, such as a numpy array of two dimensions."""
    for element in source:
        if isinstance(element, Iterable) and not isinstance(element, (str, bytes)):
            yield from _flatten(element)
        else:
            yield element


def _encode_each(scalar: type[Scalar[Any]], source: Iterable[Any]) -> bytes:
    values = source if isinstance(source, (list, tuple, memoryview)) else list(source)
    if scalar.format and not scalar.encodes:
        try:
            return array.array(scalar.format, list(values)).tobytes()
        except (TypeError, ValueError, OverflowError):
            pass  # array's message names neither the element nor the type: find it below
    encoded = [_encode_at(scalar, index, value) for index, value in enumerate(values)]
    wide = as_wide(scalar)
    if wide is not None:
        return b"".join(map(wide.encode_bytes, encoded))
    return array.array(scalar.format, encoded).tobytes()


def _encode_at(scalar: type[Scalar[Any]], index: int, value: Any) -> Any:
    if isinstance(value, str) and issubclass(scalar, FloatingPoint):
        raise TypeError(f"element {index}: {scalar.name} takes a float, not str {value!r:.60}")
    try:
        return scalar.encode(value)
    except (TypeError, OverflowError) as error:
        raise type(error)(f"element {index}: {error}") from None
