"""The words of the command, as a person at a terminal gets them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from emtests.conftest import skip_for_gap
from emtests.demo.pictures import noise, write_png
from emtests.demo.prepared import Prepared
from pyodide_demo.environment import CHECKOUT
from pyodide_demo.filters import FILTERS

pytestmark = pytest.mark.once


def command(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyodide_demo", *map(str, arguments)],
        cwd=CHECKOUT,
        env={**os.environ, **environment, "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
    )


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for each in words:
        assert each in done.stderr
    assert done.stdout == ""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    write_png(tmp_path / "picture.png", 6, 4, noise(6, 4))
    return tmp_path / "picture.png"


# What is refused before anything is made


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = command(tmp_path / "none.png")
    assert_refused(done, "none.png cannot be read: No such file", "Give a PNG or JPEG file.")


def test_a_directory(tmp_path: Path) -> None:
    assert_refused(command(tmp_path), f"error: {tmp_path} is a directory; give a PNG or JPEG file.")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty; give a PNG or JPEG file."),
        (b"GIF89a.....", "is neither a PNG nor a JPEG"),
        (b"\xff", "is neither a PNG nor a JPEG"),
    ],
)
def test_a_file_that_is_no_picture(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "picture.png").write_bytes(content)
    assert_refused(command(tmp_path / "picture.png"), f"picture.png {words}")


def test_an_unknown_filter_lists_the_filters() -> None:
    done = command("--filter", "sepia,grayscael")
    assert_refused(done, "there is no filter 'grayscael' (did you mean grayscale?)", *FILTERS)


@pytest.mark.parametrize("port", ["x", "-1", "65536", "80.0"])
def test_a_port_that_is_none(port: str) -> None:
    done = command("--serve", f"--port={port}")
    assert_refused(done, f"{port!r} is no port: give a number from 0 to 65535")


def test_places_the_result_cannot_go(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    for place, words in (
        ("folder.png", "is a directory. Choose another place with --output."),
        ("nowhere/result.png", "nowhere is no directory to write result.png to."),
        ("result.jpg", "result.jpg is no name for the result, which is a PNG"),
        ("picture.png", "is the picture itself, which would be lost."),
    ):
        assert_refused(command(picture, "--output", tmp_path / place), words)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_list_shows_every_filter_and_what_it_does() -> None:
    done = command("--list")
    assert done.returncode == 0
    names = [line.split(maxsplit=1)[0] for line in done.stdout.splitlines()]
    assert names == list(FILTERS)
    assert "The brown of an old photograph" in done.stdout


# What the machine lacks


def script(file: Path, text: str) -> None:
    if sys.platform == "win32":
        skip_for_gap("a stand-in for Node", "it is a shell script")
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


class TestMissing:
    def test_node(self, tmp_path: Path) -> None:
        done = command(PATH=str(tmp_path))
        assert_refused(done, "Node.js was not found", "Install Node.js 18 or newer")

    def test_a_newer_node(self, tmp_path: Path) -> None:
        script(tmp_path / "node", "echo v16.20.2")
        done = command(PATH=str(tmp_path))
        assert_refused(done, "is Node.js v16.20.2, but 18 or newer is needed", "Install Node.js")

    def test_npm(self, tmp_path: Path) -> None:
        script(tmp_path / "node", "echo v20.0.0")
        done = command(PATH=str(tmp_path), EMHEAP_ENVIRONMENT=str(tmp_path / "environment"))
        assert_refused(done, "npm was not found", "apt-get install npm")


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("--serve", "--port", str(port), PATH=str(tmp_path))
    assert_refused(done, f"Port {port} of 127.0.0.1 cannot be used", "--port 0")


# The whole command


def test_the_photograph_in_both_runtimes(prepared: Prepared, tmp_path: Path) -> None:
    done = command("--output", tmp_path / "result.png")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    rows = {line.split("   ")[0]: line.split("   ")[1:] for line in lines if "   " in line}
    assert lines[1] == "photograph.jpg, 600 × 400: original → mirror → equalize → sepia"
    native, pyodide = (cell.strip() for cell in rows["checksum (SHA-256)"] if cell.strip())
    assert native == pyodide
    assert set("".join(rows["bytes left at the end"]).split()) == {"0"}
    assert {"mirror", "equalize", "sepia", "all filters"} <= rows.keys()
    assert lines[-1] == (
        f"The checksums are equal. The result: {(tmp_path / 'result.png').resolve()}"
    )
    assert "Starting Pyodide in Node.js" in done.stderr
    assert (tmp_path / "result.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_of_ones_own(prepared: Prepared, picture: Path, tmp_path: Path) -> None:
    output = tmp_path / "result.png"
    done = command(picture, "--filter", "mirror,mirror", "--filter", "invert", "--output", output)
    assert done.returncode == 0, done.stderr
    assert "picture.png, 6 × 4: original → mirror → mirror → invert" in done.stdout
    show = "import sys; from PIL import Image; print(Image.open(sys.argv[1]).tobytes().hex())"
    inverted = bytes.fromhex(prepared.run_python("-c", show, str(output)))
    before = noise(6, 4)
    assert inverted[3::4] == before[3::4]
    assert all(inverted[i] == 255 - before[i] for i in range(96) if i % 4 != 3)


def test_a_picture_cut_short(prepared: Prepared, tmp_path: Path) -> None:
    write_png(tmp_path / "cut.png", 30, 30, noise(30, 30))
    os.truncate(tmp_path / "cut.png", 900)
    done = command(tmp_path / "cut.png", "--output", tmp_path / "result.png")
    assert_refused(done, "cut.png is damaged or cut short")
    assert not (tmp_path / "result.png").exists()


def test_a_private_environment_that_cannot_be_made(prepared: Prepared, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command(EMHEAP_ENVIRONMENT=str(tmp_path / "file" / "environment"))
    assert_refused(done, "cannot be made: ", "Not a directory", "EMHEAP_ENVIRONMENT")
