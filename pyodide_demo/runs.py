"""Runs the program natively and in Pyodide, and decodes and encodes the pictures around it."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pyodide_demo.environment import (
    CHECKOUT,
    EnvironmentProblem,
    Say,
    build_wheel,
    find_node,
    private_folder,
    pyodide_distribution,
    virtual_environment,
)

if TYPE_CHECKING:
    from pyodide_demo.program import Report

HERE = Path(__file__).resolve().parent


class DemoError(Exception):
    """Something is wrong with what the user asked for; the text says what, and what to do."""


class RunFailedError(Exception):
    """The program itself failed; the text is its own last words."""


class Runtimes(NamedTuple):
    """What the two runs need: Node and Pyodide, the wheel, and a Python with pillow."""

    node: Path
    distribution: Path
    wheel: Path
    python: Path


class Pixels(NamedTuple):
    """A file of RGBA bytes."""

    file: Path
    width: int
    height: int


def prepare(say: Say) -> Runtimes:
    """Find Node, and make what is not there yet. Raises EnvironmentProblem."""
    try:
        return Runtimes(
            node=find_node(),
            distribution=pyodide_distribution(say=say),
            wheel=build_wheel(say=say),
            python=virtual_environment("demo", ["pillow>=11"], say=say),
        )
    except OSError as error:
        raise EnvironmentProblem(
            f"The private environment in {private_folder()} cannot be made: {error}.\n"
            "Name a folder that can be written in EMHEAP_ENVIRONMENT."
        ) from error


def decode(runtimes: Runtimes, picture: Path, work: Path) -> Pixels:
    """Turn a picture file into RGBA bytes, once for both runs. Raises DemoError."""
    pixels = work / "pixels.rgba"
    size = _picture_files(runtimes, ["decode", str(picture), str(pixels)])
    width, height = map(int, size.split())
    return Pixels(pixels, width, height)


def encode(runtimes: Runtimes, pixels: Pixels, picture: Path) -> None:
    """Write RGBA bytes as a PNG file. Raises DemoError."""
    size = [str(pixels.width), str(pixels.height)]
    _picture_files(runtimes, ["encode", str(pixels.file), *size, str(picture)])


def run_natively(runtimes: Runtimes, pixels: Pixels, filters: Sequence[str]) -> Report:
    """Run the program on the C heap. Raises RunFailedError."""
    # The wheel is used as it is, by zipimport: so it is always the one that Pyodide gets.
    path = os.pathsep.join([str(runtimes.wheel), str(CHECKOUT)])
    command = [str(runtimes.python), "-m", "pyodide_demo.program"]
    command += _program_arguments(pixels, "native", filters)
    done = subprocess.run(
        command,
        cwd=pixels.file.parent,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        raise RunFailedError(f"The program failed natively:\n{_last_lines(done.stderr)}")
    return _report(pixels, "native")


def run_in_pyodide(runtimes: Runtimes, pixels: Pixels, filters: Sequence[str], say: Say) -> Report:
    """Run the program in Pyodide under Node. Raises RunFailedError."""
    folders = [runtimes.distribution, runtimes.wheel, HERE, pixels.file.parent]
    command = [str(runtimes.node), str(HERE / "run_in_node.mjs"), *map(str, folders)]
    command += _program_arguments(pixels, "pyodide", filters)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        errors: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        # Both pipes are read at once: a process blocks when nobody empties one of them.
        reader = threading.Thread(target=errors.extend, args=(process.stderr,))
        reader.start()
        for line in process.stdout:
            say(line.rstrip())
        reader.join()
    if process.returncode != 0:
        raise RunFailedError(f"The program failed in Pyodide:\n{_last_lines(''.join(errors))}")
    return _report(pixels, "pyodide")


def result_of(pixels: Pixels, runtime: str) -> Pixels:
    """The pixels that a run wrote."""
    return pixels._replace(file=pixels.file.with_name(f"{runtime}.rgba"))


def _program_arguments(pixels: Pixels, runtime: str, filters: Sequence[str]) -> list[str]:
    size = [str(pixels.width), str(pixels.height)]
    return [pixels.file.name, *size, f"{runtime}.rgba", f"{runtime}.json", *filters]


def _report(pixels: Pixels, runtime: str) -> Report:
    text = pixels.file.with_name(f"{runtime}.json").read_text(encoding="utf-8")
    report: Report = json.loads(text)
    return report


def _picture_files(runtimes: Runtimes, arguments: Sequence[str]) -> str:
    command = [str(runtimes.python), "-m", "pyodide_demo.picture_files", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    if done.returncode == 2:
        raise DemoError(done.stderr.strip())
    if done.returncode != 0:
        raise RunFailedError(f"The picture could not be processed:\n{_last_lines(done.stderr)}")
    return done.stdout


def _last_lines(text: str) -> str:
    lines = text.strip().splitlines()[-20:]
    return "\n".join(f"  | {line[:300]}" for line in lines)
