"""What is said of versions, of vulnerabilities and to contributors is what the project does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

import emheap
import emheap.errors
from emtests.conftest import skip_for_gap
from emtests.runtimes.command_line import all_runtimes
from emtests.runtimes.interpreters import SUPPORTED
from emtests.runtimes.node import PyodideInNode
from emtests.runtimes.pyodide_releases import NEWEST, RELEASES
from emtests.runtimes.selection import NOT_SLOW
from emtests.test_structure import PUBLIC
from pyodide_demo.docs_blocks import DOCS

pytestmark = pytest.mark.once

ROOT = DOCS.parent.parent


def text_of(name: str) -> str:
    """The text of a file of the project, with one space for each break of a line."""
    file = ROOT / name
    if not file.is_file():
        skip_for_gap(f"what {name} says", "only a checkout has it")
    return re.sub(r"\s+", " ", file.read_text(encoding="utf-8"))


VERSIONS = "pyodide_demo/docs/versions.md"


# Releases


def test_the_numbers_of_releases() -> None:
    assert "numbers its releases `major.minor.patch`" in text_of(VERSIONS)
    assert re.fullmatch(r"\d+\.\d+\.\d+", emheap.__version__)
    assert f'version = "{emheap.__version__}"' in text_of("pyproject.toml")


def test_what_is_said_while_nothing_is_released() -> None:
    """Whoever makes the first release finds here the sentences that are untrue from then on."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (heading,) = re.findall(r"(?m)^## (.*)$", changes)
    assert heading == f"{emheap.__version__} (unreleased)"
    assert "\nThe first release. It has:\n" in changes
    for name, sentence in {
        VERSIONS: f"No release has been made yet; {emheap.__version__} will be the first.",
        "README.md": "No package index has emheap yet.",
        "pyodide_demo/docs/pyodide.md": "No package index has emheap yet.",
        ".github/SECURITY.md": "in the newest release once there is one",
    }.items():
        assert sentence in text_of(name)


def test_no_public_address_is_named_while_there_is_none() -> None:
    assert "The project has no public address yet" in text_of(".github/SECURITY.md")
    urls = text_of("pyproject.toml").partition("[project.urls]")[2].partition("[project.")[0]
    assert "# The project has no public address yet" in text_of("pyproject.toml")
    assert re.findall(r'(?:^| )"?([\w ]+?)"? = "http', urls) == ["Interface by", "Pyodide"]


# What is public


def test_the_public_modules_and_names() -> None:
    said = text_of(VERSIONS).partition("*Public* is")[2].partition("Every other module")[0]
    modules = set(re.findall(r"`(emheap\.[a-z.]+)`", said)) - {"emheap.open", "emheap.ascii"}
    assert modules | {"emheap"} == PUBLIC
    for name in PUBLIC:
        module = import_module(name)
        assert all(hasattr(module, each) for each in module.__all__), name
    assert callable(emheap.open)
    assert "`emheap.open` and `emheap.ascii`" in said
    assert not {"open", "ascii"} & {*emheap.__all__}
    assert 'emheap = "emheap.pytest_plugin"' in text_of("pyproject.toml")


def test_the_classes_of_exceptions_are_public() -> None:
    assert "The classes of exceptions are public" in text_of(VERSIONS)
    classes = {
        name
        for name, value in vars(emheap.errors).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    assert classes == {*emheap.errors.__all__}
    assert classes <= {*emheap.__all__}
    # One of the package's own stays within it, or is caught as the public class that it is.
    for private in _subclasses(emheap.HeapError):
        if private.__module__.partition(".")[0] == "emheap":
            assert classes & {each.__name__ for each in private.__mro__} - {"HeapError"}


def _subclasses(cls: type[BaseException]) -> set[type[BaseException]]:
    below = cls.__subclasses__()
    return {*below}.union(*map(_subclasses, below))


# Where it is tested


def rows_of_ci() -> Sequence[str]:
    script = ROOT / ".ci" / "run"
    if not script.is_file():
        skip_for_gap("what a change must pass", "only a checkout has .ci")
    text = script.read_text(encoding="utf-8")
    assert '--only "$rows" --require "$rows"' in text
    return ",".join(re.findall(r"(?m)^rows\+?=,?(.+)$", text)).split(",")


def test_the_pythons_that_are_tested() -> None:
    rows = rows_of_ci()
    said = text_of(VERSIONS).partition("**Pythons**: ")[2].partition(" None is meant")[0]
    first, last = re.findall(r"CPython (3\.\d+) to (3\.\d+) now", said)[0]
    supported = [version for version in SUPPORTED if not version.endswith("t")]
    assert (first, last) == (supported[0], supported[-1])
    by_change, by_machine = said.partition(" now. ")[2].split("; `python -m emtests` also ")
    native = [row.removeprefix("cpython") for row in rows if row.startswith("cpython")]
    assert re.findall(r"\b3\.\d+t?", by_change) == [*native, "3.14"]
    assert "and 3.14 as Pyodide 314 has it" in by_change
    others = [version for version in SUPPORTED if version not in native]
    assert sorted(re.findall(r"\b3\.\d+t?", by_machine)) == sorted(others)
    assert {f"cpython{version}" for version in SUPPORTED} <= all_runtimes().keys()
    guide = text_of(".github/CONTRIBUTING.md")
    listed = f"{', '.join(native[:-1])} and {native[-1]}"
    assert f"every test of CPython {listed} and of Pyodide {NEWEST.series} under Node" in guide


def test_the_pyodides_that_are_tested() -> None:
    in_node = {row for row in all_runtimes().values() if isinstance(row, PyodideInNode)}
    assert {row.release for row in in_node} == {*RELEASES}
    said = text_of(VERSIONS)
    assert f"`.ci/run` tests {NEWEST.series}, and `python -m emtests` the others" in said
    by_change = [row for row in rows_of_ci() if row.startswith("pyodide")]
    assert by_change == [f"pyodide{NEWEST.series}-node"]
    assert NEWEST.pytest_arguments == ()
    assert NOT_SLOW == ("-m", "not slow")


def test_the_types() -> None:
    assert "the package is typed, and checked with mypy's strict mode and pyright" in text_of(
        VERSIONS
    )
    project = text_of("pyproject.toml")
    assert "[tool.mypy] strict = true" in project
    assert '"Typing :: Typed"' in project
    assert Path(emheap.__file__).with_name("py.typed").is_file()
    assert {"types", "lint"} <= {*rows_of_ci()}
    checks = import_module("emtests.runtimes.checks").TYPES
    assert [command for command in checks.commands if len(command) == 1] == [["mypy"], ["pyright"]]


# Vulnerabilities

TRIED = {
    "a reference, a view or an arena that reads or writes bytes outside its block": (
        ("hostile.test_misuse", "test_misuse_is_refused_and_changes_nothing"),
        ("hostile.test_misuse", "test_misuse_of_an_arena"),
        ("hostile.test_readme_table", "test_a_mistake_raises_what_the_table_says"),
        ("hostile.test_docstring_errors", "test_it_raises_what_its_docstring_says"),
        ("hostile.test_stolen_blocks", "test_a_block_taken_away_at_every_call"),
    ),
    "a value, a size or an index that gets past a check": (
        ("hostile.test_misuse", "test_misuse_is_refused_and_changes_nothing"),
        ("types.test_strings", "test_an_embedded_null_is_refused"),
        ("types.test_strings", "test_capacity_counts_elements_without_the_terminator"),
    ),
    "a module or a buffer that makes emheap itself read or write outside": (
        ("allocators.test_failing_allocators", "test_an_address_outside_the_memory_is_given_back"),
        ("calls.test_wasi", "test_a_module_has_nothing_read_or_written_outside_of_its_memory"),
        ("memories.test_polling", "test_what_is_outside_the_latest_buffer_too_raises"),
    ),
    "the demonstration's server answering with a file that is no part of the site": (
        ("demo.test_server", "test_nothing_else_of_the_machine_is_served"),
        ("demo.test_server", "test_it_listens_on_loopback_alone"),
    ),
}
"""What a vulnerability is, as it begins, and the tests that look for one."""


def test_what_is_a_vulnerability_is_looked_for() -> None:
    text = text_of(".github/SECURITY.md")
    kinds = text.partition("- ")[2].partition(" Please report")[0].split(" - ")
    assert len(kinds) == len(TRIED)
    for kind, (begins, tests) in zip(kinds, TRIED.items(), strict=True):
        assert kind.startswith(begins)
        for module, name in tests:
            assert callable(getattr(import_module(f"emtests.{module}"), name))
