"""The panel of mistakes in headless Chromium."""

from __future__ import annotations

import re
from typing import Any

import pytest

from emtests.demo.conftest import Drive
from emtests.demo.test_breaking import SILENT, TEXTS

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def seen(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return drive("breaking", tmp_path_factory.mktemp("breaking"))


@pytest.mark.parametrize("name", TEXTS)
def test_emheap_tells_where(seen: dict[str, Any], name: str) -> None:
    account = seen["accounts"][name]["emheap"]
    error, text = TEXTS[name]
    assert account["verdict"] == error
    assert re.match(text, account["said"])
    place = rf"Raised at /program/pyodide_demo/breaking\.py:\d+ in {name.replace('-', '_')}"
    assert re.fullmatch(place, account["where"])


@pytest.mark.parametrize("name", SILENT)
@pytest.mark.parametrize("lane", ["ctypes", "javascript"])
def test_what_is_bare_is_silent(seen: dict[str, Any], name: str, lane: str) -> None:
    account = seen["accounts"][name][lane]
    assert account["verdict"] == "silent"
    assert re.fullmatch(SILENT[name], account["said"])
    assert "free(" in account["code"] or "malloc(" in account["code"]
    assert account["where"] == ""


@pytest.mark.parametrize("width", ["390", "1280"])
def test_no_code_is_cut_off(seen: dict[str, Any], width: str) -> None:
    assert seen["hidden"][width] == [0, 0, 0]


def test_nothing_is_left_on_the_heap(seen: dict[str, Any]) -> None:
    assert seen["blocks"] == "3"  # the picture's own
