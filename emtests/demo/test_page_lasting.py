"""What a visitor keeps, and what is said where something is missing, in headless Chromium."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from emtests.demo.conftest import Drive
from emtests.demo.pictures import noise, opaque, write_png

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def seen(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("lasting")
    write_png(folder / "chosen.png", 33, 21, opaque(noise(33, 21, seed=6)))
    found = drive("lasting", folder)
    for kind in ("busy", "dead"):  # figures of this machine, for -rP
        sys.stdout.write(f"shown to be {kind} after {found[f'seconds until {kind}']:.2f} s\n")
    return found


def test_a_busy_python_is_shown_and_can_be_restarted(seen: dict[str, Any]) -> None:
    assert seen["busy"].startswith("Python is busy: running what was entered in the console.")
    assert seen["new names"] == "(False, 42)\n"


def test_it_is_shown_within_a_second(seen: dict[str, Any]) -> None:
    assert 0 <= seen["seconds until busy"] < 1
    assert 0 <= seen["seconds until dead"] < 1


def test_a_restart_keeps_what_the_visitor_did(seen: dict[str, Any]) -> None:
    assert ">>> kept = 41" in seen["log"]
    assert "Python was restarted" in seen["log"]
    assert "while True:\n    try:" in seen["history"]
    assert seen["chosen"] == 2


def test_a_picture_that_was_freed_is_explained_and_replaced(seen: dict[str, Any]) -> None:
    assert seen["robbed"] == "The picture was freed, in the console perhaps. Choose another one."


def test_a_dead_python_is_shown_and_can_be_restarted(seen: dict[str, Any]) -> None:
    assert seen["dead"].startswith("Python has stopped: ")
    assert seen["alive"] == "'alive'\n"


def test_an_address_carries_a_panel_and_what_was_chosen_in_it(seen: dict[str, Any]) -> None:
    links = seen["links"]
    picture = links["picture?filters=blur%2Cinvert&way=to_js"]
    assert (picture["filters"], picture["way"]) == (["invert", "blur"], "way-to_js")
    tone = links["spectrum?frequency=1000"]
    assert (tone["frequency"], tone["sound"]) == ("1,000 Hz", "sound-by-tone")
    assert links["spectrum?sound=file"]["sound"] == "sound-by-file"
    assert links["map?range=memory"]["range"] == "memory"
    assert links["break?mistake=overflow"]["mistake"] == "overflow"
    assert links["tests?part=emtests%2Frefs"]["part"] == "emtests/refs"
    for link, shown in links.items():
        assert shown["panel"] == f"panel-{link.partition('?')[0]}"
        assert shown["scrolled"] == 0


def test_python_can_be_restarted_where_a_program_waits_in_spite_of_an_interrupt(
    seen: dict[str, Any],
) -> None:
    assert seen["restarted"] == "'restarted'\n"


def test_the_browser_goes_back_from_panel_to_panel(seen: dict[str, Any]) -> None:
    assert seen["back"] == ["panel-map", "panel-spectrum", "panel-picture"]
    assert seen["still there"]


def test_a_missing_script_is_said(seen: dict[str, Any]) -> None:
    assert seen["missing"].startswith("A file of this page could not be fetched.")


def test_without_scripts_nothing_moves(seen: dict[str, Any]) -> None:
    assert seen["no script"]
    assert not seen["moving bar"]
