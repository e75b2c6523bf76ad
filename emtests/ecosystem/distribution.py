"""Pyodide's distribution, put together of npm's core and of wheels from PyPI.

A browser would fetch both from Pyodide's own content delivery network. Of the packages there, PyPI
has the pure ones in the same versions, but not byte for byte: so their checksums go into the lock
file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyodide_demo.environment import private_folder, pyodide_distribution, wheel_tags

IPYTHON = ("ipython", "jedi", "pyodide-http", "micropip", "packaging")
"""What a kernel of JupyterLite loads, and PyScript."""
MARIMO = ("jedi", "pygments", "docutils", "packaging", "micropip", "pyodide-http")
"""Of what marimo loads, the part that Pyodide's lock file has as pure wheels."""
MARIMO_OTHERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "msgspec": ("msgspec>=0.22", ()),
    "markdown": ("Markdown>=3.6,<4", ()),
    "pyyaml": ("PyYAML==6.0.3", ()),
    "pymdown-extensions": ("pymdown-extensions>=10.21.2,<12", ("markdown", "pyyaml")),
    "narwhals": ("narwhals>=2", ()),
    "tomlkit": ("tomlkit>=0.12", ()),
    "itsdangerous": ("itsdangerous>=2", ()),
    "python-multipart": ("python-multipart>=0.0.18", ()),
}
"""The rest: requirements, and what each of them depends on."""


class Distribution:
    """A folder that a page loads Pyodide from."""

    def __init__(self, name: str, version: str) -> None:
        self.folder = private_folder() / "ecosystem" / name
        self.version = version
        self._wheels = private_folder() / "ecosystem" / "wheels"
        self._wheels.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(pyodide_distribution(version), self.folder)
        self._lock = self.folder / "pyodide-lock.json"
        self._contents = json.loads(self._lock.read_text(encoding="utf-8"))
        self._packages: dict[str, dict[str, Any]] = self._contents["packages"]

    def add_of_lock(self, names: Sequence[str]) -> None:
        """Add packages that the lock file names, with what they depend on, in its versions."""
        pending, done = [*names], set[str]()
        while pending:
            name = pending.pop().replace("_", "-")
            if name in done:
                continue
            done.add(name)
            entry = self._packages[name]
            pending += entry["depends"]
            wheel = self._wheels / entry["file_name"]
            if not wheel.is_file():
                self._download(f"{entry['name']}=={entry['version']}")
            self._name(entry, wheel)

    def add(self, name: str, requirement: str, depends: Sequence[str] = ()) -> None:
        """Add a package that the lock file lacks, or has as one that only Pyodide offers."""
        wheel = self._find(name) or self._fetch(name, requirement)
        entry = self._packages.setdefault(
            name,
            {
                "name": name,
                "install_dir": "site",
                "package_type": "package",
                "unvendored_tests": False,
                "imports": [],
            },
        )
        entry["depends"] = list(depends)
        self._name(entry, wheel)

    def write(self) -> Path:
        """Write the lock file; return the folder."""
        self._lock.write_text(json.dumps(self._contents), encoding="utf-8")
        return self.folder

    def _name(self, entry: dict[str, Any], wheel: Path) -> None:
        shutil.copy(wheel, self.folder)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        entry.update(file_name=wheel.name, version=wheel.name.split("-")[1], sha256=digest)

    def _find(self, name: str) -> Path | None:
        stem = name.replace("-", "_")
        return next(iter(sorted(self._wheels.glob(f"{stem}-[0-9]*.whl"))), None)

    def _fetch(self, name: str, requirement: str) -> Path:
        if name == "pyyaml":  # whose wheels are all compiled, and work without what is compiled
            self._download(requirement, native=True)
            _leave_the_pure_part(next(self._wheels.glob("pyyaml-*-cp*.whl")))
        else:
            self._download(requirement)
        found = self._find(name)
        assert found is not None
        return found

    def _download(self, requirement: str, *, native: bool = False) -> None:
        command = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps"]
        tags = [] if native else wheel_tags(self.version)
        folder = ["--only-binary=:all:", *tags, "--dest", str(self._wheels)]
        subprocess.run([*command, *folder, requirement], check=True, timeout=300)


def _leave_the_pure_part(wheel: Path) -> None:
    name, version = wheel.name.split("-")[:2]
    with (
        zipfile.ZipFile(wheel) as whole,
        zipfile.ZipFile(wheel.with_name(f"{name}-{version}-py3-none-any.whl"), "w") as pure,
    ):
        for member in whole.namelist():
            if not member.endswith((".so", ".pyd")):
                pure.writestr(member, whole.read(member))
    wheel.unlink()
