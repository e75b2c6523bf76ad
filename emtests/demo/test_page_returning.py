"""What a first visit and a return transfer and compile, in headless Chromium."""

from __future__ import annotations

import ast
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


def test_a_return_goes_on_from_the_memory_that_the_first_visit_kept(seen: dict[str, Any]) -> None:
    first, second = (ast.literal_eval(seen[name]["answer"]) for name in ("first", "second"))
    assert first[0] == second[0]  # the hash of a text is another one in each Python that starts
    assert first[1] != second[1]  # random numbers are not those of the first visit
    assert first[2:] == second[2:] == (["a", "b", "c"], 7)
    assert len(seen["first"]["memories"]) == 1
    assert seen["first"]["memories"] == seen["second"]["memories"]


def test_the_memory_is_kept_when_the_visitor_is_quiet(seen: dict[str, Any]) -> None:
    assert seen["first"]["early"] == []
    assert seen["second"]["early"] == seen["second"]["memories"]


def test_a_memory_that_cannot_be_used_is_replaced(seen: dict[str, Any]) -> None:
    spoilt = seen["spoilt"]
    [complaint] = spoilt["complaints"]
    assert complaint == "A kept memory could not be used: Snapshot has invalid magic number"
    assert ast.literal_eval(spoilt["answer"])[3] == 7


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
