"""What a first visit and a return transfer in Firefox."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from emtests.demo.conftest import firefox_or_skip, run_driver
from emtests.demo.test_page_returning import MOST_OF_A_FIRST_VISIT, MOST_OF_A_RETURN

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def seen(
    served: str, browsers: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    profile = tmp_path_factory.mktemp("profile")
    driver = "emtests.demo.browser.firefox_returning"
    found = run_driver([browsers, "-m", driver, firefox_or_skip(), served, profile])
    for name, visit in found.items():  # figures of this machine, for -rP
        sys.stdout.write(f"{name} visit: {visit['seconds']:.1f} s, {visit['received']:,} bytes\n")
    return found


def test_a_first_visit_is_small(seen: dict[str, dict[str, Any]]) -> None:
    assert 3_000_000 < seen["first"]["received"] <= MOST_OF_A_FIRST_VISIT


def test_a_return_transfers_little_more_than_headers(seen: dict[str, dict[str, Any]]) -> None:
    assert seen["second"]["received"] < MOST_OF_A_RETURN
