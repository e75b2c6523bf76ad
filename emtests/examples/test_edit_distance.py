"""The example package works from its wheel, natively and in Pyodide."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from emheap.calls.module_types import read_module_types
from emtests.compilers import missing
from emtests.conftest import skip_for_gap
from pyodide_demo.environment import (
    EnvironmentProblem,
    find_node,
    pyodide_distribution,
    virtual_environment,
)

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pyodide_demo" / "examples" / "edit_distance"
PROGRAM = """
from edit_distance import distance, nearest
assert "edit_distance" in __import__("edit_distance").__file__
assert distance("kitten", "sitting") == 3
assert distance("", "abc") == 3
assert distance("same", "same") == 0
assert nearest("memmory", ["memory", "mammoth", "melody"]) == "memory"
for wrong in (5, 1.5, ["x"]):
    try:
        distance("x", wrong)
    except TypeError:
        pass
    else:
        raise AssertionError(wrong)
try:
    distance("a\\0b", "c")
except ValueError as error:
    assert "holds a null" in str(error)
print("it works")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        tools = virtual_environment("build", ["hatchling>=1.25"])
    except EnvironmentProblem as problem:
        skip_for_gap("building a wheel", str(problem).splitlines()[0])
    folder = tmp_path_factory.mktemp("wheel")
    command = [str(tools), "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PACKAGE, check=True, timeout=120, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_is_for_every_platform(wheel: Path) -> None:
    assert wheel.name == "edit_distance-0.1.0-py3-none-any.whl"


def test_it_works_natively(wheel: Path) -> None:
    if find_spec("wasmtime") is None:
        skip_for_gap("the example package", "wasmtime is not installed here")
    check_package(wheel)


def check_package(place: Path) -> None:
    """Run the program with the package from a wheel or a folder."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(place), str(ROOT)))}
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (ended.stdout.strip(), ended.returncode) == ("it works", 0), ended.stderr


def test_it_works_in_pyodide(wheel: Path) -> None:
    try:
        node, pyodide = find_node(), pyodide_distribution()
    except EnvironmentProblem as problem:
        skip_for_gap("Pyodide", str(problem).splitlines()[0])
    script = Path(__file__).with_name("run_in_pyodide.mjs")
    command = [str(node), str(script), str(pyodide), PROGRAM, str(wheel), str(ROOT)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert (ended.stdout.strip(), ended.returncode) == ("it works", 0), ended.stderr


def test_the_wasm_is_what_its_source_compiles_to(tmp_path: Path) -> None:
    reason = missing("clang", "--target=wasm32-wasi", "-mexec-model=reactor", header="stdlib.h")
    if reason:
        skip_for_gap("compiling the example again", reason)
    made = tmp_path / "made.wasm"
    code = f"import build_wasm; build_wasm.build(build_wasm.Path({str(made)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=PACKAGE, check=True, timeout=300)
    committed = PACKAGE / "edit_distance" / "edit_distance.wasm"
    built, kept = (read_module_types(each.read_bytes()) for each in (made, committed))
    assert built == kept
    assert kept.exports >= {"distance", "nearest", "malloc", "free", "memory"}
    assert not kept.imports


@pytest.mark.slow
def test_the_wasm_that_zig_makes_works_too(tmp_path: Path) -> None:
    try:
        python = virtual_environment("zig", ["ziglang==0.15.1"])
    except EnvironmentProblem as problem:
        skip_for_gap("PyPI's ziglang", str(problem).splitlines()[0])
    package = shutil.copytree(PACKAGE, tmp_path / "package")
    made = package / "edit_distance" / "edit_distance.wasm"
    made.unlink()
    # It compiles its C library, too, the first time.
    subprocess.run([str(python), "build_wasm.py"], cwd=package, check=True, timeout=600)
    built = read_module_types(made.read_bytes())
    assert built.exports >= {"distance", "nearest", "malloc", "free", "memory"}
    assert not built.imports
    if find_spec("wasmtime") is not None:
        check_package(package)
