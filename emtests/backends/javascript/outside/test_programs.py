"""What takes more than one Pyodide, or a promise that Python awaits, under Node."""

from __future__ import annotations

import json
import subprocess

import pytest

import emheap
from emtests.conftest import skip_for_gap
from pyodide_demo.environment import (
    CHECKOUT,
    EnvironmentProblem,
    find_node,
    npm_install,
    pyodide_distribution,
)
from pyodide_demo.site_tests import MODULES

SECONDS = 300


def run_program(program: str, shared: str | None = None) -> list[str]:
    """Run a module of this package in Pyodide; gives the lines it printed."""
    done = end_of_program(program, shared)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def end_of_program(program: str, shared: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        node, pyodide = find_node(), pyodide_distribution()
        modules = npm_install("modules", MODULES)
    except EnvironmentProblem as problem:
        skip_for_gap("Pyodide under Node", str(problem))
    configuration = {
        "pyodide": str(pyodide),
        "modules": str(modules),
        "checkout": str(CHECKOUT),
        "program": f"emtests.backends.javascript.outside.{program}",
        "shared": shared,
    }
    script = CHECKOUT / "emtests" / "backends" / "javascript" / "outside" / "run_program.mjs"
    return subprocess.run(
        [node, script, json.dumps(configuration)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
    )


def test_natively_there_is_nothing_to_capture() -> None:
    words = (
        r"^capture_memory\(\) is for modules of Emscripten, which need JavaScript: use it in "
        r"Pyodide; a plain WebAssembly module opens natively by wrap_wasm_instance\(\)$"
    )
    with pytest.raises(emheap.NotSupportedError, match=words):
        emheap.capture_memory(b"")


@pytest.mark.parametrize(
    "shared", [pytest.param("SharedArrayBuffer", marks=pytest.mark.slow), "WebAssembly.Memory"]
)
def test_two_pyodides_exchange_data_both_ways(shared: str) -> None:
    assert sorted(run_program("two_pyodides", shared)) == [
        "first: got 0.5,-0.0,2.0 ✓",
        "second: 0.5,-0.0,2.0",
    ]


def test_a_memory_is_captured_from_a_module_that_exports_none() -> None:
    assert run_program("captured_module") == ["500500 grüße 0"]


def test_without_javascript_the_heap_of_the_process_works() -> None:
    assert run_program("without_javascript") == ["4999950000 grüße 0.5 True"]


def test_an_address_outside_the_heap_is_the_end_of_the_interpreter_for_ctypes_alone() -> None:
    done = end_of_program("reading_outside")
    assert done.returncode == 1
    assert "emheap: OutOfBoundsError" in done.stdout + done.stderr
    assert "memory access out of bounds" in done.stdout + done.stderr
    assert "it went on" not in done.stdout
