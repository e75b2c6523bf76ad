"""A reference that JavaScript takes for a number is its address, and never 0."""

from __future__ import annotations

import ctypes
from typing import Any

import js
import pytest
from pyodide.code import run_js
from pyodide.ffi import JsException

import emheap
from emheap import float32, int32, uint8, utf8
from emtests.structures.kinds import Vec
from emtests.webassembly.guests import open_guest


def test_a_reference_reaches_a_function_of_webassembly_as_its_address() -> None:
    guest = open_guest("guest32")
    exports: Any = guest.parts[0].exports
    numbers = guest.heap.alloc_array(float32, [0.5, 1.5, 40])
    text, value = guest.heap.alloc(utf8, "hello"), guest.heap.alloc(int32, 5)
    assert exports.sum_float32(numbers, 3) == 42
    assert exports.text_length(text) == exports.capitalize(text) == 5
    assert text.value == "HELLO"
    exports.add_to_each(value, 1, 37)
    assert value.value == 42
    wrapped = guest.heap.wrap(int32, value.address)
    exports.add_to_each(wrapped, 1, 1)
    assert value.value == 43
    assert js.Number(text) == text.address
    vectors: Any = guest.heap.alloc_array(Vec, [(1, 2), (3, 4)])
    assert exports.sum_float32(vectors[1], 2) == 7  # the place of the element
    guest.heap.free_all()


def test_a_sum_of_javascripts_is_one_of_addresses() -> None:
    guest = open_guest("guest32")
    exports: Any = guest.parts[0].exports
    bytes_ = guest.heap.alloc_array(uint8, b"abcd")
    text = guest.heap.alloc(utf8, "text")
    second = run_js("(load, ref) => load(ref + 1)")
    assert second(exports.load_byte, bytes_) == ord("b")
    assert second(exports.load_byte, text) == ord("e")
    assert run_js("(ref, address) => ref == address")(bytes_, bytes_.address)
    assert run_js("(ref) => `${ref}`")(text) == "text"
    text.free()
    with pytest.raises((emheap.UseAfterFreeError, JsException), match=r"after|freed"):
        second(exports.load_byte, text)
    guest.heap.free_all()


def test_a_pointer_reaches_a_function_as_its_address() -> None:
    class Holder(emheap.Struct):
        bytes_: emheap.Pointer[uint8]

    guest = open_guest("guest32")
    exports: Any = guest.parts[0].exports
    data = guest.heap.alloc_array(uint8, b"abcd")
    holder: Any = guest.heap.alloc(Holder, bytes_=data)
    many: Any = guest.heap.alloc_array(emheap.Pointer[uint8], [data, None])
    for pointer in (holder.bytes_, many[0]):
        assert js.Number(pointer) == data.address
        assert exports.load_byte(pointer) == ord("a")
    assert js.Number(many[1]) == 0
    data.free()
    with pytest.raises((emheap.UseAfterFreeError, JsException), match=r"after|freed"):
        exports.load_byte(holder.bytes_)
    guest.heap.free_all()


def test_views_and_atomics_are_no_numbers() -> None:
    guest = open_guest("guest32")
    exports: Any = guest.parts[0].exports
    numbers = guest.heap.alloc_array(int32, [1, 2])
    for value, what in (
        (numbers.view, "a view"),
        (guest.heap.view(int32, numbers.address, 2), "a view"),
        (numbers.atomic, "an atomic"),
        (numbers.atomic[0], "an atomic"),
    ):
        with pytest.raises((TypeError, JsException), match=f"{what} is no address: pass the ref"):
            exports.load_byte(value)
    guest.heap.free_all()


def test_a_freed_reference_is_no_number() -> None:
    guest = open_guest("guest32")
    ref = guest.heap.alloc(int32, 5)
    ref.free()
    with pytest.raises((emheap.UseAfterFreeError, JsException), match=r"after|freed"):
        guest.parts[0].exports.load_byte(ref)


def test_other_objects_are_converted_as_before() -> None:
    class Other:
        def __str__(self) -> str:
            return "12"

    text = run_js("(value) => `${value}`")
    add = run_js("(value) => value + 1")
    assert js.Number(Other()) == 12
    assert text(Other()) == "12"
    assert add(Other()) == "121"
    assert js.isNaN(js.Number(object()))
    exports: Any = open_guest("guest32").parts[0].exports
    assert exports.text_length(memoryview(bytearray(b"text"))) == exports.text_length(0)
    with emheap.open().alloc(utf8, "a text") as ref:
        assert text(ref) == str(ref)


def test_a_reference_is_a_pointer_in_its_own_memory() -> None:
    heap: Any = open_guest("guest32").heap
    with heap.arena() as scratch:
        number = scratch.alloc(int32, 42)
        place = scratch.alloc(emheap.pointer32)
        heap.write(emheap.pointer32, place.address, number)
        assert place.value == number.address
        pointers = scratch.alloc_array(emheap.pointer32, [number, 0])
        for _ in range(3):
            pointers[1] = number
            place.value = number
        assert pointers[:] == [number.address] * 2
        assert heap.read(int32, number) == 42
        for wrong in (emheap.open().alloc(int32), open_guest("guest32").heap.alloc(int32)):
            with pytest.raises(emheap.NotAllocatedError, match="reference of another heap"):
                pointers[0] = wrong
            wrong.free()


def test_a_pointer_of_ctypes_is_no_address_in_another_memory() -> None:
    number = ctypes.c_int32(5)
    guest = open_guest("guest32")
    wild: Any = guest.heap
    words = "^a pointer of this process says nothing about the .*: pass an address in it$"
    for pointer in (ctypes.pointer(number), ctypes.byref(number)):
        with pytest.raises(TypeError, match=words):
            wild.read_int32(pointer)
    with guest.heap.alloc(int32, 6) as ref:
        assert guest.heap.read_int32(ref.address) == 6
