"""Texts, and the string types with the names of Python's codecs for the same bytes."""

from __future__ import annotations

import sys

from emheap import Text, ascii, utf8, utf16, utf32  # noqa: A004

ORDER = "le" if sys.byteorder == "little" else "be"
CODECS: dict[type[Text], tuple[str, int]] = {
    ascii: ("ascii", 1),
    utf8: ("utf-8", 1),
    utf16: (f"utf-16-{ORDER}", 2),
    utf32: (f"utf-32-{ORDER}", 4),
}
"""The codec and the bytes of an element."""

TEXTS = (
    "",
    "a",
    "hello, world",
    "h\u00e9llo",
    "\u0100\u0200",  # a zero byte in every UTF-16 element
    "a\u0100b",
    "\u20ac 99",
    "\U0001f600 \U0010ffff",
    "\ufeffmarked",
    "\ud7ff\ue000\ufffd\uffff",
    "\x01\x7f\x80",
    "e\u0301",
    "x" * 63,
    "x" * 64,
    "\u00e9" * 32 + "x",
    "long " * 2000,
)


def encoded(text: type[Text], value: str) -> bytes:
    """The bytes with the terminator, made by Python's codec alone."""
    codec, size = CODECS[text]
    return value.encode(codec) + bytes(size)


def fitting(text: type[Text]) -> list[str]:
    """The texts above that the encoding can hold."""
    return [value for value in TEXTS if text is not ascii or value.isascii()]
