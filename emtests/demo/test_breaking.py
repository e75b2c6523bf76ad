"""The mistakes of the page, made here."""

from __future__ import annotations

import json
import re

import pytest

import emheap
from emtests.heaps import IN_PYODIDE
from emtests.processes import run_program
from pyodide_demo.breaking import MISTAKES, Account, make_with_ctypes, make_with_emheap

FILE = r"\S+breaking\.py:\d+ in "
TEXTS = {
    "use-after-free": (
        "UseAfterFreeError",
        rf"use after free: the int32 of 4 bytes at 0x\w+, allocated at {FILE}use_after_free, "
        rf"freed at {FILE}use_after_free",
    ),
    "double-free": (
        "DoubleFreeError",
        rf"double free: the int32 of 4 bytes at 0x\w+, allocated at {FILE}double_free, "
        rf"freed at {FILE}double_free",
    ),
    "overflow": (
        "OutOfBoundsError",
        rf"index 6 is outside the 4 elements of the int32 array of 16 bytes at 0x\w+, "
        rf"allocated at {FILE}overflow",
    ),
    "out-of-range": ("ValueOutOfRangeError", "300 does not fit uint8, which holds 0 to 255"),
    "leak": (
        "LeakError",
        r"1 block of 4000 bytes is still live; free it:\n"
        rf"  1 of 4000 bytes \(float32 array\), the first at 0x\w+, allocated at {FILE}leak\n\n"
        rf"ResourceWarning: float32 array of 4000 bytes at 0x\w+ was dropped and not freed; "
        rf"it was allocated at {FILE}leak",
    ),
}
# Whose bytes those of a freed block become, the C library decides; mostly they go to the next one.
SILENT = {
    "use-after-free": "the first number is 99",
    "double-free": r"the second number was 2 and is (?!2$)-?\d+",
    "overflow": r"stored as element \d+ of 4; the neighbour was 7 and is 13",
    "out-of-range": "the level is 44",
    "leak": r"0x\w+ stays taken \(the next block was at 0x\w+\), and nothing was said",
}


def test_every_mistake_is_tried() -> None:
    assert TEXTS.keys() == SILENT.keys() == MISTAKES.keys()


@pytest.mark.parametrize("name", MISTAKES)
def test_emheap_tells_and_keeps_the_heap_whole(name: str) -> None:
    with emheap.open() as heap, heap.alloc(emheap.int32, 5) as bystander:
        account = make_with_emheap(heap, name)
        error, text = TEXTS[name]
        assert account["error"] == error
        assert re.match(text, account["text"])
        assert re.fullmatch(rf"{FILE}{name.replace('-', '_')}", account["where"])
        assert account["code"].count("heap.alloc") >= 1
        assert [block.address for block in heap.live()] == [bystander.address]
        assert bystander.value == 5


MANY = """
import json
from pyodide_demo.breaking import MISTAKES, make_with_ctypes

kept = []
accounts = []
for i in range(200):
    kept.append(bytearray(i % 50 + 10))  # sizes like theirs, here and there
    accounts.append({name: make_with_ctypes(name) for name in MISTAKES})
    if i % 3 == 0:
        kept.pop(0)
print(json.dumps(accounts))
"""


def bare_accounts() -> list[dict[str, Account]]:
    """Every mistake made with ctypes many times, on a heap in many states."""
    if IN_PYODIDE:
        return [{name: make_with_ctypes(name) for name in MISTAKES} for _ in range(50)]
    # In a process of its own: no C library promises that it lives through this.
    accounts: list[dict[str, Account]] = json.loads(run_program(MANY))
    return accounts


def test_ctypes_is_silent() -> None:
    for accounts in bare_accounts():
        for name, account in accounts.items():
            assert (account["error"], account["where"]) == ("", "")
            assert re.fullmatch(SILENT[name], account["text"])
            assert "free(" in account["code"] or "malloc(" in account["code"]


def test_the_code_shown_is_the_code_run() -> None:
    account = make_with_emheap(emheap.open(), "out-of-range")
    assert account["code"] == (
        "with heap.alloc(uint8) as level:\n"
        "    level.value = 300\n"
        '    return f"the level is {level.value}"'
    )
