"""``python -m emheap``: what works here, and what the rest needs."""

from __future__ import annotations

import importlib.util
import runpy
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap.backends import report
from emheap.backends.report import describe_backends, find_backends
from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE

CHECKOUT = Path(emheap.__file__).parents[1]
EVERYWHERE = {"this process's own heap", "a Python buffer", "the buffer of a callback"}
NATIVE = {"memory shared by processes"}
IN_JAVASCRIPT = {"an Emscripten module", "a WebAssembly instance"}
ADDED = {"a module in wasmtime", "numpy arrays on a heap", "atomic access"}


def found() -> dict[str, str]:
    return {backend.name: backend.missing for backend in find_backends()}


NEEDS = {
    "memory shared by processes": "native Python: Pyodide has no processes to share memory with",
    **dict.fromkeys(
        IN_JAVASCRIPT, "Pyodide: Python in a page, in Node or in a worker (https://pyodide.org)"
    ),
    "a module in wasmtime": "native Python: in Pyodide the browser runs modules itself"
    if IN_PYODIDE
    else "wasmtime: pip install wasmtime",
    "numpy arrays on a heap": "numpy: pip install numpy, in Pyodide pyodide.loadPackage('numpy')",
}
"""What each of those needs that may be missing on a machine."""


def test_homes_are_tried() -> None:
    assert found().keys() == EVERYWHERE | NATIVE | IN_JAVASCRIPT | ADDED
    missing = {name: words for name, words in found().items() if words}
    assert all(missing.get(name, words) == words for name, words in NEEDS.items())
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


def test_what_loses_what_is_written_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    heap = emheap.create_wasm_heap_manager(
        lambda: bytearray(1024), lambda size: 512, lambda address: None, polling_mode="always"
    )
    with pytest.raises(
        report.MissingError, match=r"^a memory that keeps what is written to it: it"
    ):
        report._use(heap)
    copying: Any = types.ModuleType("numpy")
    copying.asarray = list
    monkeypatch.setitem(sys.modules, "numpy", copying)
    words = found()["numpy arrays on a heap"]
    assert words == "another version of numpy: its array is a copy of the bytes"


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
