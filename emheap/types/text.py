"""The four encodings of null-terminated strings."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from emheap.types.base import Type
from emheap.types.scalars import Scalar, uint8, uint16, uint32

__all__ = ["Text", "ascii", "text_types", "utf8", "utf16", "utf32"]

_SUFFIX = "-le" if sys.byteorder == "little" else "-be"


class Text(Type[str]):
    """A null-terminated string of `unit` elements in one encoding.

    Python's codecs do the work, so ``errors`` takes what ``str.encode`` takes. The codecs named
    for a byte order neither write a byte order mark nor swallow one: a leading one is text.
    """

    codec: ClassVar[str]
    unit: ClassVar[type[Scalar[int]]]
    """The type of one element."""

    def __init_subclass__(cls, codec: str, unit: type[Scalar[int]], **_: Any) -> None:
        super().__init_subclass__()
        cls.name = cls.__name__
        cls.codec = codec
        cls.unit = unit
        cls.size = cls.alignment = unit.size

    @classmethod
    def encode(cls, text: Any, errors: str = "strict") -> bytes:
        """The bytes of `text` with the terminator.

        Raises TypeError for what is no str, ValueError for an embedded null (it would end the
        string early) and UnicodeEncodeError for what the encoding cannot hold.
        """
        if not isinstance(text, str):
            raise TypeError(f"{cls.name} takes a str, not {type(text).__name__} {text!r:.60}")
        if "\0" in text:
            raise ValueError(
                f"a null-terminated string cannot hold the null character at index "
                f"{text.index(chr(0))} of {text!r:.60}"
            )
        return text.encode(cls.codec, errors) + bytes(cls.size)

    @classmethod
    def decode(cls, data: bytes | memoryview, errors: str = "strict") -> str:
        """The text of `data`, which has no terminator."""
        return str(data, cls.codec, errors)


class ascii(Text, codec="ascii", unit=uint8):  # noqa: A001 (the encoding's own name)
    """A string of 7-bit characters, one byte each."""


class utf8(Text, codec="utf-8", unit=uint8):
    """A string in UTF-8; its elements are bytes."""


class utf16(Text, codec="utf-16" + _SUFFIX, unit=uint16):
    """A string in UTF-16; its elements are code units of 2 bytes."""


class utf32(Text, codec="utf-32" + _SUFFIX, unit=uint32):
    """A string in UTF-32; its elements are code points of 4 bytes."""


text_types: tuple[type[Text], ...] = (ascii, utf8, utf16, utf32)
