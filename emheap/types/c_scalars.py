"""The scalars that structures of C have besides numbers of a fixed size.

``long``, ``size_t`` and their like are as large as the C code of a heap takes them to be: each is
a class for this process, and `for_abi` gives the one for another memory.
"""

from __future__ import annotations

import operator
import struct
from typing import Any, ClassVar

from emheap.errors import ValueOutOfRangeError
from emheap.types.abi import ABI, native_abi
from emheap.types.scalars import Integer, Scalar, is_truth, to_float, uint8, uint16, uint32

__all__ = [
    "boolean",
    "c_types",
    "char",
    "float16",
    "intptr",
    "long",
    "short",
    "size_t",
    "ssize_t",
    "uintptr",
    "ulong",
    "ushort",
    "wchar",
]


class boolean(Scalar[bool], code="B", js_array="Uint8Array"):
    """C's ``bool``: one byte, 0 or 1. Any other byte reads as True."""

    encodes = True
    decodes = True
    storage = uint8

    @classmethod
    def encode(cls, value: Any) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            number = int(bool(value)) if is_truth(value) else -1
        if number not in (0, 1):
            raise TypeError(f"boolean takes a bool, not {type(value).__name__} {value!r:.60}")
        return number

    @classmethod
    def decode(cls, stored: int) -> bool:
        return stored != 0


class float16(Scalar[float], code="H", js_array="Uint16Array"):
    """A floating-point number of 2 bytes, IEEE 754's half precision.

    A view of an array of them holds their bits, as ``uint16``: memoryview reads them from Python
    3.12 on only.
    """

    encodes = True
    decodes = True
    storage = uint16

    @classmethod
    def encode(cls, value: Any) -> int:
        number = to_float(cls.name, "a float", value)
        try:
            return int.from_bytes(struct.pack("<e", number), "little")
        except OverflowError:
            raise ValueOutOfRangeError(
                f"{number!r} does not fit float16, whose largest value is 65504"
            ) from None

    @classmethod
    def decode(cls, stored: int) -> float:
        number: float = struct.unpack("<e", stored.to_bytes(2, "little"))[0]
        return number


_BYTES = tuple(bytes((value,)) for value in range(256))


class char(Scalar[bytes], code="B", js_array="Uint8Array"):
    """C's ``char`` as text: one byte, a bytes object of length 1 (what ctypes makes of it).

    For a ``char`` that is a small number declare ``int8`` or ``uint8``.
    """

    encodes = True
    decodes = True
    storage = uint8

    @classmethod
    def encode(cls, value: Any) -> int:
        if isinstance(value, (bytes, bytearray)) and len(value) == 1:
            return value[0]
        if isinstance(value, int) and 0 <= operator.index(value) <= 255:
            return operator.index(value)  # an element of a bytes object
        raise TypeError(f"char takes a bytes of length 1, not {type(value).__name__} {value!r:.60}")

    @classmethod
    def decode(cls, stored: int) -> bytes:
        return _BYTES[stored]


class short(Integer, code="h", js_array="Int16Array"):
    """C's ``short``, of 2 bytes."""


class ushort(Integer, code="H", js_array="Uint16Array"):
    """C's ``unsigned short``, of 2 bytes."""


_CODES = {(4, True): "i", (4, False): "I", (8, True): "q", (8, False): "Q"}
_ARRAYS = {"i": "Int32Array", "I": "Uint32Array", "q": "BigInt64Array", "Q": "BigUint64Array"}


class _SizedInteger(Integer):
    """An integer whose size the ABI decides."""

    _measure: ClassVar[str]
    _signed: ClassVar[bool]
    _by_size: ClassVar[dict[int, type[_SizedInteger]]]

    def __init_subclass__(
        cls, measure: str = "", signed: bool = False, code: str | None = None, **options: Any
    ) -> None:
        if not measure:  # the class of another size
            super().__init_subclass__(code=code, js_array=_ARRAYS[code or "I"])
            return
        size = getattr(native_abi(), measure)
        own = _CODES[size, signed]
        super().__init_subclass__(code=own, js_array=_ARRAYS[own])
        cls._measure, cls._signed, cls._by_size = measure, signed, {size: cls}

    @classmethod
    def for_abi(cls, abi: ABI) -> type[_SizedInteger]:
        size = getattr(abi, cls._measure)
        found = cls._by_size.get(size)
        if found is None:
            own = next(iter(cls._by_size.values()))
            found = cls._by_size[size] = type(
                own.__name__, (own,), {"__doc__": own.__doc__}, code=_CODES[size, cls._signed]
            )
        return found


class long(_SizedInteger, measure="long_size", signed=True):
    """C's ``long``: 8 bytes, but 4 on Windows and in 32-bit memories."""


class ulong(_SizedInteger, measure="long_size"):
    """C's ``unsigned long``."""


class size_t(_SizedInteger, measure="pointer_size"):
    """C's ``size_t``: as large as a pointer."""


class ssize_t(_SizedInteger, measure="pointer_size", signed=True):
    """POSIX's ``ssize_t``, which is also C's ``ptrdiff_t``."""


class intptr(_SizedInteger, measure="pointer_size", signed=True):
    """C's ``intptr_t``."""


class uintptr(_SizedInteger, measure="pointer_size"):
    """C's ``uintptr_t``."""


class wchar(Scalar[str], code="I" if native_abi().wchar_size == 4 else "H"):
    """C's ``wchar_t``: one character, in 4 bytes, or on Windows in 2."""

    encodes = True
    decodes = True
    storage = uint32 if native_abi().wchar_size == 4 else uint16
    js_array = storage.js_array

    @classmethod
    def encode(cls, value: Any) -> int:
        if not isinstance(value, str) or len(value) != 1:
            raise TypeError(
                f"wchar takes a str of length 1, not {type(value).__name__} {value!r:.60}"
            )
        number = ord(value)
        if number >> 8 * cls.size:
            raise ValueOutOfRangeError(f"{value!r} does not fit wchar, which has {cls.size} bytes")
        return number

    @classmethod
    def decode(cls, stored: int) -> str:
        if stored > 0x10FFFF:
            raise ValueOutOfRangeError(f"the bytes read as wchar hold {stored:#x}, no character")
        return chr(stored)

    @classmethod
    def for_abi(cls, abi: ABI) -> Any:
        return cls if abi.wchar_size == cls.size else _other_wchar


class _OtherWchar(wchar, code="H" if wchar.size == 4 else "I"):
    storage = uint16 if wchar.size == 4 else uint32
    js_array = storage.js_array

    @classmethod
    def for_abi(cls, abi: ABI) -> Any:
        return wchar.for_abi(abi)


_OtherWchar.__name__ = _OtherWchar.name = "wchar"
_other_wchar: type[wchar] = _OtherWchar

c_types: tuple[type[Scalar[Any]], ...] = (
    boolean,
    float16,
    char,
    wchar,
    short,
    ushort,
    long,
    ulong,
    size_t,
    ssize_t,
    intptr,
    uintptr,
)
