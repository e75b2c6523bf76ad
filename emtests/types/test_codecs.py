"""Text in other encodings, and text with a length in place of a terminator."""

from __future__ import annotations

import codecs
import contextlib
import encodings
import pkgutil
import re
import string
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import Arena, HeapManager, ascii, utf8, utf16, utf32  # noqa: A004

TEXTS: tuple[tuple[Any, str], ...] = (
    (ascii, "plain"),
    (utf8, "h\u00e9llo \U0001f600"),
    (utf16, "h\u00e9llo \U0001f600"),
    (utf32, "h\u00e9llo \U0001f600"),
    (emheap.text("latin-1"), "h\u00e9llo"),
    (emheap.text("gbk"), "\u4f60\u597d"),
    (emheap.text("utf-16-be"), "h\u00e9llo"),
)


def test_any_codec_has_null_terminated_strings(heap: HeapManager) -> None:
    for kind, text in TEXTS:
        with heap.alloc(kind, text) as ref:
            assert ref.value == heap.read(kind, ref.address) == text
            assert bytes(ref) == text.encode(kind.codec) + bytes(kind.size)
            assert heap.write(kind, ref.address, text[:2]) == len(text[:2].encode(kind.codec)) / (
                kind.size
            )
            assert ref.value == text[:2]


def test_a_codec_has_one_type_whatever_it_is_called() -> None:
    assert emheap.text("latin-1") is emheap.text("ISO-8859-1")
    assert emheap.text("latin-1").name == "iso8859-1"
    for codec in ("utf-16", "utf-32"):
        words = f"byte order mark; name a byte order, as in text\\('{codec}-le'\\)"
        with pytest.raises(emheap.NotSupportedError, match=words):
            emheap.text(codec)
        assert emheap.text(f"{codec}-le").name == f"{codec}-le"
    words = r"byte order mark; take utf8, of which '\\ufeff' is such a mark$"
    with pytest.raises(emheap.NotSupportedError, match=words):
        emheap.text("utf-8-sig")
    with emheap.open().alloc(utf8, "\ufeffabc") as marked:
        assert bytes(marked) == "abc".encode("utf-8-sig") + b"\0"
    words = "^strings in undefined cannot be null-terminated: it encodes nothing; take utf8$"
    with pytest.raises(emheap.NotSupportedError, match=words):
        emheap.text("undefined")
    for codec in ("rot13", "base64", "no-such"):
        with pytest.raises(
            LookupError, match=f"'{codec}' is no encoding|unknown encoding: {codec}"
        ):
            emheap.text(codec)


@pytest.mark.parametrize(
    "codec",
    ["idna", "raw-unicode-escape", "raw_unicode_escape", "utf-7", "punycode", "unicode_escape"],
)
def test_a_codec_that_strings_cannot_be_stored_in_is_refused_with_a_cure(codec: str) -> None:
    name = "M\u00fcller.example"
    words = "does not read back what it wrote|its null character is not 1, 2 or 4 bytes of 0"
    with pytest.raises(emheap.NotSupportedError, match=words) as told:
        emheap.text(codec)
    advice = re.search(r"alloc\((.*)\)$", str(told.value))
    assert advice
    kind, given = eval(advice[1], {"text": emheap.text, "string": name})
    with emheap.open().alloc(kind, given) as ref:
        assert bytes(ref) == name.encode(codec) + b"\0"


def codecs_of_text() -> dict[str, Any]:
    found = {}
    for module in pkgutil.iter_modules(encodings.__path__):
        with contextlib.suppress(LookupError, emheap.NotSupportedError):
            kind = emheap.text(module.name)
            found[kind.name] = kind
    return found


def test_every_codec_of_python_reads_what_it_wrote() -> None:
    kinds = codecs_of_text()
    assert len(kinds) > 80
    for kind in kinds.values():
        for text in (*string.printable, "\\u0041", "\\x41", "xn--fsq", "a.B", "~{+AGE-"):
            try:
                data = text.encode(kind.codec)
            except UnicodeEncodeError:
                continue
            assert kind.decode(kind.encode(text)[: -kind.size]) == text, kind.name
            assert kind.encode(text) == data + bytes(kind.size)


def test_a_codec_may_have_one_code_for_two_characters() -> None:
    with emheap.open().alloc(emheap.text("cp932"), "\u00a3\uffe1") as ref:
        assert ref.value == "\uffe1\uffe1"


def test_an_error_names_the_codec_that_was_asked_for(heap: HeapManager) -> None:
    with heap.alloc_array(emheap.uint8, b"caf\xe9\0") as data:
        for kind, codec in ((ascii, "ascii"), (utf8, "utf-8")):
            with pytest.raises(UnicodeDecodeError, match=f"^'{codec}' codec"):
                heap.read(kind, data.address)
        assert heap.read(emheap.text("latin-1"), data.address) == "caf\xe9"


def test_an_error_handler_adds_no_nulls(heap: HeapManager) -> None:
    codecs.register_error("emtests-null", lambda error: ("\0", error.end))  # type: ignore[attr-defined]
    with heap.alloc(ascii, 8) as ref:
        for store in (
            lambda: ref.write("a\u00e9", "emtests-null"),
            lambda: heap.write(ascii, ref.address, "a\u00e9", None, "emtests-null"),
            lambda: heap.alloc(ascii, "a\u00e9", errors="emtests-null"),
        ):
            with pytest.raises(emheap.EmbeddedNullError, match="that the error handler gives"):
                store()
        assert ref.value == ""


@pytest.mark.parametrize("encoding", [utf8, utf16, utf32])
def test_the_name_of_an_error_handler_that_equals_every_other(
    heap: HeapManager, encoding: Any
) -> None:
    class Liar(str):
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            return True

    codecs.register_error("emtests-null", lambda error: ("\0", error.end))  # type: ignore[attr-defined]
    with pytest.raises(emheap.EmbeddedNullError, match="that the error handler gives"):
        heap.alloc(encoding, "a\ud800b", errors=Liar("emtests-null"))


def test_a_subclass_of_str_is_not_asked(heap: HeapManager) -> None:
    class Liar(str):
        def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
            return b"\xff" * 1000

    with heap.alloc(utf8, Liar("abc")) as ref:
        assert (ref.value, ref.capacity) == ("abc", 3)
        ref.value = Liar("xy")
        assert ref.value == "xy"


# With a length


def test_text_with_a_length(heap: HeapManager, scratch: Arena) -> None:
    for kind, text in TEXTS:
        whole = f"{text}\0{text}\0"
        data = whole.encode(kind.codec)
        for maker in (heap, scratch):
            with maker.alloc_text(kind, whole) as ref:
                assert (bytes(ref), len(ref)) == (data, len(data) // kind.size)
                assert heap.read_text(kind, ref.address, len(ref)) == whole
                count = len(text.encode(kind.codec)) // kind.size
                assert heap.read_text(kind, ref.address, count) == text
                start = text[:1].encode(kind.codec)
                written = heap.write_text(kind, ref.address, text[:1], len(ref))
                assert written == len(start) // kind.size
                assert bytes(ref) == start + data[len(start) :]  # without a terminator
                before = bytes(ref)
                for room in (count - 1, 0):
                    words = f"^{count} elements of .* do not fit the capacity of {room};"
                    with pytest.raises(emheap.CapacityError, match=words):
                        heap.write_text(kind, ref.address, text, room)
                    assert bytes(ref) == before
                assert heap.write_text(kind, ref.address, text, count) == count
                assert heap.read_text(kind, ref.address, count) == text
        with heap.alloc_text(kind, "") as ref:
            assert len(ref) == 0
            assert heap.read_text(kind, scratch.alloc_array(emheap.uint64, 1).address, 0) == ""


def test_text_with_a_length_takes_an_error_handler(heap: HeapManager) -> None:
    with (
        heap.alloc_text(ascii, "caf\u00e9", errors="replace") as ref,
        heap.alloc_strings(ascii, ["\u00e9", "b"], errors="backslashreplace") as strings,
    ):
        assert bytes(ref) == b"caf?"
        assert heap.read_strings(ascii, strings.address) == ["\\xe9", "b"]
        assert heap.write_text(ascii, ref.address, "\u00e9tui", 4, "ignore") == 3
        assert bytes(ref) == b"tui?"
        for write in (
            lambda: heap.alloc_text(ascii, "caf\u00e9"),
            lambda: heap.alloc_strings(ascii, ["caf\u00e9"]),
            lambda: heap.write_text(ascii, ref.address, "caf\u00e9"),
        ):
            with pytest.raises(UnicodeEncodeError, match="ordinal not in range"):
                write()
        assert bytes(ref) == b"tui?"


def test_what_text_with_a_length_refuses(heap: HeapManager) -> None:
    wild: Any = heap
    with heap.alloc_array(emheap.uint8, b"caf\xe9") as ref:
        with pytest.raises(UnicodeDecodeError, match=r"^'utf-8' codec can't decode byte 0xe9"):
            heap.read_text(utf8, ref.address, 4)
        assert heap.read_text(utf8, ref.address, 4, "replace") == "caf\ufffd"
        with pytest.raises(emheap.NullPointerError):
            heap.read_text(utf8, 0, 4)
        with pytest.raises(emheap.ValueOutOfRangeError, match="length must not be negative"):
            heap.read_text(utf8, ref.address, -1)
        calls: tuple[tuple[Callable[[], Any], str], ...] = (
            (
                lambda: wild.read_text(emheap.int8, ref.address, 1),
                "expected an emheap type such as utf8, got .*int8",
            ),
            (lambda: wild.write_text(utf8, ref.address, b"x"), "utf8 takes a str, not bytes b'x'"),
            (lambda: wild.alloc_text(utf8, 5), "utf8 takes a str, not int 5"),
        )
        for call, words in calls:
            with pytest.raises(TypeError, match=words):
                call()
        assert bytes(ref) == b"caf\xe9"


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 300, 70_000])
def test_wide_strings_of_any_length(heap: HeapManager, length: int) -> None:
    for kind in (utf16, utf32):
        for letters in ("abc", "\u00e9\u65e5", "\U0001f600x", "a\u0100"):
            text = (letters * length)[:length]
            with heap.alloc(kind, text) as ref:
                assert heap.read(kind, ref.address) == ref.value == text


def test_text_with_a_length_lies_where_its_elements_are_aligned(heap: HeapManager) -> None:
    with heap.alloc_array(emheap.uint8, 16, align=4) as room:
        for kind in (utf16, utf32):
            with pytest.raises(emheap.MisalignedError, match=f"a {kind.name} string needs an addr"):
                heap.write_text(kind, room.address + 1, "x")
            with pytest.raises(emheap.MisalignedError, match=f"a {kind.name} string needs an addr"):
                heap.read_text(kind, room.address + 1, 1)
        assert not any(room)
