"""The panel of the heap map in headless Chromium."""

from __future__ import annotations

import re
from typing import Any

import pytest

from emtests.demo.conftest import Drive
from emtests.demo.pictures import SERVED, served_pixels, write_png
from pyodide_demo.program import run

pytestmark = pytest.mark.once

LARGE = 1600, 1200
LARGE_MODULE = bytes.fromhex(
    "0061736d01000000"
    "0505 01 00 808001"  # a memory of 16,384 pages
    "070a 01 06 6d656d6f7279 02 00"  # exported
    "0b17 02 00 4108 0b 04 6c6f7765"  # with bytes at address 8
    "00 41 f0ffffff03 0b 04 68696768"  # and 16 before its end
)


@pytest.fixture(scope="module")
def seen(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("map")
    write_png(folder / "large.png", *LARGE, bytes(LARGE[0] * LARGE[1] * 4))
    (folder / "large.wasm").write_bytes(LARGE_MODULE)
    return drive("map", folder)


def test_every_block_is_listed(seen: dict[str, Any]) -> None:
    state = seen["small"]
    size = SERVED[0] * SERVED[1] * 4
    caption = len("48 × 36: original → sepia\0".encode())
    assert [row[1:] for row in state["rows"]] == [
        ["clamped_uint8 array", f"{size:,}"],
        ["clamped_uint8 array", f"{size:,}"],
        ["utf8 string", str(caption)],
    ]
    assert (state["blocks"], state["bytes"]) == ("3", f"{2 * size + caption:,}")
    assert state["kinds"] == [
        ["clamped_uint8 array", "2", f"{2 * size:,}"],
        ["utf8 string", "1", str(caption)],
    ]
    assert all("/program/pyodide_demo/picture.py:" in site for site, *_ in state["sites"])
    assert state["label"].startswith(f"3 blocks of {2 * size + caption:,} bytes. From 0x")


def test_a_block_is_shown_byte_by_byte(seen: dict[str, Any]) -> None:
    filtered, _ = run(served_pixels(), *SERVED, ["sepia"])
    first_bytes = set()
    for address, dump in seen["dumps"].items():
        lines = dump.splitlines()
        assert lines[0].startswith(f"{int(address, 16):08x}  ")
        octets = b"".join(bytes.fromhex(line[10:57]) for line in lines)
        assert len(octets) == 512
        first_bytes.add(octets)
    # One is the picture as it came, the other what is on the canvas.
    assert first_bytes == {served_pixels()[:512], filtered[:512]}


def test_what_is_under_the_pointer_is_told(seen: dict[str, Any]) -> None:
    last = max(seen["small"]["rows"], key=lambda row: int(row[0], 16))
    assert seen["tip"].startswith(f"{last[1]} of {last[2]} bytes at {last[0]}, from /program/")


def test_blocks_what_was_written_and_what_never_was_are_told_apart(seen: dict[str, Any]) -> None:
    # Of all of the memory, with the outlines of blocks and cells.
    assert seen["colours"] >= 3


def test_a_memory_of_gigabytes_is_read_piece_by_piece(seen: dict[str, Any]) -> None:
    extent = "From 0x0 to 0x40000000; a cell is 699,051 bytes."
    assert seen["extents"][-1] == extent
    assert any(words.startswith(f"{extent} Still reading: ") for words in seen["extents"])
    first, middle, last = seen["cells"]
    assert first.endswith("not ours: the program's, or freed")
    assert middle.endswith("never written to")
    assert last.endswith("not ours: the program's, or freed")


def test_neighbours_of_one_type_stay_apart(seen: dict[str, Any]) -> None:
    # One of them is chosen, and has a colour of its own.
    assert any(edge != inside for edge, inside in seen["edges"])


def test_a_debug_heap_finds_an_overrun(seen: dict[str, Any]) -> None:
    assert "was overrun: byte 0 after its end was written" in seen["corruption"]


def test_growth_is_told_with_its_cause(seen: dict[str, Any]) -> None:
    def megabytes(state: dict[str, Any]) -> float:
        return float(state["memory"].removesuffix(" MiB"))

    assert megabytes(seen["large"]) > megabytes(seen["small"])
    growth = r"[\d.]+ MiB → [\d.]+ MiB after [\d.]+ s, during picture\.open"
    assert re.match(growth, seen["large"]["growth"])


def test_the_statistics_go_over_time(seen: dict[str, Any]) -> None:
    assert [words[:4] for words in seen["charts"]] == ["Live", "Live", "Memo"]
    size = LARGE[0] * LARGE[1] * 4
    most = re.search(r"to ([\d,]+) in \d+ s$", seen["charts"][0])
    assert most is not None
    assert int(most[1].replace(",", "")) > 2 * size
    assert all(path.count("V") >= 3 for path in seen["paths"])
