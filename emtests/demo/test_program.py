"""The program: what it allocates, frees and reports."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import emheap
from emtests.demo.pictures import greys, noise
from pyodide_demo.picture import Picture
from pyodide_demo.program import apply, main, run


def test_filters_are_applied_in_the_order_given() -> None:
    pixels = greys(100, 128)
    assert run(pixels, 2, 1, ["brightness", "invert"])[0] == greys(130, 95)
    assert run(pixels, 2, 1, ["invert", "brightness"])[0] == greys(194, 159)


def test_the_report_tells_what_happened_on_the_heap() -> None:
    pixels = noise(8, 6)
    result, report = run(pixels, 8, 6, ["invert", "sharpen"])
    assert report["checksum"] == hashlib.sha256(result).hexdigest()
    assert report["caption"] == "8 × 6: original → invert → sharpen"
    assert [timing["filter"] for timing in report["filters"]] == ["invert", "sharpen"]
    assert all(timing["seconds"] > 0 for timing in report["filters"])
    # The pixels twice, three captions, a table of levels, and the cells of a neighbourhood.
    assert report["allocations"] == 7
    # The table and the cells live one after the other, beside the second caption.
    caption, table, cells = len("8 × 6: original\0".encode()), 256, 2 * (8 + 2) * (6 + 2)
    assert report["peak_bytes"] == 2 * len(pixels) + caption + max(table, cells)
    assert report["bytes_left"] == 0


def test_no_filter_gives_the_picture_back() -> None:
    pixels = noise(3, 3)
    result, report = run(pixels, 3, 3, [])
    assert result == pixels
    assert report["filters"] == []


def test_a_picture_can_be_restored_and_filtered_again() -> None:
    heap = emheap.open()
    pixels = noise(4, 4)
    with Picture(heap, 4, 4) as picture:
        picture.original.view[:] = pixels
        picture.restore()
        apply(picture, ["blur", "edges"])
        assert bytes(picture.pixels) != pixels
        picture.restore()
        assert bytes(picture.pixels) == pixels
        assert picture.caption.value == "4 × 4: original"
        assert picture.heap_use()["blocks"] == 3
        assert picture.heap_use()["bytes"] == heap.total_allocated_byte_size
        assert picture.heap_use()["address"] == picture.pixels.address
    assert heap.total_allocated_byte_size == 0


def test_a_filter_that_fails_leaves_nothing_on_the_heap() -> None:
    # Room for the picture, but none for what a blur needs beside it.
    with emheap.wrap_buffer(bytearray(2 * 64 * 64 * 4 + 2000)) as heap:
        with Picture(heap, 64, 64) as picture, pytest.raises(emheap.OutOfMemoryError):
            apply(picture, ["blur"])
        assert heap.total_allocated_byte_size == 0


def test_a_picture_that_does_not_fit_leaves_nothing_on_the_heap() -> None:
    with emheap.wrap_buffer(bytearray(64 * 64 * 4 + 2000)) as heap:
        with pytest.raises(emheap.OutOfMemoryError, match="16384 bytes"):
            Picture(heap, 64, 64)
        assert heap.total_allocated_byte_size == 0


def test_as_a_program_it_reads_and_writes_files(tmp_path: Path) -> None:
    pixels = tmp_path / "pixels.rgba"
    output = tmp_path / "output.rgba"
    report = tmp_path / "report.json"
    pixels.write_bytes(greys(0, 55, 200, 255))
    main([str(pixels), "4", "1", str(output), str(report), "invert", "mirror"])
    assert output.read_bytes() == greys(0, 55, 200, 255)
    checksum = hashlib.sha256(output.read_bytes()).hexdigest()
    assert json.loads(report.read_text(encoding="utf-8"))["checksum"] == checksum
