"""The page as a whole in headless Chromium: its start, its tabs, its errors, what it asks for."""

from __future__ import annotations

import re
import shutil
from typing import Any
from urllib.parse import urlsplit

import pytest

from emtests.conftest import skip_for_gap
from emtests.demo.conftest import Drive
from pyodide_demo.environment import CHECKOUT, EnvironmentProblem, npm_install

pytestmark = pytest.mark.once

TABS = {
    "Picture": "picture",
    "Spectrum": "spectrum",
    "Heap map": "map",
    "Break it": "break",
    "Same bytes": "bytes",
    "Structures": "structures",
    "Your .wasm": "module",
    "Console": "console",
    "Tests": "tests",
}


@pytest.fixture(scope="module")
def seen(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return drive("structure", tmp_path_factory.mktemp("structure"))


def test_the_start_is_shown(seen: dict[str, Any]) -> None:
    assert seen["progress"]
    assert re.match(r"Fetching Python: [\d.]+ of [\d.]+ MB|Starting Python …", seen["stages"][0])
    assert seen["runtime"].startswith("Running on Pyodide 314.")
    assert seen["isolated"] is True


def test_the_arrows_go_from_tab_to_tab_and_around(seen: dict[str, Any]) -> None:
    assert seen["tabs"] == list(TABS)
    names = list(TABS.values())
    expected = [names[1], names[-1], names[0], names[-1], names[0], names[-1]]
    for place, name in zip(seen["walk"], expected, strict=True):
        assert place == {
            "hash": f"#{name}",
            "selected": [f"tab-{name}"],
            "reachable": [f"tab-{name}"],
            "shown": [f"panel-{name}"],
            "focus": f"tab-{name}",
        }


def test_a_tab_can_be_clicked_and_linked_to(seen: dict[str, Any]) -> None:
    assert seen["clicked"]["shown"] == ["panel-break"]
    assert seen["after the tabs"] == "panel-break"
    assert seen["reloaded"]["shown"] == ["panel-break"]
    # An address that names no panel changes none.
    assert seen["elsewhere"]["shown"] == ["panel-break"]


def test_a_runtime_that_cannot_be_had_is_explained(seen: dict[str, Any]) -> None:
    words = seen["broken"]
    answered = "could not be fetched: the server answered"
    assert words["pyodide.asm.wasm 404"] == f"pyodide.asm.wasm {answered} 404."
    assert words["pyodide.asm.wasm 200"].startswith("Python cannot run here: WebAssembly.")
    assert words["program.zip.gz 500"] == f"program.zip.gz {answered} 500."


@pytest.mark.parametrize("size", ["small phone", "phone", "desktop", "large desktop"])
def test_no_panel_is_wider_than_the_window(seen: dict[str, Any], size: str) -> None:
    assert seen["wide"][size] == dict.fromkeys(TABS, 0)


def test_no_label_moves_when_a_tab_is_selected(seen: dict[str, Any]) -> None:
    one, other = seen["labels"]
    assert one == other


def test_every_panel_shows_the_module_that_it_runs_with_numbered_lines(
    seen: dict[str, Any],
) -> None:
    modules = seen["modules"]
    assert modules.keys() == TABS.keys() - {"Break it"}
    for name, *lines in modules.values():
        text = (CHECKOUT / "pyodide_demo" / name).read_text(encoding="utf-8").splitlines()
        assert [line.rstrip() for line in lines] == [
            f"{number} {line}".rstrip() for number, line in enumerate(text, 1)
        ]


def test_nothing_is_painted_again_and_again_while_python_starts(seen: dict[str, Any]) -> None:
    # These are changed by the compositor alone. The browsers' own bar without an end is not.
    assert seen["animated"] == {"flash": ["opacity"], "slide": ["transform"]}
    assert seen["bar"] == [True, "none"]


def test_colours_of_the_systems_choice_tell_what_is_selected(seen: dict[str, Any]) -> None:
    tabs = seen["forced"]["tabs"]
    (selected,) = {colour for is_selected, colour in tabs if is_selected == "true"}
    assert selected not in {colour for is_selected, colour in tabs if is_selected == "false"}
    block, written, untouched, *_ = seen["forced"]["swatches"]
    assert len({block, written, untouched}) == 3


@pytest.fixture(scope="module")
def violations(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("access")
    try:
        axe = npm_install("axe", ["axe-core@4"]) / "axe-core" / "axe.min.js"
    except EnvironmentProblem as problem:
        skip_for_gap("axe-core", str(problem))
    shutil.copyfile(axe, folder / "axe.js")
    found: dict[str, Any] = drive("access", folder)["violations"]
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
def test_axe_finds_no_violation(violations: dict[str, Any], tab: str, scheme: str) -> None:
    assert violations[f"{tab}, {scheme}"] == []


def test_what_is_asked_for_is_the_site_itself(seen: dict[str, Any]) -> None:
    paths = {urlsplit(each).path for each in seen["requests"]}
    assert {"/", "/python/pyodide_demo/filters.py"} <= paths
    assert any(re.fullmatch(r"/pyodide-\w+/pyodide\.asm\.wasm", path) for path in paths)
