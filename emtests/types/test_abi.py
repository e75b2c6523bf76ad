"""Which machine's layout of data is the native one, and characters that differ between them."""

from __future__ import annotations

import re
from typing import Any

import pytest

import emheap
from emheap import HeapManager, ValueOutOfRangeError, uint32, wchar
from emheap.types.abi import ABIS, WASM32, native_abi, target_of

MACHINES: tuple[tuple[str, str, int, int, str], ...] = (
    ("linux", "x86_64", 8, 8, "x86_64-linux-gnu"),
    ("linux", "i686", 4, 4, "i386-linux-gnu"),
    ("linux", "aarch64", 8, 8, "aarch64-linux-gnu"),
    ("linux", "armv7l", 4, 8, "armv7-linux-gnueabihf"),
    ("linux", "riscv64", 8, 8, "x86_64-linux-gnu"),
    ("linux", "mips", 4, 8, "wasm32-unknown-unknown"),
    ("darwin", "arm64", 8, 8, "arm64-apple-macos"),
    ("darwin", "x86_64", 8, 8, "arm64-apple-macos"),
    ("win32", "", 8, 8, "x86_64-pc-windows-msvc"),
    ("win32", "", 4, 8, "i386-pc-windows-msvc"),
    ("emscripten", "wasm32", 4, 8, "wasm32-unknown-unknown"),
    ("wasi", "wasm32", 4, 8, "wasm32-unknown-unknown"),
    ("emscripten", "wasm64", 8, 8, "wasm64-unknown-unknown"),
)


@pytest.mark.parametrize(("system", "machine", "pointer", "eight", "target"), MACHINES)
def test_the_layout_of_each_machine(
    system: str, machine: str, pointer: int, eight: int, target: str
) -> None:
    assert target_of(system, machine, pointer, eight) == target
    abi = ABIS[target]
    assert (abi.pointer_size, abi.alignment(8)) == (pointer, eight)


def test_every_machine_that_there_is_is_documented_and_no_other() -> None:
    named = re.findall(r"``(\w+(?:-\w+){2,})``", emheap.wrap_buffer.__doc__ or "")
    assert set(named) == ABIS.keys()
    for target in ABIS:
        heap = emheap.wrap_buffer(bytearray(64), abi=target)
        assert heap.memory.abi is ABIS[target]
    assert emheap.wrap_buffer(bytearray(64)).memory.abi is ABIS["wasm32-unknown-unknown"]


def test_an_abi_says_which_it_is() -> None:
    assert repr(WASM32) == "<ABI wasm32>"
    assert repr(native_abi()) == f"<ABI {native_abi().name}>"


# Characters of two or four bytes

WINDOWS = ABIS["x86_64-pc-windows-msvc"]


def test_characters_that_do_not_fit_two_bytes() -> None:
    narrow, wide = wchar.for_abi(WINDOWS), wchar.for_abi(WASM32)
    assert (narrow.size, wide.size) == (2, 4)
    assert narrow.encode("\uffff") == wide.encode("\uffff") == 0xFFFF
    with pytest.raises(ValueOutOfRangeError, match="'😀' does not fit wchar, which has 2 bytes"):
        narrow.encode("😀")
    assert wide.decode(wide.encode("😀")) == "😀"
    assert narrow.for_abi(WASM32) is wide
    assert wide.for_abi(WINDOWS) is narrow


def test_numbers_that_are_no_characters(heap: HeapManager) -> None:
    with heap.alloc(uint32, 0x110000) as number:
        borrowed: Any = heap.wrap(wchar, number.address)
        assert borrowed.allocated_byte_size == 4
        with pytest.raises(ValueOutOfRangeError, match="read as wchar hold 0x110000, no character"):
            _ = borrowed.value
        borrowed.value = "é"
        assert number.value == ord("é")
