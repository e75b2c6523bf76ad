"""The layout of structures is the compiler's: sizes, alignments, and the place of every bit.

Everywhere a table is compared, which libclang made. Where there are compilers, random structures
are too: with what their code does, or with what libclang says. The marker ``slow`` has many more.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from pathlib import Path

import pytest

import emheap
from emheap import Array, Struct, array, uint8, uint64
from emheap.types.abi import ABIS, native_abi
from emheap.types.layout import Member, place
from emtests.conftest import skip_for_gap
from emtests.structures.compilers import ask_libclang, compile_with, disagreements, why_unasked
from emtests.structures.declarations import make_structures, to_c
from emtests.structures.table import TARGETS, describe, read_table

TABLE = list(read_table())


@pytest.mark.parametrize("target", TARGETS)
def test_every_line_of_the_table_is_laid_out_as_compilers_do(target: str) -> None:
    assert len(TABLE) >= 60
    for declared, expected in TABLE:
        assert describe(declared, target) == expected[target], to_c(declared)


@pytest.mark.parametrize("target", ABIS)
def test_words_are_as_wide_as_the_machine_has_them(target: str) -> None:
    abi = ABIS[target]
    narrow = target.split("-")[0] in ("wasm32", "i386", "armv7")
    windows = "windows" in target
    assert abi.pointer_size == (4 if narrow else 8)
    assert abi.long_size == (4 if narrow or windows else 8)
    assert abi.wchar_size == (2 if windows else 4)


def check_code(compiler: str, seed: int, count: int, folder: Path) -> None:
    reason = why_unasked(compiler)
    if reason:
        skip_for_gap(compiler, reason)
    structures = make_structures(seed, count)
    found = disagreements(structures, compile_with(compiler, structures, folder))
    assert not found, f"{len(found)} of {count} differ; the first:\n{found[0]}"


def check_libclang(target: str, seed: int, count: int) -> None:
    reason = why_unasked("libclang")
    if reason:
        skip_for_gap("libclang", reason)
    found = ask_libclang(target, make_structures(seed, count))
    assert not found, f"{len(found)} of {count} differ; the first:\n{found[0]}"


@pytest.mark.once
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compiled_code_finds_every_bit_where_we_do(compiler: str, tmp_path: Path) -> None:
    check_code(compiler, 11, 200, tmp_path)


@pytest.mark.once
@pytest.mark.parametrize("target", ABIS)
def test_libclang_agrees(target: str) -> None:
    check_libclang(target, 7, 200)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compiled_code_finds_every_bit_of_many_structures(compiler: str, tmp_path: Path) -> None:
    check_code(compiler, 12, 2000, tmp_path)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("target", ABIS)
def test_libclang_agrees_on_many_structures(target: str) -> None:
    check_libclang(target, 8, 4000)


def test_a_flexible_array_takes_no_room_but_aligns() -> None:
    placed = place([Member("count", 1, 1), Member("items", 0, 8)], ABIS["x86_64-linux-gnu"])
    assert (placed.size, placed.alignment, placed.bits["items"]) == (8, 8, (64, 0))


def test_a_structure_in_another_is_aligned_as_alone() -> None:
    class Inner(Struct):
        tag: uint8
        value: uint64

    class Outer(Struct):
        first: uint8
        inner: Inner
        last: uint8

    class Several(Struct):
        first: uint8
        rows: Array[Inner] = array(2)

    for abi, offset, size in (("x86_64-linux-gnu", 8, 16), ("i386-linux-gnu", 4, 12)):
        heap = emheap.wrap_buffer(bytearray(256), abi=abi)
        outer, several = heap.layout(Outer), heap.layout(Several)
        assert [outer.fields[name].offset for name in ("inner", "last")] == [offset, offset + size]
        assert (outer.size, outer.alignment) == (2 * offset + size, offset)
        assert (several.fields["rows"].offset, several.size) == (offset, offset + 2 * size)


def test_a_structure_with_no_members_is_empty() -> None:
    placed = place([], ABIS["x86_64-linux-gnu"])
    assert (placed.size, placed.alignment, placed.bits) == (0, 1, {})


def test_the_native_abi_is_that_of_ctypes() -> None:
    class Sample(ctypes.Structure):
        _fields_ = (
            ("a", ctypes.c_char),
            ("b", ctypes.c_longlong),
            ("c", ctypes.c_char),
            ("d", ctypes.c_long),
            ("e", ctypes.c_void_p),
            ("f", ctypes.c_wchar),
        )

    abi = native_abi()
    if sys.platform == "linux" and platform.machine() == "x86_64" and abi.pointer_size == 8:
        assert abi is ABIS["x86_64-linux-gnu"]
    members = [Member(name, 1, 1) for name in "ac"]
    members.insert(1, Member("b", 8, abi.alignment(8)))
    members.append(Member("d", abi.long_size, abi.alignment(abi.long_size)))
    members.append(Member("e", abi.pointer_size, abi.alignment(abi.pointer_size)))
    members.append(Member("f", abi.wchar_size, abi.wchar_size))
    placed = place(members, abi)
    assert placed.size == ctypes.sizeof(Sample)
    for name, (start, _) in placed.bits.items():
        assert start == 8 * getattr(Sample, name).offset
