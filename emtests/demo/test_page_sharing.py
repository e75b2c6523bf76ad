"""The first screen, and the panels on which languages share a memory, in headless Chromium."""

from __future__ import annotations

import math
import re
import struct
from typing import Any

import pytest

from emtests.demo.conftest import Drive
from pyodide_demo.breaking import MISTAKES
from pyodide_demo.scene import STEPS

pytestmark = pytest.mark.once

HEIGHT_OF_A_PHONE = 664
OWN_MODULE = bytes.fromhex(
    "0061736d01000000"
    "0105 01 60 00 01 7f"  # functions without parameters that return an i32
    "020b 01 03656e76 036c6f67 00 00"  # it imports env.log
    "0302 01 00"
    "0709 01 05736576656e 00 01"  # and exports seven
    "0a06 01 04 00 41 07 0b"
)
"""A module without a memory."""
BARE_MODULE = bytes.fromhex(
    "0061736d01000000"
    "0503 01 00 01"  # a memory of one page
    "070a 01 06 6d656d6f7279 02 00"  # exported
    "0b0a 01 00 4108 0b 04 62617265"  # with bytes at address 8
)
"""A module with a memory, and nothing that allocates in it."""
TRAPPING_MODULE = bytes.fromhex(
    "0061736d01000000"
    "0104 01 60 00 00"
    "0302 01 00"
    "0503 01 00 01"
    "0718 02 06 6d656d6f7279 02 00 0b 5f696e697469616c697a65 00 00"
    "0a05 01 03 00 00 0b"  # unreachable
)
"""A module whose `_initialize` traps."""


@pytest.fixture(scope="module")
def seen(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("sharing")
    (folder / "text.wasm").write_text("no module")
    (folder / "own.wasm").write_bytes(OWN_MODULE)
    (folder / "bare.wasm").write_bytes(BARE_MODULE)
    (folder / "trapping.wasm").write_bytes(TRAPPING_MODULE)
    return drive("sharing", folder)


def test_the_proof_stands_on_the_first_screen_of_a_phone(seen: dict[str, Any]) -> None:
    assert all(bottom <= HEIGHT_OF_A_PHONE for bottom in seen["first screen"].values())


def test_before_python_runs_what_was_recorded_is_shown(seen: dict[str, Any]) -> None:
    assert seen["badge"] == "recorded"
    assert len(seen["recorded"]) == len(STEPS)
    assert "UseAfterFreeError: use after free: the int32 of 4 bytes" in seen["recorded"][-1]
    assert seen["recorded mistake"] == ["UseAfterFreeError", "silent", "silent"]
    assert seen["recorded words"].startswith("Recorded in CPython when this page was built")
    assert next(iter(MISTAKES)) == "use-after-free"


def test_an_error_names_lines_by_the_numbers_that_they_have(seen: dict[str, Any]) -> None:
    recorded = {int(number): code for number, code in seen["recorded numbers"].items()}
    assert recorded == {at: step["code"] for at, step in enumerate(STEPS, 1)}
    lines = re.findall(r"(allocated|freed) at line (\d+):1 in", seen["hero error"])
    assert [what for what, _ in lines] == ["allocated", "freed"]
    assert [seen["hero numbers"][line] for _, line in lines] == [
        "lost = heap.alloc(int8)",
        "lost.free()",
    ]


def test_the_first_screen_leads_on(seen: dict[str, Any]) -> None:
    links = seen["hero links"]
    assert links["Open a prompt"] == "#console"
    assert links["Documentation"] == "docs/index.html"
    assert links["Source"] == "tests/project.zip"
    (wheel,) = [name for name in links if name.endswith(".whl")]
    assert links[wheel].endswith(f"/{wheel}")


def test_a_line_of_the_visitors_own_changes_the_bytes(seen: dict[str, Any]) -> None:
    assert "'0xfeedbeef'" in seen["hero line"]
    assert "efbeedfe" in seen["hero bytes"]
    assert "uint32 of 4 bytes at 0x" in seen["hero label"]


def bytes_after_each_action() -> list[bytes]:
    """What the buttons do, in their order: Python's, JavaScript's, C's."""
    row = bytearray(16)
    found = []

    def note() -> None:
        found.append(bytes(row))

    struct.pack_into("<i", row, 0, 1_000_000)
    note()
    row[8:15] = b"Python\0"
    note()
    struct.pack_into("<f", row, 4, math.sqrt(2))
    note()
    row.reverse()
    note()
    row[:] = struct.pack("<4i", *sorted(struct.unpack("<4i", row)))
    note()
    row[4:8] = b"AAAA"
    note()
    row[12:16] = row[:4]
    note()
    row[:] = bytes(16)
    note()
    return found


def is_same(one: float, other: float) -> bool:
    both_none = math.isnan(one) and math.isnan(other)
    return both_none or math.isclose(one, other, rel_tol=1e-6)


def test_three_languages_see_the_same_bytes(seen: dict[str, Any]) -> None:
    states = list(seen["shared"].values())
    for state, expected in zip(states, bytes_after_each_action(), strict=True):
        assert state["bytes"] == expected.hex()
        assert state["python"] == [str(each) for each in struct.unpack("<4i", expected)]
        floats = [float(each) for each in state["javascript"]]
        assert all(map(is_same, floats, struct.unpack("<4f", expected)))
        text = expected.partition(b"\0")[0]
        shown = "".join(chr(each) if 32 <= each < 127 else f"\\x{each:02x}" for each in text)
        assert state["c"] == f'"{shown}"'


def test_the_address_carries_the_bytes(seen: dict[str, Any]) -> None:
    assert seen["kept bytes"] == struct.pack("<i", 1_000_000).ljust(16, b"\0").hex()
    assert seen["linked bytes"] == seen["kept bytes"]


def test_a_sample_can_be_called_and_its_heap_is_on_the_map(seen: dict[str, Any]) -> None:
    assert {"memory", "malloc", "free"} <= set(seen["exports"])
    assert seen["module memory"].endswith(", exported as memory")
    assert seen["call"] == "exports.malloc()"
    assert seen["called"] == "b'in the module'\n"
    assert seen["address"] == "module?sample=harfbuzz-subset.wasm"
    assert seen["mapped"] == "harfbuzz-subset.wasm"


def test_the_sample_that_is_open_is_marked(seen: dict[str, Any]) -> None:
    assert seen["chosen sample"] == ["harfbuzz-subset.wasm"]
    assert seen["no sample"] == []


def test_a_module_of_the_visitors_own_can_be_called(seen: dict[str, Any]) -> None:
    assert seen["no module"].startswith("text.wasm is not a WebAssembly module that this browser")
    assert seen["own"] == [
        ["seven", "function", "() → i32"],
        ["env.log", "function", "() → i32"],
    ]
    assert seen["own answer"] == "7\n"
    assert seen["own memory"] == "none that can be used"


def test_a_memory_without_malloc_can_be_read_all_the_same(seen: dict[str, Any]) -> None:
    assert seen["bare.wasm memory"] == "64.0 KiB, exported as memory"
    assert seen["bare.wasm"].startswith(
        "The heap reads, writes and wraps what is there, and allocates nothing: "
        "the module does not export 'malloc'"
    )
    assert seen["bare bytes"] == "b'bare'\n"
    assert seen["bare.wasm imports"] == "It imports nothing."


def test_a_module_that_cannot_be_initialized_is_explained(seen: dict[str, Any]) -> None:
    assert seen["trapping.wasm"].startswith("Its _initialize failed: ")
    assert seen["trapping.wasm memory"] == "none that can be used"


def test_the_focus_goes_from_the_bar_to_the_panel(seen: dict[str, Any]) -> None:
    assert seen["focus after a restart"] == "tab-structures"


def test_what_never_ends_is_not_run_again_after_a_restart(seen: dict[str, Any]) -> None:
    assert "'0xfeedbeef'" in seen["hero after an endless line"]
    assert seen["hero after an endless declaration"].endswith("0")


def test_a_restart_brings_back_what_the_visitor_did(seen: dict[str, Any]) -> None:
    assert "True" in seen["hero after"]
    assert seen["structure after"] == "77"
    assert seen["bytes after"] == seen["kept bytes"]
    assert seen["module after"] == "7\n"
    assert "b'in the module'" in seen["module log"]
