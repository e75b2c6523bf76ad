"""What the documentation says of versions and commands is what the project has and takes."""

from __future__ import annotations

import ast
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import emheap
from emtests.conftest import skip_for_gap
from emtests.heaps import KINDS
from emtests.runtimes.pyodide_releases import NEWEST, RELEASES
from pyodide_demo.docs_blocks import DOCS, pages
from pyodide_demo.environment import find_node

pytestmark = pytest.mark.once

ROOT = DOCS.parent.parent
README = ROOT / "README.md"
MEASURED = ROOT / "emtests" / "README.md"


def texts() -> Iterator[tuple[str, str]]:
    """Everything that is written for people, by its file's name."""
    for file in [README, MEASURED, *pages(), *sorted((ROOT / ".github").rglob("*.md"))]:
        yield file.name, file.read_text(encoding="utf-8")


def project() -> str:
    file = ROOT / "pyproject.toml"
    if not file.is_file():
        skip_for_gap("what the project is made of", "only a checkout has pyproject.toml")
    return file.read_text(encoding="utf-8")


# Versions


def test_the_pythons() -> None:
    classified = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project())
    assert classified == [f"3.{minor}" for minor in range(10, 15)]
    assert 'requires-python = ">=3.10"' in project()
    assert "for Python 3.10 or newer, and needs no other package" in README.read_text("utf-8")
    assert "dependencies = []" in project()
    assert "3.10 to 3.14 now" in (DOCS / "versions.md").read_text(encoding="utf-8")


def test_the_releases_of_pyodide() -> None:
    oldest = min(
        (release.series for release in RELEASES if release.series.startswith("0.")),
        key=lambda name: int(name.partition(".")[2]),
    )
    assert oldest == "0.27"
    for page in ("versions.md", "pyodide.md"):
        assert f"from {oldest} on" in (DOCS / page).read_text(encoding="utf-8")
    performance = (DOCS / "performance.md").read_text(encoding="utf-8")
    assert f"in Pyodide {NEWEST.series} under Node" in performance


def test_the_node() -> None:
    assert inspect.signature(find_node).parameters["minimum"].default == 18
    assert "Node 18 or newer" in README.read_text(encoding="utf-8")


def test_the_wheel_that_is_installed_is_of_this_version() -> None:
    wheels = {
        wheel for _, text in texts() for wheel in re.findall(r"emheap-[\w.]+-py3[\w-]+", text)
    }
    assert wheels == {f"emheap-{emheap.__version__}-py3-none-any"}


def test_the_extras() -> None:
    named = re.findall(r'pip install (?:-e )?"\.\[([\w,]+)\]"', README.read_text(encoding="utf-8"))
    for extra in ",".join(named).split(","):
        assert re.search(rf"(?m)^{extra} = \[", project()), extra


# Commands

MODULES = ("emheap", "emtests", "emtests.bench", "emtests.mutation", "pyodide_demo")


def commands(module: str) -> Iterator[tuple[str, list[str]]]:
    """The arguments with which the documentation calls a command."""
    call = rf"python -m {re.escape(module)}(?![\w.])"
    whole = re.compile(rf"`{call}([^`\n]*)`|^    {call}(.*)$", re.MULTILINE)
    for name, text in texts():
        for quoted, indented in whole.findall(text):
            yield name, shlex.split(quoted or indented, comments=True)


@pytest.mark.parametrize("module", MODULES)
def test_the_commands_take_what_the_documentation_gives_them(module: str) -> None:
    given = list(commands(module))
    assert given
    options = {word for _, words in given for word in words if word.startswith("--")}
    if not options - {"--help"}:
        return
    helped = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert helped.returncode == 0, helped.stderr
    assert options - {"--help"} <= set(re.findall(r"--[a-z][\w-]*", helped.stdout))


def test_the_test_that_is_shown_passes_and_finds_a_leak(tmp_path: Path) -> None:
    shown = (DOCS / "programs" / "test_numbers.py").read_text(encoding="utf-8")
    leaking = shown.replace("with ", "if numbers := ").replace(" as numbers:", ":")
    (tmp_path / "test_shown.py").write_text(shown, encoding="utf-8")
    (tmp_path / "test_leaking.py").write_text(leaking, encoding="utf-8")
    plugins = ["-p", "emheap.pytest_plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert "2 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "ERROR test_leaking.py::test_frees_what_it_allocates - emheap" in done.stdout
    assert "1 block of 40 bytes is live" in done.stdout
    assert "test_leaking.py:7 in test_frees_what_it_allocates" in done.stdout


def test_the_rows_that_are_named_are_measured() -> None:
    files = (ROOT / "emtests" / "bench").rglob("*.py")
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    strings = [
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value
    ]
    patterns = {
        words[words.index("--rows") + 1]
        for _, words in commands("emtests.bench")
        if "--rows" in words
    }
    patterns |= set(re.findall(r'`--rows "([^"]+)"`', MEASURED.read_text(encoding="utf-8")))
    assert len(patterns) > 5
    for pattern in patterns:
        for part in pattern.split("|"):
            assert any(re.search(part, string) for string in strings), part


def test_the_tests_that_are_named_exist() -> None:
    kinds = {kind.name for kind in KINDS}
    named = re.findall(
        r"`(?:\w+=\w+ )?pytest (emtests[^`]+)`", MEASURED.read_text(encoding="utf-8")
    )
    assert len(named) > 20
    for command in named:
        path, *options = shlex.split(command)
        place = ROOT / path
        assert place.exists(), command
        files = [place] if place.is_file() else sorted(place.rglob("*.py"))
        code = "".join(file.read_text(encoding="utf-8") for file in files)
        words = options[options.index("-k") + 1] if "-k" in options else ""
        for word in set(re.findall(r"\w+", words)) - kinds - {"and", "or", "not"}:
            assert word in code or any(word in kind for kind in kinds), command


def test_the_paths_that_are_named_exist() -> None:
    for name, text in texts():
        for path in re.findall(r"`((?:emheap|emtests|pyodide_demo|\.github)/[\w./]+)`", text):
            if path.startswith(".github/") and not (ROOT / ".github").is_dir():
                continue  # only a checkout has it
            assert (ROOT / path).exists(), f"{name}: {path}"


def test_what_a_memory_must_do() -> None:
    guide = ROOT / ".github" / "CONTRIBUTING.md"
    if not guide.is_file():
        skip_for_gap("the steps for contributors", "only a checkout has .github")
    sentence = guide.read_text(encoding="utf-8").partition("Its abstract methods")[2].partition(".")
    assert set(re.findall(r"`(\w+)`", sentence[0])) == emheap.Memory.__abstractmethods__
