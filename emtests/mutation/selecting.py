"""A pytest plugin that runs the tests of a list, in its order, and no others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["LIST_VARIABLE"]

LIST_VARIABLE = "EMHEAP_MUTATION_TESTS"
"""Names the file with the names of the tests, one a line."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    names = Path(os.environ[LIST_VARIABLE]).read_text(encoding="utf-8").split("\n")
    places = {name: place for place, name in enumerate(names)}
    items[:] = [item for item in items if item.nodeid in places]
    items.sort(key=lambda item: places[item.nodeid])
