"""The stub of the flat names, made from their table: ``python -m emtests.stubs`` writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from emheap.heap import flat_names
from emheap.heap.flat_names import ALLOC_NAMES, FLAT_NAMES, FlatName
from emheap.types import FloatingPoint, Text

PATH = Path(flat_names.__file__).with_suffix(".pyi")

_HEAD = '''"""Declares what flat_names.py makes; written by ``python -m emtests.stubs``."""

from collections.abc import Callable, Iterable
from typing import Any

from emheap.refs import ArrayRef, ScalarRef, StringRef
from emheap.types import Type
from emheap.types.arrays import BufferLike

class FlatName:
    kind: type[Type[Any]]
    make: Callable[[Any, Any], Callable[..., Any]]
    signature: str
    doc: str

ALLOC_NAMES: dict[str, FlatName]
FLAT_NAMES: dict[str, FlatName]
'''


def _declare(name: str, entry: FlatName) -> str:
    value = "float" if issubclass(entry.kind, FloatingPoint) else "int"
    if issubclass(entry.kind, Text):
        value = "str"
    signature = entry.signature.format(value=value)
    parameters, result = re.fullmatch(r"\((.*)\) -> (.*)", signature, re.DOTALL).groups()  # type: ignore[union-attr]
    line = f"    def {name}(self, {parameters}) -> {result}: ..."
    if len(line) <= 100:
        return line + "\n"
    wrapped = f"        self, {parameters}"
    if len(wrapped) > 100:
        pieces = ["self", *parameters.split(", ")]
        wrapped = ",\n".join(f"        {piece}" for piece in pieces) + ","
    return f"    def {name}(\n{wrapped}\n    ) -> {result}: ...\n"


def _class(head: str, names: Mapping[str, FlatName]) -> str:
    return f"\nclass {head}:\n" + "".join(_declare(name, names[name]) for name in names)


def stub_text() -> str:
    """The whole text of names.pyi."""
    others = {name: entry for name, entry in FLAT_NAMES.items() if name not in ALLOC_NAMES}
    return _HEAD + _class("AllocNames", ALLOC_NAMES) + _class("FlatNames(AllocNames)", others)


if __name__ == "__main__":
    PATH.write_text(stub_text(), encoding="utf-8")
