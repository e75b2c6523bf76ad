"""The figures that the documentation states are those that were measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pytest

from pyodide_demo.docs_blocks import DOCS

pytestmark = pytest.mark.once

MEASURED = DOCS.parent.parent / "emtests" / "README.md"

FIGURES = {
    "read a number at an address (`heap.read_int32`)": (
        "read `int32` at an address",
        "read `float64` at an address",
    ),
    "write a number at an address": (
        "write `int32` at an address",
        "write `float64` at an address",
    ),
    "allocate and free an `int32`, zeroed and tracked": (
        "alloc + free `int32`, zeroed and tracked",
    ),
    "16 MiB into or out of an array": ("16 MiB into an array", "16 MiB out of an array"),
    "1 MiB to a JavaScript typed array": ("1 MiB to a JavaScript typed array",),
    "read UTF-8, 10 characters": ("read UTF-8, 10 chars",),
    "write UTF-8, 10 characters": ("write UTF-8, 10 chars",),
    "allocate and free a text of 20 characters": ("`alloc(utf8, 20 chars)` + free",),
    "float32 array from a list": ("float32 array from a list",),
    "10,000 `int32` in an arena": ("10,000 `int32` in an arena",),
    "adopt a block among 100,000": ("alloc, free, adopt and free again, 100,000 live blocks",),
    "read a number in another module's heap": ("read a number in a module's heap",),
    "read a number in wasmtime": ("read a number in wasmtime",),
    "allocate and free in wasmtime": ("`alloc_int32()` + free in wasmtime",),
    "get `ref.value`": ("get `ref.value`",),
    "set `ref.value`": ("set `ref.value`, `int32` and `float64`",),
    "make a view of an array, or at an address": ("`array.view`", "a view at an address"),
    "wrap a number and read it": ("wrap an `int32` and read it",),
    "allocate and free a short array": ("`alloc_array(int32, 8)` + free",),
    "get or set an array's element": ("get array element", "set array element"),
    "import emheap": ("the import alone",),
    "import emheap, and a first `int32`": ("the import and a first `int32`",),
}
"""The rows of performance.md, and of the table of what was measured that each is made of."""

LINES: dict[str, tuple[str, int | None]] = {
    "read UTF-16, 100 characters": ("| read UTF-16, 100 and 10,000 chars |", 0),
    "write UTF-16, 10,000 characters": ("| write UTF-16, 100 and 10,000 chars |", 1),
    "read or write a number in another module's heap": (
        "| the same | `HEAP32[i]`, `HEAPF64[i]` on the proxy |",
        None,
    ),
    "get or set an `int32` array's element there": (
        "| `a[i]`, get and set, in a module's heap |",
        None,
    ),
}
"""Further rows, how the lines begin that each is made of, and which of several figures counts."""

BARE = {
    "allocate and free an `int32`": (
        ('is at 0.80-0.85 (`--rows "bare: alloc"`)', ["0.80", "0.85"]),
        (
            "`int32`, zeroed and tracked | ctypes calloc + free | 1.0 | **1.13-1.19**",
            ["1.13", "1.19"],
        ),
    ),
    "write UTF-8, 100 characters": (("is 0.53 to 0.57 of ours", ["0.53", "0.57"]), ("", ["1"])),
    "bytes of a live `int32`": (
        ('come to 312 (`--rows "bare: bytes"`)', ["312"]),
        ("they take 404 where 100,000 live", ["404"]),
    ),
}
"""What the least Python comes to, by the row, and what emheap does; and where that is said of what
was measured."""

READING_OF_A_DEBUG_HEAP = ("read `int32` at an address, debug heap",)
ALLOCATING_ON_A_DEBUG_HEAP = (
    "alloc + free `int32`, debug heap",
    "alloc + free 32 bytes, debug heap",
)
SPOKEN = (
    ("c_functions.md", "is twenty times as fast", ("call in wasmtime",), 1 / 25, 1 / 20),
    ("libraries.md", "costs three quarters of one by ctypes", ("call `add(int, int)`",), 0.7, 0.8),
    (
        "libraries.md",
        "a third more than one of a JavaScript",
        ("call in another module",),
        1.2,
        1.5,
    ),
    (
        "libraries.md",
        "a twentieth of wasmtime's `Func.__call__`",
        ("call in wasmtime",),
        0.04,
        0.06,
    ),
    (
        "libraries.md",
        "at least ten times as fast as calls from Python",
        ("`add.map(a, b)` in another module, 1,000 numbers",),
        0,
        0.1,
    ),
    (
        "structures.md",
        "Getting a field costs 1.1 to 1.2 times what it does of a `ctypes.Structure`",
        ("get a field, `int32` and `float64`",),
        1.05,
        1.25,
    ),
    (
        "structures.md",
        "and setting one twice as much",
        ("set a field, `int32` and `float64`",),
        1.8,
        2.2,
    ),
    ("structures.md", "cost half of five fields of ctypes", ("five fields to a tuple",), 0.4, 0.6),
    ("structures.md", "numbers a fiftieth of a loop", ("a column of 100,000 to a list",), 0, 0.02),
    *(
        (page, words, rows, low - 0.5, high + 0.5)
        for page in ("debugging.md", "performance.md")
        for words, rows, low, high in (
            ("A raw read costs 10 to 14 times as much", READING_OF_A_DEBUG_HEAP, 10, 14),
            ("an allocation with its free 24 to 37 times", ALLOCATING_ON_A_DEBUG_HEAP, 24, 37),
        )
    ),
    (
        "performance.md",
        "is the way back: 1.2 of ctypes",
        ("10,000 names to `char**` and back",),
        1.15,
        1.25,
    ),
    (
        "performance.md",
        "0.1 of doing it by hand in another module's heap",
        ("2,000 names to `char**` and back, in a module's heap",),
        0.05,
        0.15,
    ),
    (
        "performance.md",
        "`clear_allocated_regions=False` costs what the default does",
        ("alloc + free, `clear_allocated_regions=False`",),
        0.95,
        1.05,
    ),
    (
        "performance.md",
        "and so does `track_allocations=False` for numbers",
        ("alloc + free, `track_allocations=False`",),
        0.95,
        1.05,
    ),
    (
        "performance.md",
        "arrays and texts then take six times as long",
        ("`alloc_array(int32, 8)` + free, `track_allocations=False`",),
        5.5,
        6.5,
    ),
)
"""What is said in words, by its page; the rows that it is made of; and between what they lie."""


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def measured() -> dict[str, tuple[str, str]]:
    """What each row came to in CPython and in Pyodide; of two of one name the first counts."""
    lines = MEASURED.read_text(encoding="utf-8").partition("## Speed")[2].splitlines()
    rows = [cells_of(line) for line in lines if line.startswith("| ")]
    return {cells[0]: (cells[3], cells[5]) for cells in reversed(rows) if len(cells) == 6}


def others_in(page: str) -> Iterator[list[str]]:
    """The rows of the tables of figures of a page."""
    for line in (DOCS / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| work |"):
            yield cells_of(line)


def figures_of(cells: Iterable[str]) -> list[float]:
    return [float(number) for cell in cells for number in re.findall(r"\d+(?:\.\d+)?", cell)]


def check_rounded(cell: str, found: list[float]) -> None:
    """That a cell states the lowest and the highest, rounded to as many digits as it has."""
    digits = len(cell.partition(".")[2].partition(" ")[0].rstrip(","))
    ends = [round(min(found), digits), round(max(found), digits)] if found else []
    assert {*figures_of([cell])} == {*ends}, (cell, found)


@pytest.mark.parametrize("work", FIGURES)
def test_the_figures_of_performance_are_those_that_were_measured(work: str) -> None:
    rows = measured()
    (stated,) = [cells[2:] for cells in others_in("performance.md") if cells[0] == work]
    for place, cell in enumerate(stated):
        check_rounded(cell, figures_of(rows[name][place] for name in FIGURES[work]))


@pytest.mark.parametrize("work", LINES)
def test_the_figures_of_further_rows_are_those_that_were_measured(work: str) -> None:
    begins, part = LINES[work]
    lines = MEASURED.read_text(encoding="utf-8").splitlines()
    rows = [cells_of(line) for line in lines if line.startswith(begins)]
    assert rows
    (stated,) = [cells[2:] for cells in others_in("performance.md") if cells[0] == work]
    # A row without peers has one limit for both runtimes.
    for cell, place in zip(stated, (3 if len(rows[0]) == 6 else 2, -1), strict=True):
        found = [row[place] if part is None else row[place].split(", ")[part] for row in rows]
        check_rounded(cell, figures_of(found))


def test_where_the_figures_were_measured() -> None:
    texts = [(DOCS / "performance.md").read_text(encoding="utf-8")]
    texts += MEASURED.read_text(encoding="utf-8").partition("## Speed")[2].split("\n\n")[1:2]
    stated, measured = (" ".join(text.split()) for text in texts)
    python, pyodide = re.findall(r"natively in (CPython [\d.]+) and in (Pyodide \d+)", measured)[0]
    assert f"in {python} and in {pyodide} under Node" in stated


@pytest.mark.parametrize("work", BARE)
def test_what_python_itself_costs(work: str) -> None:
    text = " ".join(MEASURED.read_text(encoding="utf-8").split())
    *_, cells = [cells for cells in others_in("performance.md") if cells[0] == work]
    for cell, (words, figures) in zip(cells[2:], BARE[work], strict=True):
        assert words in text
        check_rounded(cell, figures_of(figures))


def test_no_row_is_passed_over() -> None:
    works = {cells[0] for cells in others_in("performance.md")}
    assert works - FIGURES.keys() == LINES.keys() | BARE.keys()


@pytest.mark.parametrize(
    ("page", "words", "rows", "low", "high"), SPOKEN, ids=lambda value: str(value)[:30]
)
def test_what_is_said_in_words_is_what_was_measured(
    page: str, words: str, rows: tuple[str, ...], low: float, high: float
) -> None:
    text = " ".join((DOCS / page).read_text(encoding="utf-8").split())
    assert words in text
    found = figures_of(cell for row in rows for cell in measured()[row])
    assert found
    assert all(low <= figure <= high for figure in found), found
