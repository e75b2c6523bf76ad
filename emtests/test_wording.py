"""What messages say of numbers: one byte, two bytes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import emheap
from emheap import CapacityError, utf8
from emtests.heaps import HeapKind

ROOT = Path(emheap.__file__).parent

THINGS = "block bit byte character dimension element field parameter place string structure value"
NEVER_ONE = {
    "types/structs.py: {end - start} bits": "a padded layout has a column of such numbers",
    "types/structs.py: {total} bytes": "more than a memory can have",
    "types/scalars.py: {number.bit_length()} bits": "512 at least",
    "calls/ranges.py: {number.bit_length()} bits": "512 at least",
    "calls/host_functions.py: {bits} bits": "32 or 64",
    "types/c_scalars.py: {cls.size} bytes": "2 or 4",
    "refs/field_codecs.py: {width} bits": "one bit has a sentence of its own",
    "refs/struct_array.py: {scalar.size} bytes": "every place is a multiple of 1",
    "refs/shaped.py: {len(shape)} dimensions": "2 at least",
    "diagnosis/debug_heap.py: {width} bytes": "the unit of a wide text, behind a number of them",
    "diagnosis/reports.py: {len(live)} blocks": "one block has a sentence of its own",
    "diagnosis/reports.py: {sum((block.byte_size for block in blocks))} bytes": "a title",
    "blocks/transfer.py: {alignment} bytes": "1 needs no aligning",
    "blocks/transfer.py: {layout.byte_size} bytes": "one byte reaches across no border",
    "memories/atomics/base.py: {scalar.size} bytes": "16 or 32",
    "memories/heap_view.py: {self.nbytes} bytes": "every number is a multiple of 1",
    "_util/checks.py: {count * element_size} bytes": "more than a block can have",
    "_util/checks.py: {limit} bytes": "what a block can have",
    "_util/checks.py: {alignment} bytes": "every address is a multiple of 1",
    "testing/allocator_checks.py: {8 * rounds} blocks": "8 at least",
}
"""Numbers before a noun in the plural, each with why it needs no other form."""


def numbers_before_plurals() -> Iterator[str]:
    plural = re.compile(rf" ({THINGS.replace(' ', '|')})s\b")
    for path in sorted(ROOT.rglob("*.py")):
        for text in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(text, ast.JoinedStr):
                continue
            for number, after in zip(text.values, text.values[1:], strict=False):
                if isinstance(number, ast.FormattedValue) and isinstance(after, ast.Constant):
                    found = plural.match(str(after.value))
                    if found:
                        place = path.relative_to(ROOT).as_posix()
                        yield f"{place}: {{{ast.unparse(number.value)}}}{found[0]}"


def test_a_number_that_may_be_one_is_told_by_count_of() -> None:
    assert set(numbers_before_plurals()) == set(NEVER_ONE)


def test_one_element_does_not_fit(kind: HeapKind) -> None:
    with kind.open() as heap, heap.alloc_array(emheap.uint8, 4) as room:
        with pytest.raises(
            CapacityError, match=r"^1 element of utf8 does not fit the capacity of 0"
        ):
            heap.write_text(utf8, room, "x", 0)
        with pytest.raises(
            CapacityError, match=r"^2 elements of utf8 do not fit the capacity of 1"
        ):
            heap.write_text(utf8, room, "xy", 1)
