"""Every path to the C library's heap, a few thousand times: valgrind watches it."""

from __future__ import annotations

import os
import platform
import random
import sys
from types import SimpleNamespace
from typing import Any

import pytest

import emheap
from emheap import BufferInUseError, DoubleFreeError, HeapManager
from emheap.memories.process import ProcessMemory
from emheap.types import scalar_types, text_types, wide_types
from emtests.conftest import skip_for_gap

KINDS = (*scalar_types, *wide_types)
ROUNDS = 300


def use_numbers(heap: HeapManager, chance: random.Random) -> None:
    kind: Any = chance.choice(KINDS)
    ref = heap.alloc(kind, chance.randrange(128), align=chance.choice([None, 1, 64, 4096]))
    heap.write(kind, ref.address, heap.read(kind, ref.address))
    ref.value = ref.value
    heap.free(chance.choice([ref, ref.address]))
    with pytest.raises(DoubleFreeError):
        ref.free()


def use_arrays(heap: HeapManager, chance: random.Random) -> None:
    kind: Any = chance.choice(KINDS)
    count = chance.choice([0, 1, 3, 1000, 70000 // kind.size])
    ref = heap.alloc_array(kind, count)
    assert not any(bytes(ref))
    if count:
        ref[-1] = ref[0] = 1
        part = ref.view[:1]
        with pytest.raises(BufferInUseError):
            ref.free()
        part.release()
        ref[count // 2 :] = [2] * (count - count // 2)
        assert heap.wrap_array(kind, ref.address, count)[-1] == 2
    ref.clear()
    ref.free()


def use_strings(heap: HeapManager, chance: random.Random) -> None:
    text: Any = chance.choice(text_types)
    content = "x" * chance.choice([0, 1, 60, 64, 70, 5000])
    ref = heap.alloc(text, content)
    # With a limit for wide elements: without one they are looked for up to the end of a page,
    # which is safe, but valgrind cannot know that.
    limit = None if text.size == 1 else len(content)
    assert heap.read(text, ref.address, limit) == ref.value == content
    assert heap.write(text, ref.address, content[1:]) == len(content[1:])
    assert heap.read(text, ref.address, len(content)) == content[1:]
    ref.free()


def use_arenas(heap: HeapManager, chance: random.Random) -> None:
    with heap.arena() as scratch, scratch.arena() as inner:
        for maker in (scratch, inner):
            maker.alloc_array(chance.choice(scalar_types), range(chance.randrange(100)))
            maker.alloc_null_terminated_utf16_string("é" * chance.randrange(50))
            maker.alloc_float64(0.5)


def test_it_ends_where_no_program_has_memory() -> None:
    heap = emheap.open()
    if sys.platform == "linux" and platform.machine() == "x86_64" and sys.maxsize > 2**32:
        assert heap.memory.size == 1 << 47
        with pytest.raises(emheap.OutOfBoundsError, match=r"holds addresses .* to 0x7fffffffffff"):
            heap.read_int32((1 << 47) - 3)


def test_arm_ignores_the_tag_that_android_puts_into_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if sys.platform == "emscripten":
        skip_for_gap("WebAssembly", "its addresses have no tags")
    tagged = 0xB400_007A_1234_5678
    with pytest.raises(emheap.OutOfBoundsError):
        ProcessMemory().check_extent(tagged, 8)
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="aarch64"), raising=False)
    memory = ProcessMemory()
    assert memory.check_extent(tagged, 8) == tagged
    assert len(memory.locate(tagged, 8)[0]) == 8
    for outside in (0xB4F0_0000_0000_0000, 1 << 64, (1 << 64) + 4096, -5, 0xB400_0000_0000_0010):
        with pytest.raises(emheap.OutOfBoundsError):
            memory.check_extent(outside, 8)
    with pytest.raises(emheap.NullPointerError):
        memory.check_extent(0, 1)


@pytest.mark.valgrind
@pytest.mark.parametrize("use", [use_numbers, use_arrays, use_strings, use_arenas])
def test_no_access_leaves_its_block(use: Any) -> None:
    heap = emheap.open()
    chance = random.Random(use.__name__)
    for _ in range(ROUNDS):
        use(heap, chance)
    assert heap.total_allocated_byte_size == 0


@pytest.mark.valgrind
def test_a_string_at_the_end_of_its_block_is_read_no_further() -> None:
    # A block of malloc's own, whose end valgrind knows to the byte.
    allocator = emheap.LibcAllocator()
    heap = emheap.open()
    for length in (1, 12, 63, 64, 65, 4095, 4096, 10000):
        address = allocator.allocate(length + 1)
        heap.write(emheap.utf8, address, "y" * length)
        assert heap.read(emheap.utf8, address) == "y" * length
        assert heap.read(emheap.ascii, address + length - 1) == "y"
        assert heap.read(emheap.utf8, address, length) == "y" * length
        allocator.free(address)
