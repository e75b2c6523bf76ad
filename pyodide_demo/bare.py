"""The mistakes of `breaking.py` made with ctypes alone, which takes each of them in silence.

They are chosen so that the interpreter lives on: every byte that is damaged belongs to a block of
the same function.
"""

from __future__ import annotations

import sys
from ctypes import CDLL, c_int32, c_size_t, c_uint8, c_void_p

libc = CDLL("msvcrt" if sys.platform == "win32" else None)
libc.malloc.restype = c_void_p
libc.malloc.argtypes = [c_size_t]
libc.free.argtypes = [c_void_p]
malloc, free = libc.malloc, libc.free


def use_after_free() -> str:
    """Read a number after it was freed"""
    first = malloc(24)
    c_int32.from_address(first).value = 41
    free(first)
    others = [malloc(24) for _ in range(8)]
    for other in others:
        c_int32.from_address(other).value = 99
    found = c_int32.from_address(first).value
    for other in others:
        free(other)
    return f"the first number is {found}"


def double_free() -> str:
    """Free a block that belongs to somebody else by now"""
    first = malloc(24)
    free(first)
    seconds = [malloc(24) for _ in range(8)]
    for second in seconds:
        c_int32.from_address(second).value = 2
    free(first)
    thirds = [malloc(24) for _ in range(8)]
    for third in thirds:
        c_int32.from_address(third).value = 3
    found = max(c_int32.from_address(second).value for second in seconds)
    for block in {*seconds, *thirds}:
        free(block)
    return f"a second number is {found}, though 2 was stored in each"


def overflow() -> str:
    """Store an element beyond the end of an array"""
    blocks = sorted(malloc(16) for _ in range(8))
    scores, neighbour = blocks[:2]
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
