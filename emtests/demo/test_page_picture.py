"""The picture panel in headless Chromium, against what the program makes of it natively."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from emtests.demo.conftest import Drive
from emtests.demo.pictures import SERVED, noise, opaque, served_pixels, write_png
from emtests.demo.prepared import Prepared
from pyodide_demo.program import run

pytestmark = pytest.mark.once

CHOSEN = 33, 21
LARGE = 3200, 20


def chosen_pixels() -> bytes:
    return opaque(noise(*CHOSEN, seed=6))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("picture")


@pytest.fixture(scope="module")
def seen(drive: Drive, folder: Path) -> dict[str, Any]:
    write_png(folder / "chosen.png", *CHOSEN, chosen_pixels())
    write_png(folder / "large.png", *LARGE, opaque(bytes(LARGE[0] * LARGE[1] * 4)))
    (folder / "text.png").write_text("no picture")
    return drive("picture", folder)


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


def test_another_picture_takes_the_place_of_the_first(seen: dict[str, Any]) -> None:
    shown = seen["states"]["chosen"]
    assert shown["pixels"] == checksum(chosen_pixels(), CHOSEN, "blur")
    caption = len("33 × 21: original → blur\0".encode())
    assert shown["blocks"] == "3"
    assert shown["bytes"] == f"{2 * CHOSEN[0] * CHOSEN[1] * 4 + caption:,}"


def test_what_is_no_picture_is_refused_and_changes_nothing(seen: dict[str, Any]) -> None:
    assert seen["refusal"].startswith("text.png is not a picture that this browser can read.")
    assert seen["refusal is seen"]
    assert seen["states"]["refused"]["pixels"] == checksum(chosen_pixels(), CHOSEN, "blur")
    assert seen["states"]["after"]["pixels"] == checksum(chosen_pixels(), CHOSEN)
    assert seen["alertHidden"]


def test_a_large_picture_can_be_dropped_and_is_scaled_down(seen: dict[str, Any]) -> None:
    shown = seen["states"]["dropped"]
    assert shown["pixels"] == hashlib.sha256(opaque(bytes(1600 * 10 * 4))).hexdigest()
    assert shown["blocks"] == "3"


def test_the_saved_file_is_the_picture(
    prepared: Prepared, seen: dict[str, Any], folder: Path
) -> None:
    show = (
        "import hashlib, sys; from PIL import Image; image = Image.open(sys.argv[1]);"
        "print(hashlib.sha256(image.convert('RGBA').tobytes()).hexdigest())"
    )
    saved = prepared.run_python("-c", show, str(folder / "saved.png")).strip()
    assert saved == checksum(served_pixels(), SERVED, "mirror", "invert")


def test_both_ways_draw_the_same(seen: dict[str, Any]) -> None:
    states = seen["states"]
    assert states["photograph"]["pixels"] == checksum(served_pixels(), SERVED)
    for state in ("to_js", "measured"):
        assert states[state]["pixels"] == checksum(served_pixels(), SERVED, "invert")


def test_one_way_copies_every_byte_and_the_other_none(seen: dict[str, Any]) -> None:
    size = SERVED[0] * SERVED[1] * 4
    measured = seen["measured"]
    assert (measured["view-copied"], measured["to_js-copied"]) == ("0 bytes", f"{size:,} bytes")
    for way in ("view", "to_js"):
        assert re.fullmatch(r"[\d.]+ ms", measured[f"{way}-time"])
        assert re.fullmatch(r"[\d,]+ MB/s", measured[f"{way}-speed"])


def test_the_camera_is_filtered_frame_by_frame(seen: dict[str, Any]) -> None:
    film = seen["film"]
    assert film["caption"] == "camera, 480 × 360: original → invert"
    # A screen reader heard of the last picture, and not of every frame.
    assert film["said"] == "Drawn: served.png, 48 × 36: original → invert"


def test_another_source_ends_the_camera(seen: dict[str, Any]) -> None:
    film = seen["film"]
    assert film["pressed"] == "false"
    assert film["after"]["pixels"] == checksum(served_pixels(), SERVED, "invert")
    assert film["after"]["blocks"] == "3"


def test_measuring_ends_the_camera_which_would_compete(seen: dict[str, Any]) -> None:
    film = seen["film"]
    assert (film["pressed when measured"], film["rate when measured"]) == ("false", "")
