"""String references: their room, their encoded form, and strings that other code changes."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import emheap
from emheap import Arena, HeapManager, Text, ascii, uint8, utf8, utf16, utf32  # noqa: A004
from emtests.types.texts import CODECS, encoded, fitting

each_text = pytest.mark.parametrize("text", CODECS, ids=lambda kind: kind.name)
FORMATS = {1: "B", 2: "H", 4: "I"}


@each_text
def test_a_text_is_allocated_to_fit(heap: HeapManager, text: type[Text]) -> None:
    for value in fitting(text):
        flat: Any = getattr(heap, f"alloc_null_terminated_{text.name}_string")
        with heap.alloc(text, value) as ref, flat(value) as other:
            data = encoded(text, value)
            assert bytes(ref) == bytes(other) == data
            assert ref.kind is other.kind is text
            assert ref.value == ref.read() == str(ref) == other.value == value
            assert ref.allocated_byte_size == len(data)
            assert ref.capacity == ref.encoded_element_count == len(data) // text.size - 1
            assert ref.encoded_byte_length == len(data) - text.size
            assert ref.bytes_per_element == text.size
            assert ref.address % text.size == 0


@each_text
def test_every_capacity_holds_what_it_says(heap: HeapManager, text: type[Text]) -> None:
    for capacity in range(41):
        flat: Any = getattr(heap, f"alloc_null_terminated_{text.name}_string")
        with heap.alloc(text, capacity) as ref, flat(capacity) as other:
            assert ref.capacity == other.capacity == capacity
            assert ref.allocated_byte_size == (capacity + 1) * text.size
            assert bytes(ref) == bytes(other) == bytes((capacity + 1) * text.size)
            assert ref.value == ""
            ref.value = "x" * capacity
            assert ref.value == "x" * capacity
            assert bytes(ref) == encoded(text, "x" * capacity)
            given = "1 element does" if capacity == 0 else f"{capacity + 1} elements do"
            words = (
                rf"{given} not fit the {text.name} string of "
                rf"{(capacity + 1) * text.size} bytes? at .*, which has room for {capacity} and"
            )
            with pytest.raises(emheap.CapacityError, match=words):
                ref.value = "y" * (capacity + 1)
            assert ref.value == "x" * capacity


@each_text
def test_a_shorter_text_leaves_the_rest_alone(scratch: Arena, text: type[Text]) -> None:
    ref = scratch.alloc(text, "abcdef")
    ref.value = "xy"
    assert bytes(ref) == encoded(text, "xy") + encoded(text, "abcdef")[3 * text.size :]
    assert (ref.value, ref.encoded_element_count, ref.capacity) == ("xy", 2, 6)
    ref.clear()
    assert bytes(ref) == bytes(7 * text.size)
    assert ref.value == ""


def test_a_capacity_is_a_count(heap: HeapManager) -> None:
    wild: Any = heap
    for text in CODECS:
        for value in (1.0, 2.5, True, [], object()):
            with pytest.raises(TypeError, match="capacity must be an int, not "):
                wild.alloc(text, value)
        with pytest.raises(emheap.ValueOutOfRangeError, match="capacity must not be negative"):
            heap.alloc(text, -1)
        for value in (None, b"text"):
            with pytest.raises(TypeError, match=f"^{text.name} takes a str, or the number of ele"):
                wild.alloc(text, value)


@each_text
def test_encoded_views_are_the_bytes_before_the_terminator(
    heap: HeapManager, text: type[Text]
) -> None:
    for value in fitting(text):
        with heap.alloc(text, value) as ref:
            data = encoded(text, value)[: -text.size]
            with ref.encoded_bytes_view as view:
                assert (bytes(view), view.format, view.readonly) == (data, "B", False)
            with ref.encoded_elements_view as elements:
                assert elements.format == FORMATS[text.size]
                units = [data[at : at + text.size] for at in range(0, len(data), text.size)]
                assert elements.tolist() == [int.from_bytes(u, sys.byteorder) for u in units]
            if data:
                ref.encoded_elements_view[0] = ord("Z")
                assert (
                    heap.memory.read_bytes(ref.address, text.size)
                    == encoded(text, "Z")[: -text.size]
                )


BROKEN = {ascii: b"\xff", utf8: b"\xff", utf16: b"\0\xd8", utf32: b"\0\0\x11\0"}
"""An element that no text has."""


@each_text
def test_what_is_no_text_is_handled_as_python_does(
    heap: HeapManager, scratch: Arena, text: type[Text]
) -> None:
    room = scratch.alloc_array(uint8, 2000, align=8)
    for capacity in (None, 5, 400):
        heap.write(text, room.address, "four")
        ref = heap.wrap(text, room.address, capacity)
        with pytest.raises(UnicodeEncodeError):
            ref.write("a\ud800b")
        assert ref.value == "four"
        ref.write("a\ud800b", "replace")
        assert ref.value == "a?b"
        ref.write("a\ud800b", errors="ignore")
        assert ref.value == "ab"
        heap.memory.write_bytes(room.address, BROKEN[text])
        with pytest.raises(UnicodeDecodeError):
            ref.read()
        assert ref.read("ignore") == "b"
        data = BROKEN[text] + encoded(text, "b")[: text.size]
        assert ref.read(errors="replace") == data.decode(text.codec, "replace")


# Wrapped strings


@each_text
def test_a_wrapped_string_with_a_capacity_has_that_room(
    heap: HeapManager, scratch: Arena, text: type[Text]
) -> None:
    room = scratch.alloc_array(uint8, 100, align=8)
    for wrap in (
        heap.wrap,
        lambda _, *given: getattr(heap, f"wrap_null_terminated_{text.name}_string")(*given),
    ):
        ref = wrap(text, room.address, 5)
        assert ref.capacity == 5
        assert ref.allocated_byte_size == 6 * text.size
        ref.value = "abcde"
        assert heap.read(text, room.address) == "abcde"
        with pytest.raises(emheap.CapacityError, match="room for 5 and the terminator"):
            ref.value = "abcdef"
        assert ref.value == "abcde"
        room.clear()
    with pytest.raises(emheap.ValueOutOfRangeError, match="capacity must not be negative"):
        heap.wrap(text, room.address, -1)


@each_text
def test_a_wrapped_string_of_unknown_room_follows_what_is_there(
    heap: HeapManager, scratch: Arena, text: type[Text]
) -> None:
    room = scratch.alloc_array(uint8, 400, align=8)
    heap.write(text, room.address, "four")
    ref = heap.wrap(text, room.address)
    assert (ref.capacity, ref.value, ref.encoded_element_count) == (None, "four", 4)
    assert ref.allocated_byte_size == len(bytes(ref)) == 5 * text.size
    # Its owner makes it longer, and later shorter.
    heap.write(text, room.address, "much longer than before")
    assert ref.value == str(ref) == f"{ref}" == "much longer than before"
    assert f"{ref:>25}" == f"  {ref.value}"
    assert ref.encoded_byte_length == 23 * text.size
    assert len(ref.allocated_bytes_view) == 24 * text.size
    ref.value = "twenty three characters"
    with pytest.raises(emheap.CapacityError, match=r"24 elements do not fit .* room for 23 and"):
        ref.value = "twenty-four characters!!"
    assert heap.read(text, room.address) == "twenty three characters"
    ref.value = "ab"
    with pytest.raises(emheap.CapacityError, match="room for 2 and the terminator"):
        ref.value = "abc"
    ref.clear()
    assert ref.value == ""
    assert bytes(ref) == bytes(text.size)
    assert room[3 * text.size] == ord("n")


@pytest.mark.needs("host address")
def test_c_sees_the_same_string(heap: HeapManager, scratch: Arena) -> None:
    import ctypes

    ref = scratch.alloc(utf8, "from Python")
    host = heap.memory.host_address(ref.address)
    assert ctypes.string_at(host) == b"from Python"
    ctypes.memmove(host, b"from C\0", 7)
    assert ref.value == "from C"
    assert ref.capacity == 11


# As objects


def test_equal_strings_are_the_same_place(heap: HeapManager, scratch: Arena) -> None:
    ref, other = scratch.alloc(utf8, "same"), scratch.alloc(utf8, "same")
    again = heap.wrap(utf8, ref.address, 4)
    assert ref == again
    assert hash(ref) == hash(again)
    assert ref != other
    assert ref != heap.wrap(ascii, ref.address)
    assert ref != "same"
    assert {ref, again, other} == {ref, other}


def test_repr_tells_text_address_and_owner(heap: HeapManager) -> None:
    ref = heap.alloc(utf16, "h\u00e9llo")
    assert repr(ref) == f"<StringRef utf16 'h\u00e9llo' at 0x{ref.address:x} owned>"
    wrapped = heap.wrap(utf16, ref.address)
    assert repr(wrapped) == f"<StringRef utf16 'h\u00e9llo' at 0x{ref.address:x} borrowed>"
    ref.free()
    assert repr(ref) == repr(wrapped) == f"<StringRef utf16 at 0x{ref.address:x} freed>"


def test_a_repr_shows_what_is_no_text(heap: HeapManager, scratch: Arena) -> None:
    ref = scratch.alloc(utf32, 3)
    heap.memory.write_bytes(ref.address, b"\xff" * 8)
    assert repr(ref).startswith("<StringRef utf32 '\ufffd")
