"""A walk through the page in Firefox."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from emtests.demo.pictures import SERVED, served_pixels
from pyodide_demo.program import run

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def seen(walk_in_firefox: dict[str, Any]) -> dict[str, Any]:
    return walk_in_firefox


def test_the_picture_is_drawn(seen: dict[str, Any]) -> None:
    filtered, _ = run(served_pixels(), *SERVED, ["sepia"])
    assert seen["caption"] == "served.png, 48 × 36: original → sepia"
    assert seen["picture"] == hashlib.sha256(filtered).hexdigest()
    assert seen["isolated"] is True


def test_it_is_drawn_again(seen: dict[str, Any]) -> None:
    filtered, _ = run(served_pixels(), *SERVED, ["sepia", "invert"])
    assert seen["picture error"] == ""
    assert seen["second caption"].endswith("original → sepia → invert")
    assert seen["second picture"] == hashlib.sha256(filtered).hexdigest()


def test_the_spectrogram_goes_on(seen: dict[str, Any]) -> None:
    assert seen["spectrum error"] == ""
    assert seen["second peak"] == "128 of 1,024"
    assert seen["columns"] > 2


def test_every_panel_works(seen: dict[str, Any]) -> None:
    assert seen["peak"] == "19 of 1,024"
    assert "clamped_uint8 array" in seen["blocks"]
    assert "index 6 is outside the 4 elements of the int32 array" in seen["accounts"]
    assert seen["answer"] == ">>> 6 * 742\n"


def test_a_structure_and_its_bytes_change_each_other(seen: dict[str, Any]) -> None:
    assert seen["structure"] == ["11", "128", "0", "255"]
    assert seen["structure bytes"] == "0b801fff"


def test_a_busy_python_is_shown_and_can_be_restarted(seen: dict[str, Any]) -> None:
    assert seen["busy"].startswith("Python is busy: running what was entered in the console.")
    assert seen["condition"] is False


def test_a_dead_python_is_shown_and_can_be_restarted(seen: dict[str, Any]) -> None:
    assert seen["dead"].startswith("Python has stopped: ")
    assert "(42, 'alive')" in seen["alive"]


def test_both_are_shown_within_a_second(seen: dict[str, Any]) -> None:
    assert 0 <= seen["seconds until busy"] < 1
    assert 0 <= seen["seconds until dead"] < 1


def test_a_restart_keeps_what_the_visitor_did(seen: dict[str, Any]) -> None:
    assert "... while True:" in seen["log"]
    assert "Python was restarted" in seen["log"]
    assert seen["structure after"] == "0b801fff"
    assert seen["picture after"].endswith("original → sepia → invert")


def test_a_program_can_be_interrupted(seen: dict[str, Any]) -> None:
    assert "KeyboardInterrupt" in seen["interrupted"]


def test_an_address_carries_a_panel_and_what_was_chosen_in_it(seen: dict[str, Any]) -> None:
    for link, (_, shown) in seen["links"].items():
        assert shown == f"panel-{link.partition('?')[0]}"
    assert len(seen["links"]) == 4


def test_the_browser_goes_back_from_panel_to_panel(seen: dict[str, Any]) -> None:
    assert seen["back"] == ["panel-map", "panel-spectrum"]


def test_it_starts_without_a_network(seen: dict[str, Any]) -> None:
    assert seen["offline"].endswith("original → sepia")
    assert seen["offline Python"].startswith("Running on Pyodide")


def test_the_tests_run(seen: dict[str, Any]) -> None:
    assert seen["failures"] == ""
    assert seen["tests"].startswith("All of them passed.")
