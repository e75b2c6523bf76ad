"""What a first visit and a return transfer and compile, in headless Chromium."""

from __future__ import annotations

import re
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest

from emtests.demo.conftest import Drive

pytestmark = pytest.mark.once

MOST_OF_A_FIRST_VISIT = 6_500_000
BUILT = r"[\w.-]+-[0-9a-f]{12}/"
"""A folder that is named after what is in it."""
MOST_OF_A_RETURN = 30_000
"""Bytes, mostly headers: the files whose names do not change are asked for once more."""


@pytest.fixture(scope="module")
def seen(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found = drive("returning", tmp_path_factory.mktemp("returning"))
    for name in ("first", "second"):  # figures of this machine, for -rP
        transferred = sum(size for _, size in found[name]["entries"])
        words = f"{name} visit: {found[name]['seconds']:.1f} s, {transferred:,} bytes"
        sys.stdout.write(f"{words}\n")
    return found


def transferred(visit: dict[str, Any], word: str = "") -> int:
    return sum(size for name, size in visit["entries"] if word in urlsplit(name).path)


def test_a_return_does_not_compile_pyodide_again(seen: dict[str, Any]) -> None:
    assert "wasm.SerializeModule" in seen["first"]["events"]
    assert "wasm.Deserialize" in seen["second"]["events"]


def test_a_return_transfers_nothing_of_pyodide(seen: dict[str, Any]) -> None:
    names = [name for name, _ in seen["second"]["entries"]]
    assert any(name.endswith("pyodide.asm.wasm") for name in names)
    assert transferred(seen["second"], "/pyodide-") == 0
    assert transferred(seen["second"]) < MOST_OF_A_RETURN


@pytest.fixture(scope="module")
def offline(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return drive("offline", tmp_path_factory.mktemp("offline"))


def test_what_older_builds_left_goes_and_nothing_else(offline: dict[str, Any]) -> None:
    folders = {name.partition("-")[0] for name in offline["kept"] if re.match(BUILT, name)}
    assert {"page", "program", "pyodide"} <= folders
    assert not any("0123456789ab" in name for name in offline["kept"] if re.match(BUILT, name))
    assert "neighbour/page-0123456789ab/main.js" in offline["kept"]
    assert "" in offline["kept"]  # the page itself


def test_it_starts_without_a_network(offline: dict[str, Any]) -> None:
    seen = offline
    assert seen["online"] is False
    assert seen["caption"].endswith("original → sepia")
    assert seen["answer"] == "42\n"
    assert seen["isolated"] is True


def test_a_first_visit_is_small(seen: dict[str, Any]) -> None:
    assert 3_000_000 < transferred(seen["first"]) <= MOST_OF_A_FIRST_VISIT
