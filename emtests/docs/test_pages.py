"""Every Python block of the documentation, and of the README, does what it says."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import sys
import textwrap
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap.blocks.options import Options
from emheap.heap.flat_names import FLAT_NAMES
from emheap.types import c_types, scalar_types, text_types, wide_types
from emtests.conftest import skip_for_gap
from emtests.ecosystem.versions import STATED
from pyodide_demo.docs_blocks import DOCS, Block, blocks_of, pages

_FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
_ROOT = DOCS.parent.parent
_BLOCKS = [block for page in pages() for block in blocks_of(page)]


def _run(blocks: list[Block]) -> None:
    """Run blocks one after the other, in one namespace."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=_FLAGS)
    parser = doctest.DocTestParser()
    for block in blocks:
        test = parser.get_doctest(block.code, scope, block.name, str(block.page), block.line - 1)
        test.globs = scope  # and not a copy, for functions look for names in theirs
        for example in test.examples:
            _expect_its_message(example)
        runner.run(test, clear_globs=False)
    assert not runner.failures


def _expect_its_message(example: doctest.Example) -> None:
    """Compare an error's message, too, as far as it is shown, where the module is not.

    The examples ask doctest to ignore both, so that a reader's own doctest takes any address.
    """
    if example.options.pop(doctest.IGNORE_EXCEPTION_DETAIL, False) and example.exc_msg:
        shown = re.sub(r"\b0x[0-9a-f]+", "0x...", example.exc_msg.rstrip("\n"))
        example.exc_msg = f"...{shown}...\n"


def _skip_without(needed: str) -> None:
    if needed == "native":
        if sys.platform == "emscripten":
            skip_for_gap("a native example", "Pyodide has no processes, threads or other libraries")
    elif needed == "pyodide":
        if find_spec("pyodide_js") is None:
            skip_for_gap("an example with JavaScript", "only Pyodide has it")
    elif needed == "wasm":
        if sys.platform != "emscripten":
            _skip_without("wasmtime")
    elif find_spec(needed) is None:
        skip_for_gap(f"an example with {needed}", "it is not installed")


def test_the_blocks_of_the_readme_do_what_they_say() -> None:
    """pytest reads them as well; here the messages of their errors are compared, too."""
    _run([block._replace(code=block.code + "\n") for block in blocks_of(_ROOT / "README.md")])


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_the_blocks_of_a_page_do_what_they_say(page: Path) -> None:
    _run([block for block in blocks_of(page) if not block.needs])


@pytest.mark.parametrize(
    "block", [block for block in _BLOCKS if block.needs], ids=lambda block: block.name
)
def test_a_block_that_needs_more_stands_alone(block: Block) -> None:
    for needed in block.needs:
        _skip_without(needed)
    _run([block])


@pytest.mark.parametrize("block", _BLOCKS, ids=lambda block: block.name)
def test_every_python_block_is_a_session(block: Block) -> None:
    """So that it is tested: a program that only a browser can run is a file of its own."""
    assert block.code.startswith(">>> "), f"{block.name} has no prompt"


def indented_blocks(text: str) -> list[str]:
    """Those that say no language: commands, headers, what is printed."""
    return [textwrap.dedent(found) for found in re.findall(r"(?m)(?<=\n\n)(?: {4}.*\n)+", text)]


def is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


_NO_NUMPY = "neither PyPI nor npm has numpy for Pyodide, and the page asks no other host"
NATIVE_ONLY: dict[str, list[tuple[tuple[str, ...], str]]] = {
    "c_functions.md": [
        (("cffi",), "neither PyPI nor npm has cffi for Pyodide, and the page asks no other host"),
        (("wasmtime",), "wasmtime is a program of the machine's own; browsers have another engine"),
    ],
    "numpy.md": [
        (("numpy",), _NO_NUMPY),
        (("native", "numpy"), _NO_NUMPY),
        (("numpy",), _NO_NUMPY),
    ],
    "shared_memory.md": [(("native",), "a browser has no processes")],
    "structures.md": [(("numpy",), _NO_NUMPY)],
    "threads.md": [(("native",), "Pyodide starts no threads")],
    "using.md": [(("numpy",), _NO_NUMPY)],
}
"""The blocks without a Run button, by what they need, and why the page cannot have that."""


def test_all_blocks_run_in_the_page_but_those_that_no_browser_can_run() -> None:
    for page in pages():
        native = [block for block in blocks_of(page) if not block.runs_in_page]
        declared = NATIVE_ONLY.get(page.relative_to(DOCS).as_posix(), [])
        assert [block.needs for block in native] == [needs for needs, _ in declared], page.name
        for block, (_, reason) in zip(native, declared, strict=True):
            sys.stdout.write(f"{block.name} has no Run button: {reason}\n")


NEEDED = {(), ("native",), ("numpy",), ("native", "numpy"), ("wasm",), ("wasmtime",)}
NEEDED |= {("cffi",), ("pyodide",)}


def test_no_block_is_passed_over() -> None:
    """What is in Python is in a block that is tested, and nothing in it is left out."""
    assert {block.needs for block in _BLOCKS} == NEEDED
    tutorial = DOCS / "tutorial.md"
    assert "Every example runs here" in tutorial.read_text(encoding="utf-8")
    assert all(block.runs_in_page for block in blocks_of(tutorial))
    for page in [*pages(), _ROOT / "README.md"]:
        text = page.read_text(encoding="utf-8")
        languages = re.findall(r"(?m)^ *`{3,}(\S+)", text)
        known = {"python", "sh", "wat", "{eval-rst}", "{include}", "{literalinclude}", "{toctree}"}
        assert set(languages) <= known, page.name
        assert not [text for text in indented_blocks(text) if is_python(text)], page.name
        tested = "".join(block.code for block in blocks_of(page))
        assert tested.count(">>>") == text.count(">>>"), page.name
        assert "+SKIP" not in text, page.name


@pytest.mark.parametrize("name", ["c_functions.md", "libraries.md"])
def test_a_module_in_hexadecimal_is_the_one_in_text(name: str) -> None:
    if find_spec("wasmtime") is None:
        skip_for_gap("the modules of the documentation", "wasmtime, which reads them, is absent")
    wasmtime = import_module("wasmtime")
    page = (DOCS / name).read_text(encoding="utf-8")
    modules = re.findall(r"(?ms)^```wat\n(.*?)^```", page)
    codes = [block.code for block in blocks_of(DOCS / name) if block.needs == ("wasm",)]
    assert modules
    for module, code in zip(modules, codes, strict=True):
        digits = "".join(re.findall(r'"([0-9a-f]{10,})"', code))
        # The names that the text has for itself come last, in a section that does nothing.
        whole = re.split(rb"(?s)\x00.\x04name", wasmtime.wat2wasm(module))[0]
        assert bytes.fromhex(digits) == whole


def test_the_options_are_listed_with_their_defaults() -> None:
    text = (DOCS / "using.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `(\w+)` \| `([^`]+)` \|", text.partition("## Options")[2])
    listed = {name: ast.literal_eval(default) for name, default in rows}
    options = inspect.signature(Options).parameters
    assert listed == {name: each.default for name, each in options.items()}
    told = dict(re.findall(r"``(\w+)=([^`]+)``", emheap.open.__doc__ or ""))
    assert {name: ast.literal_eval(default) for name, default in told.items()} == listed


def test_the_types_are_listed() -> None:
    text = (DOCS / "using.md").read_text(encoding="utf-8")
    table = text.partition("## Types")[2].partition("A value that")[0]
    named = {name for row in table.splitlines()[4:] for name in re.findall(r"`([a-z]\w+)`", row)}
    public = {
        name
        for name in (*emheap.__all__, "ascii")
        if isinstance(each := getattr(emheap, name), type)
        and issubclass(each, emheap.Type)
        and not name[0].isupper()
    }
    assert named == public


def test_the_types_of_the_flat_names_are_listed() -> None:
    text = (DOCS / "using.md").read_text(encoding="utf-8")
    sentence = text.partition("have none")[0].rpartition("\n\n")[2].rpartition("way to a raw")[2]
    without = set(re.findall(r"`([a-z]\w+)`", sentence))
    assert without == {"boolean", "char", "wchar", "float16"}
    named = {entry.kind for entry in FLAT_NAMES.values()}
    assert named == {*scalar_types, *wide_types, *text_types}
    assert not named & {*c_types}
    in_arrays = {entry.kind for name, entry in FLAT_NAMES.items() if name.endswith("_array")}
    assert in_arrays == {*scalar_types}


def test_every_page_is_in_a_table_of_contents() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    tables = re.findall(r"(?ms)^```\{toctree\}\n(.*?)^```", index)
    lines = [line for table in tables for line in table.splitlines()]
    listed = {line for line in lines if line and not line.startswith(":")}
    found = {page.relative_to(DOCS).with_suffix("").as_posix() for page in pages()}
    assert found - {"index"} == listed


def test_the_readme_is_short() -> None:
    assert len((_ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


def test_the_readme_links_nowhere_that_an_index_lacks() -> None:
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert [target for target in targets if not target.startswith("https://")] == []


def test_the_paths_in_contributing_exist() -> None:
    contributing = _ROOT / ".github" / "CONTRIBUTING.md"
    if not contributing.is_file():
        skip_for_gap("the steps for contributors", "only a checkout has .github")
    named = re.findall(
        r"`((?:emheap|emtests|pyodide_demo|\.ci)/[\w./]*)`", contributing.read_text()
    )
    assert len(named) > 10
    assert [name for name in named if not (_ROOT / name).exists()] == []


@pytest.mark.parametrize("name", STATED)
def test_a_page_states_the_versions_that_were_tried(name: str) -> None:
    stated = (
        (DOCS / name).read_text(encoding="utf-8").partition("*Tried with ")[2].partition(",")[0]
    )
    assert stated == " on ".join(f"{what} {version}" for what, version in STATED[name].items())
