"""The mistakes of `breaking.py` made with ctypes alone, which reports none of them.

They are chosen so that the interpreter lives on: every byte that is damaged belongs to a block of
the same function.
"""

from __future__ import annotations

import sys
from ctypes import CDLL, c_int32, c_size_t, c_uint8, c_void_p
from itertools import pairwise

libc = CDLL("msvcrt" if sys.platform == "win32" else None)
libc.malloc.restype = c_void_p
libc.malloc.argtypes = [c_size_t]
libc.free.argtypes = [c_void_p]
malloc, free = libc.malloc, libc.free

SIZE = 24
MOST_BLOCKS = 4096

_kept: list[int] = []
"""Blocks that stay in use, because freeing one may join it to a free neighbour."""


def freed_and_next() -> tuple[int, int]:
    """A block that was freed, and the next one, which got its bytes: two equal addresses.

    The bytes of others may go to a block that starts elsewhere, and to free those once more would
    be the end of the interpreter.
    """
    while len(_kept) < MOST_BLOCKS:
        first = int(malloc(SIZE))
        free(first)
        second = int(malloc(SIZE))
        if first == second:
            return first, second
        _kept.append(second)
    raise MemoryError(f"the C library reused none of {MOST_BLOCKS} blocks")


def use_after_free() -> str:
    """Read a number after it was freed"""
    first, second = freed_and_next()
    c_int32.from_address(second).value = 99
    found = c_int32.from_address(first).value
    free(second)
    return f"the first number is {found}"


def double_free() -> str:
    """Free a block whose bytes belong to another one by now"""
    first, second = freed_and_next()
    c_int32.from_address(second).value = 2
    free(first)
    thirds = [malloc(SIZE) for _ in range(64)]
    for third in thirds:
        (c_int32 * 6).from_address(third)[:] = [3] * 6
    found = c_int32.from_address(second).value
    for third in thirds:
        free(third)
    return f"the second number was 2 and is {found}"


def overflow() -> str:
    """Store an element beyond the end of an array"""
    blocks = sorted(malloc(16) for _ in range(64))
    scores, neighbour = min(pairwise(blocks), key=lambda pair: pair[1] - pair[0])
    c_int32.from_address(neighbour).value = 7
    beyond = (neighbour - scores) // 4
    c_int32.from_address(scores + 4 * beyond).value = 13
    found = c_int32.from_address(neighbour).value
    for block in blocks:
        free(block)
    return f"stored as element {beyond} of 4; the neighbour was 7 and is {found}"


def out_of_range() -> str:
    """Store 300 in a byte"""
    address = malloc(1)
    level = c_uint8.from_address(address)
    level.value = 300
    found = level.value
    free(address)
    return f"the level is {found}"


def leak() -> str:
    """Forget a block"""
    lost = malloc(4000)
    following = malloc(4000)
    free(following)
    return f"{lost:#x} stays taken (the next block was at {following:#x}), and nothing was said"
