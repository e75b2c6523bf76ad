"""The part of the site that runs the tests."""

from __future__ import annotations

from pathlib import Path

from pyodide_demo.archives import archive
from pyodide_demo.contents import Content
from pyodide_demo.environment import CHECKOUT

_PROJECT = ("emheap", "emtests", "pyodide_demo", "README.md", "pyproject.toml")
# For the runs that are measured.
_NOT_NEEDED = ("coverage", "a1_coverage", "bin", "__pycache__")
REQUIREMENTS = ("pytest>=8.2", "hypothesis>=6.115", "coverage>=7.10")
"""What the tests need inside Pyodide."""

MODULES = (
    "@echogarden/pffft-wasm@0.4.2",
    "@echogarden/kissfft-wasm@0.2.0",
    "harfbuzzjs@1.6.4",
    "laz-perf@0.0.7",
    "sql.js@1.16.0",
)
"""Modules of other people's, from npm, whose heaps the page and the tests work on."""

TESTS_MODULES = (
    "@echogarden/kissfft-wasm/kissfft.js",
    "@echogarden/kissfft-wasm/kissfft.wasm",
    "@echogarden/kissfft-wasm/COPYING",
    "harfbuzzjs/dist/harfbuzz.js",
    "harfbuzzjs/dist/harfbuzz.wasm",
    "harfbuzzjs/dist/harfbuzz-subset.wasm",
    "harfbuzzjs/LICENSE",
    "laz-perf/lib/worker/laz-perf.js",
    "laz-perf/lib/laz-perf.wasm",
)
"""The files of modules, as npm brought them, that only the tests need."""
# What starts them outside; see emtests/pyodide.
_SCRIPTS = ("modules.mjs", "peer.mjs")
_FIRST = "emtests/heap/test_first_steps.py"
_NATIVE_ONLY = ("bench", "runtimes", "pyodide", "machinery", "typing_checks")


def tests_files(site: Path) -> dict[str, Content]:
    """The files by address; `site` is the folder of what pip brought for Pyodide."""
    scripts = CHECKOUT / "emtests" / "pyodide"
    packages = [path for path in site.iterdir() if not path.name.startswith((*_NOT_NEEDED, "."))]
    return {
        **{f"tests/{name}": scripts / name for name in _SCRIPTS},
        "tests/project.zip": archive(CHECKOUT, [CHECKOUT / name for name in _PROJECT]),
        "tests/site.zip": archive(site, packages),
    }


def tests_parts() -> list[dict[str, str]]:
    """What can be run: a first part, every folder that runs in Pyodide, and all of it."""
    root = CHECKOUT / "emtests"
    folders = sorted({path.parent for path in root.glob("*/test_*.py")})
    names = [folder.name for folder in folders if folder.name not in _NATIVE_ONLY]
    return [
        {"path": _FIRST, "title": "first steps"},
        *({"path": f"emtests/{name}", "title": name} for name in names),
        {"path": "emtests", "title": "all of them (many minutes)"},
    ]
