"""The fourteen scalar types: one table, written as one class statement a row."""

from __future__ import annotations

import math
import operator
import struct
import sys
from typing import Any, ClassVar, TypeVar

from emheap._util.pointers import address_or_none, is_reference
from emheap.errors import ValueOutOfRangeError
from emheap.types.base import Type

__all__ = [
    "FLOAT32_LIMIT",
    "FloatingPoint",
    "Integer",
    "Scalar",
    "as_real",
    "clamped_uint8",
    "dtype_kind",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "is_masked",
    "is_truth",
    "pointer32",
    "pointer53",
    "pointer64",
    "scalar_types",
    "stored_types",
    "to_float",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]

T = TypeVar("T")

MAX_POINTER53 = 2**53 - 1
"""The largest integer up to which JavaScript's numbers are exact (``Number.MAX_SAFE_INTEGER``)."""

FLOAT32_LIMIT = float.fromhex("0x1.ffffffp+127")
"""The smallest magnitude that rounds to infinity as a float32: half a step above the largest."""


class Scalar(Type[T]):
    """One number of fixed size.

    A *plain* scalar is stored by ``struct`` and ``memoryview`` as it is. For the others `encode`
    turns a value into the number stored, `decode` turns it back.
    """

    format: ClassVar[str] = ""
    """The code of ``struct`` and ``memoryview``; empty for the types they do not know."""
    js_array: ClassVar[str] = ""
    """The JavaScript typed array with these elements."""
    is_pointer: ClassVar[bool] = False
    pointee: ClassVar[Any] = None
    """The kind of the pointers that are stored as this, where it stores typed pointers."""
    encodes: ClassVar[bool] = False
    """Whether `encode` must be called before a value is stored."""
    decodes: ClassVar[bool] = False
    """Whether `decode` must be called on a number read."""
    storage: ClassVar[type[Scalar[int]] | None] = None
    """The plain type that the encoded value is stored as, where `encode` takes no encoded one."""

    def __init_subclass__(
        cls, code: str | None = None, js_array: str = "", pointer: bool = False, **_: Any
    ) -> None:
        super().__init_subclass__()
        if code is not None:
            cls.name = cls.__name__
            cls.format = code
            cls.size = cls.alignment = struct.calcsize("=" + code)
            cls.js_array = js_array
            cls.is_pointer = pointer

    @classmethod
    def encode(cls, value: Any) -> Any:
        """The number to store for `value`; raises OverflowError or TypeError if it does not fit."""
        raise NotImplementedError

    @classmethod
    def decode(cls, stored: Any) -> Any:
        """The value of a number read from memory."""
        return stored


class Integer(Scalar[int]):
    """A whole number between `minimum` and `maximum`."""

    minimum: ClassVar[int]
    maximum: ClassVar[int]

    def __init_subclass__(cls, code: str | None = None, **options: Any) -> None:
        super().__init_subclass__(code=code, **options)
        if code is not None:
            bits = 8 * cls.size
            signed = code.islower()
            cls.minimum = -(1 << bits - 1) if signed else 0
            cls.maximum = (1 << bits - 1) - 1 if signed else (1 << bits) - 1

    @classmethod
    def encode(cls, value: Any) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            number = None
        if number is None:  # not in the handler, whose error says nothing to users
            number = _to_integer(cls, value)
        if cls.minimum <= number <= cls.maximum:
            return number
        raise ValueOutOfRangeError(
            f"{_shorten(number)} does not fit {cls.name}, "
            f"which holds {cls.minimum} to {cls.maximum}"
        )


class FloatingPoint(Scalar[float]):
    """An IEEE 754 number. NaN, the infinities and -0.0 are values like any other."""

    @classmethod
    def encode(cls, value: Any) -> float:
        return to_float(cls.name, "a float", value)


def _to_integer(kind: type[Integer], value: Any) -> int:
    """`value` as an int, where it is one but for Python's taste; raises TypeError."""
    if is_truth(value):
        return int(bool(value))
    if kind.is_pointer and value is not None:
        address = address_or_none(value)
        if address is not None:
            return address
    raise TypeError(f"{kind.name} takes an int, not {_describe(value)}")


def to_float(name: str, expected: str, value: Any) -> float:
    """`value` as a float, as `as_real` takes it. Raises TypeError for what is no real number, and
    ValueOutOfRangeError for one beyond the largest float."""
    try:
        number = as_real(value)
    except OverflowError:
        raise ValueOutOfRangeError(
            f"{_shorten(value)} does not fit {name}: it is beyond the largest float"
        ) from None
    if number is None:
        raise TypeError(f"{name} takes {expected}, not {_describe(value)}")
    return number


def as_real(value: Any) -> float | None:
    """`value` as a float, if none of it is lost but precision: not the imaginary part of a number,
    the unit of a time, or that it is masked. Text is not a number, even where ``float`` reads one
    in it. None for what is no real number; OverflowError for a finite one that no float holds."""
    if not (isinstance(value, (float, int)) or _is_real(value)):
        return None
    try:
        # A class of the user's may convert itself to anything; in an array it is what it holds.
        number = float.__float__(value) if isinstance(value, float) else float(value)
    except TypeError:
        return None
    # A Decimal of 1e400 becomes infinite; its own infinity is one.
    if math.isinf(number) and _is_finite(value):
        raise OverflowError
    return number


def _is_finite(value: Any) -> bool:
    try:
        return bool(-math.inf < value < math.inf)
    except TypeError:  # it is not compared with numbers
        return False


def is_truth(value: Any) -> bool:
    """Whether this is a bool of numpy's; Python's is an int."""
    return dtype_kind(value) == "b"


def _is_real(value: Any) -> bool:
    """Whether ``float(value)`` loses nothing but precision; for what is no number of Python's."""
    if isinstance(value, (str, complex)) or is_reference(value):
        return False
    if not (hasattr(type(value), "__float__") or hasattr(type(value), "__index__")):
        return False  # float() reads any bytes-like as text
    kind = dtype_kind(value)
    return kind in "fiub" and not getattr(value, "imag", 0)


def dtype_kind(value: Any) -> str:
    """The kind of a scalar of numpy's, "-" if it is no single one, "" for all other objects."""
    # Its class is asked first: an object of JavaScript's may run, or refuse, what is asked of it.
    dtype = value.dtype if hasattr(type(value), "dtype") else None
    kind = getattr(dtype, "kind", "")
    if not isinstance(kind, str) or not kind:
        return ""
    return "-" if getattr(value, "ndim", 0) or is_masked(value) else kind


def is_masked(value: Any) -> bool:
    """Whether this is an array of numpy's, or an element of one, that hides a value."""
    if not hasattr(type(value), "dtype") or not hasattr(type(value), "filled"):
        return False
    mask: Any = getattr(value, "mask", False)
    return bool(mask.any()) if hasattr(mask, "any") else bool(mask)


def _describe(value: Any) -> str:
    return f"{type(value).__name__} {value!r:.60}"


def _shorten(number: Any) -> str:
    """A number for a message; a huge one by its bit length (3.11 refuses to print it at all)."""
    if isinstance(number, int) and number.bit_length() >= 512:
        return f"an int of {number.bit_length()} bits"
    return f"{number!s:.160}"


class int8(Integer, code="b", js_array="Int8Array"):
    """A signed integer of 1 byte."""


class uint8(Integer, code="B", js_array="Uint8Array"):
    """An unsigned integer of 1 byte."""


class clamped_uint8(Integer, code="B", js_array="Uint8ClampedArray"):
    """An unsigned integer of 1 byte, written as JavaScript's Uint8ClampedArray writes it.

    Any real number is accepted: rounded half to even, clamped to 0..255, NaN to 0. It is the only
    type that converts.
    """

    encodes = True

    @classmethod
    def encode(cls, value: Any) -> int:
        # A class of the user's may compare as it likes.
        value = operator.index(value) if isinstance(value, int) else cls._to_float(value)
        if value != value:
            return 0
        return 0 if value < 0 else 255 if value > 255 else round(value)

    @classmethod
    def _to_float(cls, value: Any) -> float:
        try:
            return to_float(cls.name, "an int or a float", value)
        except ValueOutOfRangeError:  # which is clamped as well
            return math.inf if value > 0 else -math.inf


class int16(Integer, code="h", js_array="Int16Array"):
    """A signed integer of 2 bytes."""


class uint16(Integer, code="H", js_array="Uint16Array"):
    """An unsigned integer of 2 bytes."""


class int32(Integer, code="i", js_array="Int32Array"):
    """A signed integer of 4 bytes."""


class uint32(Integer, code="I", js_array="Uint32Array"):
    """An unsigned integer of 4 bytes."""


class int64(Integer, code="q", js_array="BigInt64Array"):
    """A signed integer of 8 bytes."""


class uint64(Integer, code="Q", js_array="BigUint64Array"):
    """An unsigned integer of 8 bytes."""


class float32(FloatingPoint, code="f", js_array="Float32Array"):
    """A floating-point number of 4 bytes; a finite value beyond its range is refused.

    A signalling NaN may become a quiet one where it passes through a float of Python's; copy the
    bytes to keep it.
    """

    encodes = True  # memoryview stores an infinity for a finite float that is too large

    @classmethod
    def encode(cls, value: Any) -> float:
        number = value if type(value) is float else super().encode(value)
        if -FLOAT32_LIMIT < number < FLOAT32_LIMIT or not math.isfinite(number):
            return number
        raise ValueOutOfRangeError(
            f"{number!r} does not fit float32, whose largest value is 3.4028234663852886e+38"
        )


class float64(FloatingPoint, code="d", js_array="Float64Array"):
    """A floating-point number of 8 bytes."""

    encodes = True  # memoryview stores of a complex number of numpy's the real part

    @classmethod
    def encode(cls, value: Any) -> float:
        return value if type(value) is float else super().encode(value)


class pointer32(Integer, code="I", js_array="Uint32Array", pointer=True):
    """An address of 4 bytes."""


class pointer53(Integer, code="Q", js_array="BigUint64Array", pointer=True):
    """An address of 8 bytes that JavaScript can hold in a number: below 2**53."""

    encodes = True
    decodes = True

    @classmethod
    def decode(cls, stored: int) -> int:
        if stored > MAX_POINTER53:
            raise ValueOutOfRangeError(
                f"the bytes read as pointer53 hold {stored}, more than 2**53 - 1; "
                "read them as pointer64"
            )
        return stored


pointer53.maximum = MAX_POINTER53


class pointer64(Integer, code="Q", js_array="BigUint64Array", pointer=True):
    """An address of 8 bytes."""


scalar_types: tuple[type[Scalar[Any]], ...] = (
    int8,
    uint8,
    clamped_uint8,
    int16,
    uint16,
    int32,
    uint32,
    int64,
    uint64,
    float32,
    float64,
    pointer32,
    pointer53,
    pointer64,
)
"""The types that have every flat name, in the order of wasm-heap-manager's documentation."""

stored_types: dict[str, type[Scalar[Any]]] = {kind.format: kind for kind in reversed(scalar_types)}
"""The type of what is stored, by its format. Here are none that decode or convert: where two have
one format, the plainer stands first in `scalar_types`."""

BYTE_ORDER = "<" if sys.byteorder == "little" else ">"
"""The prefix for ``struct``: emheap reads the byte order of the machine it runs on."""
