"""``python -m emheap``: what works here, and what the rest needs."""

from __future__ import annotations

import importlib.util
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import emheap
from emheap.backends.report import describe_backends, find_backends
from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE

CHECKOUT = Path(emheap.__file__).parents[1]
EVERYWHERE = {"this process's own heap", "a Python buffer", "the buffer of a callback"}
NATIVE = {"memory shared by processes"}
IN_JAVASCRIPT = {"an Emscripten module", "a WebAssembly instance"}


def found() -> dict[str, str]:
    return {backend.name: backend.missing for backend in find_backends()}


def test_homes_are_tried() -> None:
    missing = {name: words for name, words in found().items() if words}
    here = EVERYWHERE | (IN_JAVASCRIPT if IN_PYODIDE else NATIVE)
    assert not here & missing.keys(), missing
    assert (NATIVE if IN_PYODIDE else IN_JAVASCRIPT) <= missing.keys()
    has_numpy = importlib.util.find_spec("numpy") is not None
    assert ("numpy arrays on a heap" not in missing) == has_numpy
    wasmtime = not IN_PYODIDE and importlib.util.find_spec("wasmtime") is not None
    assert ("a module in wasmtime" not in missing) == wasmtime


def test_what_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("it broke\nin two lines")

    trials = (("a backend", "open_it()", fail),)
    monkeypatch.setattr("emheap.backends.report._TRIALS", trials)
    assert list(find_backends()) == [
        ("a backend", "open_it()", "it was tried and failed: RuntimeError: it broke")
    ]
    text, works = describe_backends("1.2")
    assert not works
    assert text.splitlines()[2:] == [
        f"no   {'a backend':27} open_it()",
        "     needs it was tried and failed: RuntimeError: it broke",
    ]


def run_report(*options: str) -> subprocess.CompletedProcess[str]:
    if IN_PYODIDE:
        skip_for_gap("Pyodide", "it starts no processes")
    command = [sys.executable, *options, "-m", "emheap"]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_the_command_prints_every_home() -> None:
    ended = run_report()
    assert (ended.returncode, ended.stderr) == (0, "")
    first, blank, *lines = ended.stdout.splitlines()
    assert first.startswith(f"emheap {emheap.__version__}, CPython ")
    assert not blank
    homes_told = [line for line in lines if not line.startswith("     needs ")]
    assert len(homes_told) == len(found())
    assert all(line.startswith(("yes  ", "no   ")) for line in homes_told)


def test_the_command_succeeds_where_the_first_home_works(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(CHECKOUT / "emheap" / "__main__.py"), run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"emheap {emheap.__version__}, CPython ")


def test_without_anything_installed_it_tells_what_to_install() -> None:
    ended = run_report("-S")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "needs wasmtime: pip install wasmtime" in ended.stdout
    assert "needs numpy: pip install numpy" in ended.stdout
