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
from typing import Any

import pytest

import emheap
import emheap.allocators.base
import emheap.c
import emheap.memories.base
import emheap.testing
from emheap.types import scalar_types
from emheap.types.abi import ABIS
from emtests.blocks import test_soak, test_threads
from emtests.blocks.long import LONG
from emtests.blocks.scenarios import SCENARIOS
from emtests.calls.programs import test_programs
from emtests.conftest import skip_for_gap
from emtests.diagnosis import test_corruption, test_debug_heap
from emtests.hostile import test_stealing_threads
from emtests.runtimes.extras import oldest
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
    (since,) = {*re.findall(r"pyodide-(?:build|lock).*?; python_version >= '([\d.]+)'", project())}
    assert f"(CPython {since} or newer)" in (DOCS / "pyodide.md").read_text(encoding="utf-8")


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
    text = README.read_text(encoding="utf-8")
    named = re.findall(r'pip install (?:-e )?"\.\[([\w,]+)\]"', text)
    for extra in ",".join(named).split(","):
        assert re.search(rf"(?m)^{extra} = \[", project()), extra
    (stated,) = re.findall(r"wasmtime \((\d+) or newer\)", text)
    assert oldest("wasmtime").startswith(f"wasmtime=={stated}.")


def test_the_places_to_install_it_in() -> None:
    """The README's lines are those of the files that `emtests/ecosystem` tries."""
    programs = DOCS / "programs"
    table = README.read_text(encoding="utf-8").partition("| place |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"(?m)^\| ([^|]+) \| (.*) \|$", table))
    (packages,) = re.findall(r"`(packages = .*?)`", rows["PyScript"])
    assert packages in (programs / "pyscript.toml").read_text(encoding="utf-8").splitlines()
    build, install = re.findall(r"`(.*?)`", rows["JupyterLite"])
    cells = (programs / "jupyterlite_cells.txt").read_text(encoding="utf-8")
    assert install in cells.splitlines()
    (command,) = re.findall(
        r"(?m)^(jupyter lite build .*)$", (DOCS / "jupyterlite.md").read_text(encoding="utf-8")
    )
    assert {*build.split()} <= {*command.split()}
    installing = rows["Pyodide, marimo in the browser"]
    assert installing.startswith("`await micropip.install(")
    for file in ("micropip.html", "marimo_notebook.py"):
        called = (programs / file).read_text(encoding="utf-8")
        assert re.search(r"await (pyodide\.pyimport\()?\"?micropip\"?\)?\.install\(", called), file


# Names and numbers

REFERENCES = [
    emheap.HeapRef,
    emheap.ScalarRef,
    emheap.ArrayRef,
    emheap.StringRef,
    emheap.StructArrayRef,
    emheap.Struct,
    emheap.Pointer,
]
OWNERS: dict[str, list[Any]] = {
    "heap": [emheap.HeapManager],
    "emheap": [emheap],
    "c": [emheap.c],
    "library": [emheap.Library],
    "before": [emheap.Snapshot],
    **dict.fromkeys(("ref", "array", "structure", "pointer", "samples", "pixels"), REFERENCES),
    "pointer_array": [emheap.ArrayRef],
}
"""What the documentation calls things of emheap's."""
OTHERS = {
    *("alloc", "dealloc", "malloc", "free", "new", "pin", "init", "allocate", "sqlite3InitModule"),
    *("from_address", "string_at", "_Alignas", "pack", "input", "print"),
    *("Header", "Newer", "Packet", "Pixel", "Sqlite", "bytearray", "bytes", "memoryview"),
    "reset",
}
"""Functions and classes of others, and of examples, that the documentation calls."""


def quoted() -> Iterator[tuple[str, str]]:
    """What stands in backquotes, by the file's name; blocks of code are run by other tests."""
    for file in [README, ROOT / "CHANGELOG.md", *pages()]:
        text = re.sub(r"(?ms)^```.*?^```$", "", file.read_text(encoding="utf-8"))
        for code in re.findall(r"`([^`\n]+)`", text):
            yield file.name, code


def test_the_members_that_are_named_exist() -> None:
    seen = set()
    for file, code in quoted():
        for owner, name in re.findall(r"(?<![\w./])([a-z_]\w*)\.(\w+)", code):
            if owner in OWNERS and name == name.lower():  # the original's names are no others
                assert any(hasattr(each, name) for each in OWNERS[owner]), f"{file}: {code}"
                seen.add(owner)
    assert seen == OWNERS.keys()


def test_the_functions_that_are_named_exist() -> None:
    known = OTHERS.union(*(dir(each) for owners in OWNERS.values() for each in owners))
    for file, code in quoted():
        for name in re.findall(r"(?<![\w.\"'/@<-])([A-Za-z_]\w*)\(", code):
            assert name in known or re.search("[a-z][A-Z]", name), f"{file}: {code}"


def test_all_that_opens_a_module_takes_its_allocator() -> None:
    changes = " ".join((ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split())
    assert "`malloc=` and `free=` as names or functions wherever a module is opened" in changes
    taken = {"malloc", "free", "sized_free", "aligned", "wrap_only"}
    for name in ("wrap_emscripten_module_heap", "wrap_wasm_instance", "load_wasm"):
        assert taken <= inspect.signature(getattr(emheap, name)).parameters.keys(), name


def test_the_numbers_of_the_changes() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert len(scalar_types) == 14
    assert "Fourteen scalar types" in text
    assert len(ABIS) == 10
    assert len(re.findall("ten ABIs", text)) == 2


def test_the_numbers_of_the_tests() -> None:
    text = MEASURED.read_text(encoding="utf-8")
    assert not LONG, "the numbers are those of the usual run"
    verbs = sum(map(len, test_stealing_threads.VERBS.values()))
    kinds = len(test_soak.KINDS)
    for words in (
        f"in {IN_WORDS[len(SCENARIOS)]} programs that allocate",
        f"| {test_corruption.OVERRUNS:,} on the heap of the process, {test_corruption.FEWER} on",
        f"| {test_corruption.CLEAN:,} operations on every heap |",
        f"| {len(test_debug_heap.ACCESSES)} ways on every heap |",
        f"| {test_threads.THREADS} threads allocate, hand blocks",
        f"heap of the process, 0.5 s on {IN_WORDS[len(test_threads.KINDS) - 1]} more |",
        f"| {test_stealing_threads.THREADS} threads use blocks that the others free, by {verbs} ",
        f"| 1.5 s on each of {IN_WORDS[len(test_stealing_threads.KINDS)]} heaps |",
        f"| {test_threads.ROUNDS:,} rounds of `free` on the heap of the process, "
        f"{test_threads.ROUNDS // 10:,} of the others",
        f"| {test_soak.OPERATIONS:,} operations |",
        f"| {len(test_soak.OPERATION_KINDS)} kinds of operation, {test_soak.REPEATED} times each, "
        f"on {kinds} heaps natively and 5 in Pyodide |",
    ):
        assert words in text, words


IN_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


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


def test_how_warnings_of_dropped_blocks_are_shown(tmp_path: Path) -> None:
    leaks = (DOCS / "leaks.md").read_text(encoding="utf-8")
    assert "`python -X dev` shows them, and so does `-W default::ResourceWarning`" in leaks
    program = (
        "import emheap\nheap = emheap.open()\ndef test_it():\n    heap.alloc(emheap.int32, 5)\n"
    )
    (tmp_path / "test_dropping.py").write_text(program + "test_it()\n", encoding="utf-8")
    alone, in_pytest = ["test_dropping.py"], ["-m", "pytest", "-p", "no:cacheprovider"]
    warned = ["-W", "default::ResourceWarning"]
    shown = [
        "dropped and not freed" in _output_of(options, tmp_path)
        for options in (
            alone,
            ["-X", "dev", *alone],
            [*warned, *alone],
            in_pytest,
            ["-X", "dev", *in_pytest],
            [*in_pytest, *warned],
        )
    ]
    assert shown == [False, True, True, False, True, True]


def _output_of(options: list[str], folder: Path) -> str:
    """What a Python with these options prints, and none that the environment gives it."""
    environment = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


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


TESTS = re.findall(r"`((?:\w+=\w+ )?pytest emtests[^`]*)`", MEASURED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", TESTS)
def test_a_command_that_is_named_selects_tests(command: str) -> None:
    """An expression after ``-k`` that selects nothing would promise what nobody tries."""
    before, _, after = command.partition("pytest ")
    variables = dict(word.split("=") for word in before.split())
    place, *options = shlex.split(after)
    # To collect all tests takes half a minute; what selects some of a folder selects some of all.
    place = "emtests/heap" if place == "emtests" else place
    done = subprocess.run(
        [sys.executable, "-m", "pytest", place, *options, "--collect-only", "-q"],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr  # 5 where none was selected
    assert re.search(r"^emtests/.+::test_", done.stdout, re.MULTILINE), done.stdout


def test_the_commands_of_tests_are_found() -> None:
    assert len(TESTS) > 20
    assert "pytest emtests/calls/programs" in TESTS


def test_the_paths_that_are_named_exist() -> None:
    for name, text in texts():
        for path in re.findall(r"`((?:emheap|emtests|pyodide_demo|\.github)/[\w./]+)`", text):
            if path.startswith(".github/") and not (ROOT / ".github").is_dir():
                continue  # only a checkout has it
            assert (ROOT / path).exists(), f"{name}: {path}"


def test_the_programs_run_where_their_page_says() -> None:
    """Each row is of the tests below the comment that names its program."""
    tests = inspect.getsource(test_programs)
    titles = re.findall(r"(?m)^# (.+)$", tests)
    page = (DOCS / "library_programs.md").read_text(encoding="utf-8")
    rows = page.partition("| program |")[2].partition("\n\n")[0].splitlines()[2:]
    for title, row, tested in zip(titles, rows, re.split(r"(?m)^# .+$", tests)[1:], strict=True):
        name, native, wasm, module = (cell.strip() for cell in row.strip("|").split("|"))
        assert f"[{title.lower()}]" in name.lower()
        library = re.match("`(.+)`", native)
        compiled = "open_compiled" if native.startswith("compiled") else "Opened(emheap.open())"
        assert (f'open_shared("{library[1]}")' if library else compiled) in tested, name
        file = re.match(r"`(.+?)`", wasm)
        assert (f'open_wasm(find_program("{file[1]}"))' if file else "open_wasm(") in tested, name
        assert ("open_module(" in tested) == bool(module), name


def test_what_a_memory_must_do() -> None:
    guide = ROOT / ".github" / "CONTRIBUTING.md"
    if not guide.is_file():
        skip_for_gap("the steps for contributors", "only a checkout has .github")
    sentence = guide.read_text(encoding="utf-8").partition("Its abstract methods")[2].partition(".")
    assert set(re.findall(r"`(\w+)`", sentence[0])) == emheap.Memory.__abstractmethods__
