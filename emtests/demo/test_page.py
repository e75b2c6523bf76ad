"""The page in headless Chromium, against what the program makes of the same pixels natively."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from emtests.conftest import skip_for_gap
from emtests.demo.homes import Homes, installed_chromium
from emtests.demo.pictures import noise, opaque, write_png
from pyodide_demo.environment import CHECKOUT, EnvironmentProblem, npm_install
from pyodide_demo.program import run

pytestmark = pytest.mark.once

SERVED = 48, 36
CHOSEN = 33, 21
LARGE = 3200, 20
DRIVER = Path(__file__).with_name("drive_page.mjs")
MINUTES = 5


def served_pixels() -> bytes:
    return opaque(noise(*SERVED, seed=5))


def chosen_pixels() -> bytes:
    return opaque(noise(*CHOSEN, seed=6))


@contextmanager
def page_served(picture: Path, *filters: str) -> Iterator[str]:
    """The address of the page, served by the command itself."""
    command = [sys.executable, "-u", "-m", "pyodide_demo", str(picture), "--serve", "--port=0"]
    command += ["--no-open", "--filter", ",".join(filters)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            assert words[:4] == ["The", "page", "is", "at"]
            yield words[4]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def seen(homes: Homes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the driver saw in the browser."""
    chromium = installed_chromium()
    if chromium is None:
        skip_for_gap("the page", "there is no Chromium; EMHEAP_CHROMIUM can name one")
        raise AssertionError
    try:
        modules = npm_install("playwright", ["playwright-core@1"])
    except EnvironmentProblem as problem:
        skip_for_gap("the page", str(problem))
        raise AssertionError from problem
    folder = tmp_path_factory.mktemp("page")
    write_png(folder / "served.png", *SERVED, served_pixels())
    write_png(folder / "chosen.png", *CHOSEN, chosen_pixels())
    write_png(folder / "large.png", *LARGE, opaque(bytes(LARGE[0] * LARGE[1] * 4)))
    (folder / "text.png").write_text("no picture")
    with page_served(folder / "served.png", "sepia") as address:
        files = [folder / name for name in ("chosen.png", "text.png", "large.png")]
        driver = [homes.homes.node, DRIVER, modules / "playwright-core", chromium, address]
        done = subprocess.run(
            [*map(str, [*driver, *files, folder])],
            capture_output=True,
            text=True,
            timeout=MINUTES * 60,
        )
    assert done.returncode == 0, done.stderr
    observed: dict[str, Any] = json.loads(done.stdout)
    assert "failure" not in observed, (observed["failure"], observed["complaints"])
    return {**observed, "folder": folder, "address": address}


def checksum(pixels: bytes, size: tuple[int, int], *filters: str) -> str:
    result, _ = run(pixels, *size, filters)
    return hashlib.sha256(result).hexdigest()


@pytest.mark.parametrize(
    ("state", "filters"),
    [
        ("start", ["sepia"]),
        ("mirror", ["sepia", "mirror"]),
        ("keyboard", ["sepia", "mirror", "invert"]),
        ("unchecked", ["mirror", "invert"]),
        ("reset", []),
    ],
)
def test_the_canvas_shows_what_the_program_makes(
    seen: dict[str, Any], state: str, filters: list[str]
) -> None:
    shown = seen["states"][state]
    assert shown["pixels"] == checksum(served_pixels(), SERVED, *filters)
    assert shown["times"] == filters
    assert set(shown["checked"]) == set(filters)
    assert shown["label"] == shown["caption"]
    assert shown["caption"].startswith("served.png, 48 × 36: original")
    assert not shown["stillLoading"]


def test_another_picture_takes_the_place_of_the_first(seen: dict[str, Any]) -> None:
    shown = seen["states"]["chosen"]
    assert shown["pixels"] == checksum(chosen_pixels(), CHOSEN, "blur")
    caption = len("33 × 21: original → blur\0".encode())
    assert shown["blocks"] == "3"
    assert shown["bytes"] == f"{2 * CHOSEN[0] * CHOSEN[1] * 4 + caption:,}"


def test_what_is_no_picture_is_refused_and_changes_nothing(seen: dict[str, Any]) -> None:
    assert seen["refusal"].startswith("text.png is not a picture that this browser can read.")
    assert seen["states"]["refused"]["pixels"] == checksum(chosen_pixels(), CHOSEN, "blur")
    assert seen["states"]["after"]["pixels"] == checksum(chosen_pixels(), CHOSEN)
    assert seen["alertHidden"]


def test_a_large_picture_can_be_dropped_and_is_scaled_down(seen: dict[str, Any]) -> None:
    shown = seen["states"]["dropped"]
    assert shown["pixels"] == hashlib.sha256(opaque(bytes(1600 * 10 * 4))).hexdigest()
    assert shown["blocks"] == "3"


def test_the_saved_file_is_the_picture(homes: Homes, seen: dict[str, Any]) -> None:
    show = (
        "import hashlib, sys; from PIL import Image; image = Image.open(sys.argv[1]);"
        "print(hashlib.sha256(image.convert('RGBA').tobytes()).hexdigest())"
    )
    saved = homes.run_python("-c", show, str(seen["folder"] / "saved.png")).strip()
    assert saved == checksum(served_pixels(), SERVED, "mirror", "invert")


def test_a_runtime_that_cannot_be_had_is_explained(seen: dict[str, Any]) -> None:
    words = seen["broken"]
    answered = "could not be fetched: the server answered"
    assert words["pyodide.asm.wasm 404"] == f"pyodide.asm.wasm {answered} 404."
    assert words["pyodide.asm.wasm 200"].startswith("Python cannot run here: WebAssembly.")
    assert words["site.json 500"] == f"site.json {answered} 500."


def test_no_request_leaves_this_machine(seen: dict[str, Any]) -> None:
    addresses = [urlsplit(each) for each in seen["requests"]]
    asked = {each.netloc for each in addresses if each.scheme not in ("blob", "data")}
    assert asked == {urlsplit(seen["address"]).netloc}
    paths = {each.path for each in addresses}
    assert {
        "/",
        "/worker.js",
        "/pyodide/pyodide.asm.wasm",
        "/python/pyodide_demo/program.py",
    } <= paths


def test_the_page_is_isolated_and_says_nothing_on_the_console(seen: dict[str, Any]) -> None:
    assert seen["isolated"] is True
    assert seen["complaints"] == []
    assert seen["runtime"].startswith("Running on Pyodide 314.")
