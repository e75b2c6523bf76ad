"""PNG and JPEG in and out, in the private environment that has Pillow."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import pytest

from emtests.demo.pictures import noise, opaque, write_png
from emtests.demo.prepared import Prepared
from pyodide_demo import runs
from pyodide_demo.command_line import PHOTOGRAPH

MAKE = """
import sys
from pathlib import Path
from PIL import Image
folder = Path(sys.argv[1])
image = Image.new("RGB", (4, 2), (200, 100, 50))
image.convert("CMYK").save(folder / "cmyk.jpg", quality=100)
image.convert("L").save(folder / "grey.jpg", quality=100)
image.convert("P").save(folder / "palette.png")
image.convert("1").save(folder / "bits.png")
Image.new("LA", (4, 2), (9, 80)).save(folder / "grey-alpha.png")
Image.new("I;16", (4, 2), 0x7FFF).save(folder / "deep-grey.png")
clear = Image.new("P", (4, 2), 3)
clear.putpalette([7] * 768)
clear.save(folder / "clear.png", transparency=3)
turned = Image.Exif()
turned[0x0112] = 6  # the camera was held upright
image.save(folder / "turned.jpg", exif=turned)
"""


@pytest.fixture(scope="module")
def samples(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of kinds that the tests' own writer does not make."""
    folder = tmp_path_factory.mktemp("samples")
    prepared.run_python("-c", MAKE, str(folder))
    return folder


def decode(prepared: Prepared, picture: Path, work: Path) -> tuple[int, int, bytes]:
    pixels = runs.decode(prepared.runtimes, picture, work)
    return pixels.width, pixels.height, pixels.file.read_bytes()


def test_a_png_gives_exactly_its_pixels(prepared: Prepared, tmp_path: Path) -> None:
    before = noise(7, 5)
    write_png(tmp_path / "noise.png", 7, 5, before)
    assert decode(prepared, tmp_path / "noise.png", tmp_path) == (7, 5, before)


def test_pixels_survive_being_written_and_read(prepared: Prepared, tmp_path: Path) -> None:
    before = noise(5, 7, seed=2)
    (tmp_path / "before").write_bytes(before)
    pixels = runs.Pixels(tmp_path / "before", 5, 7)
    runs.encode(prepared.runtimes, pixels, tmp_path / "written.png")
    assert (tmp_path / "written.png").read_bytes().startswith(b"\x89PNG")
    assert decode(prepared, tmp_path / "written.png", tmp_path) == (5, 7, before)


def test_the_photograph_is_what_its_note_says(prepared: Prepared, tmp_path: Path) -> None:
    width, height, pixels = decode(prepared, PHOTOGRAPH, tmp_path)
    assert (width, height) == (600, 400)
    assert set(pixels[3::4]) == {255}
    assert PHOTOGRAPH.stat().st_size < 250_000


@pytest.mark.parametrize(
    ("name", "pixel", "tolerance"),
    [
        ("cmyk.jpg", (200, 100, 50, 255), 6),
        ("grey.jpg", (124, 124, 124, 255), 2),
        ("palette.png", (204, 102, 51, 255), 0),
        ("grey-alpha.png", (9, 9, 9, 80), 0),
        ("deep-grey.png", (127, 127, 127, 255), 0),
        ("clear.png", (7, 7, 7, 0), 0),
    ],
)
def test_other_kinds_become_rgba(
    prepared: Prepared,
    samples: Path,
    tmp_path: Path,
    name: str,
    pixel: tuple[int, ...],
    tolerance: int,
) -> None:
    width, height, pixels = decode(prepared, samples / name, tmp_path)
    assert (width, height) == (4, 2)
    assert list(pixels[:4]) == pytest.approx(list(pixel), abs=tolerance)


def test_black_and_white_become_rgba(prepared: Prepared, samples: Path, tmp_path: Path) -> None:
    _, _, pixels = decode(prepared, samples / "bits.png", tmp_path)
    assert set(pixels) <= {0, 255}


def test_a_camera_held_upright_is_obeyed(prepared: Prepared, samples: Path, tmp_path: Path) -> None:
    width, height, pixels = decode(prepared, samples / "turned.jpg", tmp_path)
    assert (width, height) == (2, 4)
    assert list(pixels[:3]) == pytest.approx([200, 100, 50], abs=4)


@pytest.mark.parametrize("kept", [9, 30, 300, 600])
def test_a_file_cut_short_is_refused(prepared: Prepared, tmp_path: Path, kept: int) -> None:
    write_png(tmp_path / "whole.png", 20, 20, opaque(noise(20, 20)))
    whole = (tmp_path / "whole.png").read_bytes()
    assert len(whole) > 1000
    (tmp_path / "cut.png").write_bytes(whole[:kept])
    with pytest.raises(runs.DemoError, match=r"cut\.png is (damaged or cut short|not a PNG)"):
        decode(prepared, tmp_path / "cut.png", tmp_path)


def test_a_photograph_cut_short_is_refused(prepared: Prepared, tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(PHOTOGRAPH.read_bytes()[:30_000])
    with pytest.raises(runs.DemoError, match=r"cut\.jpg is damaged or cut short: "):
        decode(prepared, tmp_path / "cut.jpg", tmp_path)


def test_damage_inside_a_file_is_explained(prepared: Prepared, tmp_path: Path) -> None:
    write_png(tmp_path / "whole.png", 20, 20, opaque(noise(20, 20)))
    whole = (tmp_path / "whole.png").read_bytes()
    numbers = random.Random(3)
    for _ in range(3):
        broken = bytearray(whole)
        broken[numbers.randrange(45, len(whole) - 20)] ^= 0xFF
        (tmp_path / "broken.png").write_bytes(broken)
        with pytest.raises(runs.DemoError, match=r"broken\.png is (damaged|not a PNG)"):
            decode(prepared, tmp_path / "broken.png", tmp_path)


def test_a_picture_too_large_is_refused_by_its_header(prepared: Prepared, tmp_path: Path) -> None:
    write_png(tmp_path / "large.png", 1, 1, noise(1, 1))
    content = bytearray((tmp_path / "large.png").read_bytes())
    content[16:24] = struct.pack(">II", 10_000, 5_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / "large.png").write_bytes(content)
    words = r"too large: 10000 × 5000 is 50,000,000 pixels, and at most 25,000,000 are taken"
    with pytest.raises(runs.DemoError, match=words):
        decode(prepared, tmp_path / "large.png", tmp_path)


def test_a_place_that_cannot_be_written_is_explained(prepared: Prepared, tmp_path: Path) -> None:
    (tmp_path / "pixels").write_bytes(noise(1, 1))
    pixels = runs.Pixels(tmp_path / "pixels", 1, 1)
    with pytest.raises(runs.DemoError, match="could not be written: No such file or directory"):
        runs.encode(prepared.runtimes, pixels, tmp_path / "nowhere" / "result.png")
