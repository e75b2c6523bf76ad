"""The four encodings of null-terminated strings."""

from __future__ import annotations

import codecs
import sys
from typing import Any, ClassVar

from emheap.errors import EmbeddedNullError, NotSupportedError
from emheap.types.base import Type
from emheap.types.scalars import Scalar, uint8, uint16, uint32

__all__ = ["LOW_BYTE", "Text", "ascii", "find_zero", "text", "text_types", "utf8", "utf16", "utf32"]

_SUFFIX = "-le" if sys.byteorder == "little" else "-be"


_WIDTHS = (2, 4, 8)
LOW_BYTE = {width: 0 if sys.byteorder == "little" else width - 1 for width in _WIDTHS}
"""Where the lowest byte of an element is."""
_ZEROS = {width: bytes(width) for width in _WIDTHS}


def _codec_function(name: str, verb: str) -> Any:
    return staticmethod(getattr(codecs, f"{name}{_SUFFIX.replace('-', '_')}_{verb}"))


class Text(Type[str]):
    """A null-terminated string of `unit` elements in one encoding.

    Python's codecs do the work, so ``errors`` takes what ``str.encode`` takes. The codecs named
    for a byte order neither write a byte order mark nor swallow one: a leading one is text.
    """

    codec: ClassVar[str]
    unit: ClassVar[type[Scalar[int]]]
    """The type of one element."""
    encoder: ClassVar[Any] = None
    decoder: ClassVar[Any] = None
    """The codec's own functions, where ``str`` would look it up at each call for 1 us; the encoder
    makes a null of a null character only."""

    def __init_subclass__(cls, codec: str, unit: type[Scalar[int]], **_: Any) -> None:
        super().__init_subclass__()
        cls.name = cls.__name__
        cls.codec = codec
        cls.unit = unit
        cls.size = cls.alignment = unit.size

    @classmethod
    def encode(cls, text: Any, errors: str = "strict") -> bytes:
        """The bytes of `text` with the terminator.

        Raises TypeError for anything but a str, EmbeddedNullError for an embedded null (it would
        end the string early) and UnicodeEncodeError for what the encoding cannot hold.
        """
        data = cls.encode_counted(text, errors)
        if cls.encoder and type(errors) is str and errors == "strict":
            found = str.find(text, "\0")
        else:  # an error handler may add nulls, too
            found = cls.find_terminator(data)
        if found >= 0:
            index = str.find(text, "\0")
            where = f"at index {index} of" if index >= 0 else "that the error handler gives for"
            raise EmbeddedNullError(
                f"a null-terminated string cannot hold the null character {where} "
                f"{str.__repr__(text):.60}; heap.write_text() stores text without a terminator"
            )
        return data + bytes(cls.size)

    @classmethod
    def encode_counted(cls, text: Any, errors: str = "strict") -> bytes:
        """The bytes of `text` without a terminator, nulls and all."""
        if not isinstance(text, str):
            raise TypeError(f"{cls.name} takes a str, not {type(text).__name__} {text!r:.60}")
        # Not the text's own method, which a subclass may have replaced.
        if cls.encoder and isinstance(errors, str):
            return cls.encoder(text, errors)[0]  # type: ignore[no-any-return]
        return str.encode(text, cls.codec, errors)

    @classmethod
    def find_terminator(cls, data: bytes) -> int:
        """The offset in bytes of the first null element, or -1."""
        return find_zero(data, cls.size)

    @classmethod
    def decode(cls, data: bytes | memoryview, errors: str = "strict") -> str:
        """The text of `data`, which has no terminator."""
        decoder = cls.decoder
        if decoder and type(errors) is str:
            return decoder(data, errors, True)[0]  # type: ignore[no-any-return]
        return str(data, cls.codec, errors)


def find_zero(chunk: bytes, width: int) -> int:
    """The offset of the first zero element of `width` bytes, or -1."""
    if width == 1:
        return chunk.find(0)
    # The low bytes alone are searched in a tenth of the time: in most texts the others are 0.
    lowest = chunk[LOW_BYTE[width] :: width]
    found = lowest.find(0)
    while found >= 0:
        start = found * width
        if chunk[start : start + width] == _ZEROS[width]:
            return start
        found = lowest.find(0, found + 1)
    return -1


class ascii(Text, codec="ascii", unit=uint8):  # noqa: A001 (the encoding's own name)
    """A string of 7-bit characters, one byte each."""


class utf8(Text, codec="utf-8", unit=uint8):
    """A string in UTF-8; its elements are bytes."""


class utf16(Text, codec="utf-16" + _SUFFIX, unit=uint16):
    """A string in UTF-16; its elements are code units of 2 bytes."""

    encoder = _codec_function("utf_16", "encode")
    decoder = _codec_function("utf_16", "decode")


class utf32(Text, codec="utf-32" + _SUFFIX, unit=uint32):
    """A string in UTF-32; its elements are code points of 4 bytes."""

    encoder = _codec_function("utf_32", "encode")
    decoder = _codec_function("utf_32", "decode")


_ONE_WAY = {"idna", "raw-unicode-escape"}
"""Python's codecs that read something else than they wrote: the one normalizes a name, the other
takes backslashes of the text for its own."""
_others: dict[str, type[Text]] = {}
_UNITS = {1: uint8, 2: uint16, 4: uint32}


def text(codec: str) -> type[Text]:
    """The type of strings in any encoding that Python knows: ``text("latin-1")``, ``text("gbk")``.

    Its elements have as many bytes as the encoding's null character. Where it has one code for two
    characters, as ``cp932`` has for the narrow and the wide pound sign, one of them is read.

    Raises LookupError for an unknown encoding; NotSupportedError for one that writes a byte order
    mark, or whose null character is not 1, 2 or 4 bytes of 0, and for ``idna`` and
    ``raw-unicode-escape``, which do not read back what they wrote.

    >>> import emheap
    >>> with emheap.open().alloc(emheap.text("latin-1"), "é") as name:
    ...     name.value, bytes(name)
    ('é', b'\\xe9\\x00')
    """
    name = codecs.lookup(codec).name
    known = _others.get(name)
    if known is None:
        try:
            null, nothing = "\0".encode(codec), "".encode(codec)
        except LookupError:  # Python's message names functions that do not apply here
            raise LookupError(f"{codec!r} is no encoding of text") from None
        except UnicodeError:  # "undefined", which encodes nothing
            null = nothing = b""
        if name in _ONE_WAY:
            raise NotSupportedError(f"{name} does not read back what it wrote; {_by_bytes(name)}")
        if nothing or null.strip(b"\0") or len(null) not in _UNITS:
            raise NotSupportedError(f"strings in {name} cannot be null-terminated: {_why(name)}")
        made: Any = type(
            name, (Text,), {"__doc__": f"A string in {name}."}, codec=codec, unit=_UNITS[len(null)]
        )
        known = _others.setdefault(name, made)
    return known


def _by_bytes(name: str) -> str:
    return (
        "store the bytes that it makes of a string: "
        f"alloc(text('latin-1'), string.encode({name!r}).decode('latin-1'))"
    )


def _why(name: str) -> str:
    """Why there are no null-terminated strings in an encoding, and what to do."""
    if name in ("utf-16", "utf-32"):
        return f"it writes a byte order mark; name a byte order, as in text('{name}-le')"
    if name == "utf-8-sig":
        return "it writes a byte order mark; take utf8, of which '\\ufeff' is such a mark"
    if name == "undefined":
        return "it encodes nothing; take utf8"
    return f"its null character is not 1, 2 or 4 bytes of 0; {_by_bytes(name)}"


text_types: tuple[type[Text], ...] = (ascii, utf8, utf16, utf32)
