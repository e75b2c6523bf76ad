"""The wheel that pages get: compiled for one Python, so that no visitor compiles it."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE
from pyodide_demo.compile_wheel import compile_wheel
from pyodide_demo.environment import (
    EnvironmentProblem,
    build_compiled_wheel,
    build_wheel,
    find_node,
    pyodide_distribution,
)

TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}-none-any"

# Prints the modules of emheap that were compiled, where there should be none.
COUNTING = """
import importlib.machinery
loader = importlib.machinery.SourceFileLoader
compiled, compile_source = [], loader.source_to_code
def counting(self, data, path, **more):
    compiled.append(str(path))
    return compile_source(self, data, path, **more)
loader.source_to_code = counting
import emheap
with emheap.open().alloc(emheap.int32, 5) as number:
    print(number.value, [path for path in compiled if "emheap" in path])
"""


@pytest.fixture(scope="module")
def pure() -> Path:
    if IN_PYODIDE:
        skip_for_gap("Pyodide", "it starts no processes")
    try:
        return build_wheel()
    except EnvironmentProblem as problem:
        skip_for_gap("the wheel", str(problem).splitlines()[0])


def test_a_compiled_wheel_is_imported_without_compiling(pure: Path, tmp_path: Path) -> None:
    compiled = compile_wheel(pure, tmp_path)
    assert compiled.name == pure.name.replace("py3-none-any", TAG)
    with zipfile.ZipFile(compiled) as wheel:
        wheel.extractall(tmp_path / "site")
    command = [sys.executable, "-B", "-c", COUNTING]
    environment = {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60
    )
    assert done.stdout == "5 []\n", done.stdout + done.stderr


def test_a_compiled_wheel_is_a_wheel(pure: Path, tmp_path: Path) -> None:
    compiled = compile_wheel(pure, tmp_path)
    with zipfile.ZipFile(pure) as wheel:
        before = set(wheel.namelist())
    with zipfile.ZipFile(compiled) as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist()}
    assert before < files.keys()
    (information,) = (name for name in files if name.endswith("WHEEL"))
    assert f"Tag: {TAG}" in files[information].decode()
    lines = files[information.replace("WHEEL", "RECORD")].decode().splitlines()
    assert len(lines) == len(files)
    for name, digest, size in (line.rsplit(",", 2) for line in lines):
        if digest:
            found = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest())
            assert digest == f"sha256={found.decode().rstrip('=')}"
            assert int(size) == len(files[name])
    again = tmp_path / "again"
    again.mkdir()
    assert compile_wheel(pure, again).read_bytes() == compiled.read_bytes()
    with pytest.raises(ValueError, match="is no pure wheel: its name does not end with py3-none"):
        compile_wheel(compiled, tmp_path)


@pytest.mark.once
def test_pyodide_imports_its_wheel_without_compiling() -> None:
    try:
        node, distribution, wheel = find_node(), pyodide_distribution(), build_compiled_wheel()
    except EnvironmentProblem as problem:
        skip_for_gap("Pyodide under Node", str(problem).splitlines()[0])
    script = """
    const [distribution, wheel, program] = process.argv.slice(1);
    const { loadPyodide } = await import(`file://${distribution}/pyodide.mjs`);
    const pyodide = await loadPyodide();
    await pyodide.loadPackage(`file://${wheel}`, { messageCallback() {} });
    pyodide.runPython(program);
    """
    command = [node, "--input-type=module", "-e", script, distribution, wheel, COUNTING]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
    assert done.stdout == "5 []\n", done.stdout + done.stderr[-2000:]
