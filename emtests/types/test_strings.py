"""Strings at an address: terminated, never cut short, and no byte written before all is checked."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import emheap
from emheap import Arena, HeapManager, Text, ascii, uint8, uint16, utf8, utf16, utf32  # noqa: A004
from emtests.types.texts import CODECS, encoded, fitting

each_text = pytest.mark.parametrize("text", CODECS, ids=lambda kind: kind.name)


def flat(heap: HeapManager, verb: str, text: type[Text]) -> Any:
    return getattr(heap, f"{verb}_null_terminated_{text.name}_string")


# Reading and writing


@each_text
def test_bytes_are_those_of_the_codec(heap: HeapManager, scratch: Arena, text: type[Text]) -> None:
    room = scratch.alloc_array(uint8, 50_000, align=8)
    size = text.size
    for value in fitting(text):
        expected = encoded(text, value)
        count = len(expected) // size - 1
        for write in (flat(heap, "write", text), lambda *given: heap.write(text, *given)):
            room[0 : len(expected) + 8] = b"\xff" * (len(expected) + 8)
            assert write(room.address, value) == count
            assert bytes(room)[: len(expected)] == expected
            assert room[len(expected) : len(expected) + 8] == [255] * 8
        assert heap.read(text, room.address) == value
        assert flat(heap, "read", text)(room.address) == value
        assert heap.get_element_count_of_null_terminated_string(room.address, size) == count


@each_text
def test_a_hundred_thousand_characters_agree_with_the_codec(
    heap: HeapManager, scratch: Arena, text: type[Text]
) -> None:
    room = scratch.alloc_array(uint8, 1 << 15, align=8)
    write, read = flat(heap, "write", text), flat(heap, "read", text)
    for number, value in enumerate(random_texts(text is ascii)):
        data = encoded(text, value)
        address = room.address + number * 61 % 512 * text.size
        assert (write(address, value) + 1) * text.size == len(data)
        assert heap.memory.read_bytes(address, len(data)) == data
        assert read(address) == value


@cache
def random_texts(only_ascii: bool) -> list[str]:
    """Texts of 100,000 characters together, of all lengths of their encoding."""
    source = random.Random(20240229)
    alphabet = [chr(code) for code in range(1, 0x80)]
    if not only_ascii:
        for first, end in ((0x80, 0x800), (0x800, 0xD800), (0xE000, 0x10000), (0x10000, 0x110000)):
            alphabet += [chr(source.randrange(first, end)) for _ in range(200)]
    texts = ["".join(source.choices(alphabet, k=length)) for length in range(200)]
    left = 100_000 - sum(map(len, texts))
    return [*texts, *("".join(source.choices(alphabet, k=left // 16)) for _ in range(16))]


@given(value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_comes_back(value: str) -> None:
    heap = emheap.open()
    for text in (utf8, utf16, utf32):
        with heap.alloc(text, value) as ref:
            assert bytes(ref) == encoded(text, value)
            assert ref.value == heap.read(text, ref.address) == value


@each_text
def test_reading_stops_after_max_elements(
    heap: HeapManager, scratch: Arena, text: type[Text]
) -> None:
    ref = scratch.alloc(text, "abcde")
    read = flat(heap, "read", text)
    for limit in (5, 6, 100):
        assert read(ref.address, limit) == heap.read(text, ref.address, limit) == "abcde"
    assert read(ref.address, max_elements=5) == "abcde"
    for limit in (0, 4):
        words = rf"no null terminator within {limit} elements from address 0x{ref.address:x} "
        with pytest.raises(emheap.UnterminatedStringError, match=words):
            read(ref.address, limit)
        with pytest.raises(emheap.UnterminatedStringError, match=words):
            heap.get_element_count_of_null_terminated_string(ref.address, text.size, limit)


@each_text
def test_an_unterminated_string_is_refused_within_its_extent(
    heap: HeapManager, scratch: Arena, text: type[Text]
) -> None:
    ref = scratch.alloc(text, 20)
    ref.allocated_bytes_view[:] = b"\x61" * ref.allocated_byte_size
    words = "no null terminator within 20 elements from address"
    for read in (
        lambda: ref.value,
        ref.read,
        lambda: str(ref),
        lambda: ref.encoded_element_count,
        lambda: ref.encoded_byte_length,
        lambda: ref.encoded_bytes_view,
        lambda: ref.encoded_elements_view,
    ):
        with pytest.raises(emheap.UnterminatedStringError, match=words):
            read()
    assert repr(ref).startswith(f"<StringRef {text.name} ")
    ref.value = "ok"
    assert ref.value == "ok"


@pytest.mark.needs("bounds", "raw addresses")
@each_text
def test_strings_at_the_end_of_the_memory(heap: HeapManager, text: type[Text]) -> None:
    end = heap.memory.size & -4
    saved = heap.memory.read_bytes(end - 256, heap.memory.size - end + 256)
    for length in (0, 1, 3, 20):
        data = encoded(text, "x" * length)
        address = end - len(data)
        assert heap.write(text, address, "x" * length) == length
        assert heap.read(text, address) == "x" * length
        assert heap.wrap(text, address).value == "x" * length
        with pytest.raises(emheap.OutOfBoundsError):
            heap.write(text, address, "x" * length + "y")
        assert heap.memory.read_bytes(address, len(data)) == data
        heap.memory.write_bytes(end - text.size, b"x" * text.size)
        with pytest.raises(emheap.UnterminatedStringError, match="within the end of the memory"):
            heap.read(text, address)
    heap.memory.write_bytes(end - 256, saved)


# What is refused


@each_text
def test_capacity_counts_elements_without_the_terminator(
    heap: HeapManager, scratch: Arena, text: type[Text]
) -> None:
    room = scratch.alloc_array(uint8, 64, align=8)
    room[:] = b"\xee" * 64
    write = flat(heap, "write", text)
    words = (
        rf"^6 elements of {text.name} do not fit the capacity of 5 "
        r"\(which does not count the terminator\)"
    )
    with pytest.raises(emheap.CapacityError, match=words):
        write(room.address, "abcdef", 5)
    with pytest.raises(emheap.CapacityError, match=words):
        heap.write(text, room.address, "abcdef", capacity=5)
    assert set(room) == {0xEE}
    assert write(room.address, "abcde", 5) == 5
    assert heap.read(text, room.address) == "abcde"
    assert room[6 * text.size] == 0xEE
    assert write(room.address, "", 0) == 0
    assert heap.read(text, room.address) == ""


def test_capacity_counts_elements_not_characters(heap: HeapManager, scratch: Arena) -> None:
    room = scratch.alloc_array(uint8, 64, align=8)
    for text, count in ((utf8, 4), (utf16, 2), (utf32, 1)):
        assert heap.write(text, room.address, "\U0001f600", count) == count
        with pytest.raises(emheap.CapacityError):
            heap.write(text, room.address, "\U0001f600", count - 1)
        assert heap.read(text, room.address) == "\U0001f600"


@each_text
def test_an_embedded_null_is_refused(heap: HeapManager, scratch: Arena, text: type[Text]) -> None:
    ref = scratch.alloc(text, "before")
    live = heap.total_allocated_byte_size
    wild: Any = heap
    for value, index in (("\0", 0), ("ab\0cd", 2), ("\U0001f600\0" if text is utf8 else "a\0", 1)):
        for write in (
            ref.write,
            lambda value: heap.write(text, ref.address, value),
            lambda value: flat(heap, "write", text)(ref.address, value),
            lambda value: wild.alloc(text, value),
            flat(heap, "alloc", text),
        ):
            with pytest.raises(
                ValueError, match=rf"cannot hold the null character at index {index} "
            ):
                write(value)
            assert ref.value == "before"
    assert heap.total_allocated_byte_size == live


def test_lone_surrogates_need_to_be_asked_for(heap: HeapManager, scratch: Arena) -> None:
    for text in (utf8, utf16, utf32):
        ref = scratch.alloc(text, "before")
        for value in ("\ud800", "\udfff", "a\udc00b"):
            with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
                ref.value = value
            with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
                heap.alloc(text, value)
            with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
                heap.write(text, ref.address, value)
            assert ref.value == "before"
            ref.write(value, errors="surrogatepass")
            with pytest.raises(UnicodeDecodeError, match=f"^'{text.codec}' codec can't decode"):
                ref.read()
            assert ref.read("surrogatepass") == value
            assert heap.read(text, ref.address, errors="surrogatepass") == value
            assert "\ufffd" in ref.read("replace")
            with heap.alloc(text, value, errors="surrogatepass") as other:
                assert other.read("surrogatepass") == value
            ref.value = "before"


def test_ascii_holds_ascii_only(heap: HeapManager, scratch: Arena) -> None:
    ref = scratch.alloc(ascii, "before")
    for write in (ref.write, lambda value: heap.alloc(ascii, value)):
        with pytest.raises(UnicodeEncodeError, match="ordinal not in range"):
            write("h\u00e9llo")
    assert ref.value == "before"
    ref.write("h\u00e9llo", errors="replace")
    assert ref.value == "h?llo"
    heap.write_null_terminated_ascii_string(ref.address, "h\u00e9llo", errors="ignore")
    assert ref.value == "hllo"
    heap.write(uint8, ref.address, 0xE9)
    with pytest.raises(UnicodeDecodeError, match=r"^'ascii' codec can't decode byte 0xe9"):
        heap.read_null_terminated_ascii_string(ref.address)
    assert heap.read_null_terminated_ascii_string(ref.address, errors="replace") == "\ufffdllo"
    assert ref.read(errors="ignore") == "llo"


def test_invalid_bytes_raise_or_are_replaced(heap: HeapManager, scratch: Arena) -> None:
    for data, text in (
        (b"ok\xff", utf8),
        (b"ok\xe2\x82", utf8),  # a tail that is cut short
        (b"\xc0\xaf", utf8),
        (b"\x00\xd8a\x00" if CODECS[utf16][0].endswith("le") else b"\xd8\x00\x00a", utf16),
        (b"\xff\xff\xff\xff", utf32),
    ):
        ref = scratch.alloc(text, 8)
        heap.memory.write_bytes(ref.address, data + bytes(4))
        codec = CODECS[text][0]
        for errors in ("replace", "ignore", "backslashreplace"):
            expected = data.decode(codec, errors)
            assert ref.read(errors) == heap.read(text, ref.address, errors=errors) == expected
        for read in (ref.read, lambda ref=ref, text=text: heap.read(text, ref.address)):
            with pytest.raises(UnicodeDecodeError, match=codec[:5]):
                read()


def test_invalid_bytes_in_a_long_string_raise_or_are_replaced(
    heap: HeapManager, scratch: Arena
) -> None:
    """Also when the caller keeps the error: it must not keep the memory."""
    lone = "\ud800".encode("utf-16-le", "surrogatepass")
    lone = lone if CODECS[utf16][0].endswith("le") else lone[::-1]
    for text, wrong in ((utf8, b"\xff"), (utf16, lone), (utf32, b"\xff" * 4)):
        codec = CODECS[text][0]
        for before in (0, 100, 3000):
            data = ("x" * before).encode(codec) + wrong + ("y" * 3000).encode(codec)
            ref = scratch.alloc(text, 7000)
            heap.memory.write_bytes(ref.address, data + bytes(text.size))
            for errors in ("replace", "ignore", "backslashreplace"):
                expected = data.decode(codec, errors)
                assert ref.read(errors) == heap.read(text, ref.address, errors=errors) == expected
            with pytest.raises(UnicodeDecodeError, match=codec[:5]):
                heap.read(text, ref.address)


@pytest.mark.parametrize("before", [0, 1, 63, 64, 2047, 2048])
def test_pairs_of_surrogates_are_read_wherever_they_lie(
    heap: HeapManager, scratch: Arena, before: int
) -> None:
    """Across the pages of the memory, and of what is looked at first, too."""
    for value in ("x" * before + "\U0001f600" * 5000, "x" * before + "\u0100\U0001f600"):
        ref = scratch.alloc(utf16, value)
        assert heap.read(utf16, ref.address) == ref.value == value


def test_what_lies_behind_a_long_string_need_be_no_text(heap: HeapManager, scratch: Arena) -> None:
    ref = scratch.alloc_array(uint16, [0xDC00] * 6000)  # halves of pairs of surrogates
    for length in (1, 127, 128, 129, 2000, 4000, 5998):
        value = "\u0100" * length
        assert heap.write(utf16, ref.address, value) == length
        assert heap.read(utf16, ref.address) == value
        assert heap.read(utf16, ref.address, length) == value
        assert ref[length + 1] == 0xDC00


@each_text
def test_only_text_is_text(heap: HeapManager, scratch: Arena, text: type[Text]) -> None:
    ref: Any = scratch.alloc(text, "before")
    wild: Any = heap
    for value in (None, 5, 1.5, b"bytes", ["a"], object()):
        words = rf"{text.name} takes a str, not {type(value).__name__} "
        for write in (ref.write, lambda value: wild.write(text, ref.address, value)):
            with pytest.raises(TypeError, match=words):
                write(value)
        with pytest.raises(TypeError, match=words):
            ref.value = value
    assert ref.value == "before"


def test_a_null_is_looked_for_element_by_element(heap: HeapManager, scratch: Arena) -> None:
    # Zero bytes that belong to two neighbours are no terminator.
    room = scratch.alloc_array(uint8, 4096, align=8)
    for width in (2, 4):
        for start in range(0, 200, width):
            for length in (0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 200):
                element = (1 << 8 * (width - 1)).to_bytes(width, "little")
                data = element * length + bytes(width)
                heap.memory.write_bytes(room.address + start, data + b"\xff" * 4)
                count = heap.get_element_count_of_null_terminated_string(
                    room.address + start, width
                )
                assert count == length
    for width in (0, 3, 8, -1):
        with pytest.raises(ValueError, match=f"bytes_per_element must be 1, 2 or 4, got {width}"):
            heap.get_element_count_of_null_terminated_string(room.address, width)
