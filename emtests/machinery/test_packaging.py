"""The wheel, and the way into a Pyodide distribution that pyodide-build gives it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from emtests.conftest import skip_for_gap
from pyodide_demo.environment import CHECKOUT, build_wheel, find_node, pyodide_distribution

pytestmark = [pytest.mark.packaging, pytest.mark.slow]


@pytest.fixture(scope="module")
def wheel() -> Path:
    return build_wheel()


@pytest.fixture(scope="module")
def wheels(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages, as a site that serves Pyodide by itself would have."""
    folder = tmp_path_factory.mktemp("wheels")
    shutil.copy(wheel, folder)
    return folder


@pytest.fixture(scope="module")
def lock(wheels: Path) -> Path:
    """Pyodide's own lock file with emheap added by pyodide-build."""
    program = Path(sys.executable).with_name("pyodide")
    if not program.exists():
        skip_for_gap(
            "lock files",
            "pyodide-build is not installed here; `python -m emtests --only packaging` brings it",
        )
    output = wheels / "pyodide-lock-with-emheap.json"
    command = [program, "lockfile", "add-wheels"]
    command += ["--input", pyodide_distribution() / "pyodide-lock.json", "--output", output]
    command += ["--base-path", wheels, *wheels.glob("*.whl")]
    subprocess.run([str(part) for part in command], check=True)
    return output


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    library = {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "emheap").rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".pyo")
    }
    assert {"emheap/__init__.py", "emheap/heap/flat_names.pyi", "emheap/py.typed"} <= library
    assert {name for name in names if ".dist-info/" not in name} == library


def test_the_wheel_serves_every_platform_and_needs_nothing(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as file:
        (metadata,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        message = message_from_bytes(file.read(metadata))
    assert message["Name"] == "emheap"
    assert message["Requires-Python"] == ">=3.10"
    assert message["License-Expression"] == "MIT"
    assert [each for each in message.get_all("Requires-Dist", []) if "extra ==" not in each] == []


def test_the_lock_file_names_the_wheel(lock: Path, wheel: Path) -> None:
    entry = json.loads(lock.read_text(encoding="utf-8"))["packages"]["emheap"]
    assert entry["file_name"] == wheel.name
    assert entry["imports"] == ["emheap"]
    assert entry["depends"] == []


@pytest.mark.parametrize("packages", [["emheap"], []], ids=["loadPyodide", "loadPackage"])
def test_pyodide_loads_emheap_offline(
    lock: Path, wheels: Path, tmp_path: Path, packages: list[str]
) -> None:
    configuration = tmp_path / "configuration.json"
    settings = {"pyodide": pyodide_distribution(), "lock": lock, "wheels": wheels}
    words: dict[str, object] = {name: str(path) for name, path in settings.items()}
    configuration.write_text(json.dumps({**words, "packages": packages}), encoding="utf-8")
    script = CHECKOUT / "emtests" / "pyodide" / "load_from_lock.mjs"
    done = subprocess.run(
        [find_node(), script, configuration], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    answer, live_bytes, file = done.stdout.split()[-3:]
    assert (answer, live_bytes) == ("42", "0")
    assert file.endswith("/site-packages/emheap/__init__.py")
