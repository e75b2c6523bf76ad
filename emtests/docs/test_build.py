"""The documentation as Sphinx builds it: complete, its links hold, and it fetches nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import emheap
import emheap.allocators.base
import emheap.c
import emheap.memories.base
import emheap.testing
from emheap.heap.flat_names import FLAT_NAMES
from emtests.conftest import skip_for_gap
from emtests.test_structure import PUBLIC
from pyodide_demo.docs_blocks import DOCS, blocks_of, pages
from pyodide_demo.environment import EnvironmentProblem, build_documentation
from pyodide_demo.policy import DOCS_POLICY

pytestmark = pytest.mark.once

LINKS_OUTSIDE = {
    "https://github.com/pradyunsg/furo",
    "https://www.npmjs.com/package/wasm-heap-manager",
}
"""Those that somebody has looked at, for tests have no network to follow them."""


class _Page(HTMLParser):
    """What the tests ask of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.names: set[str] = set()
        self.inline_scripts = 0
        self.policy: str | None = None
        self.description = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.names.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in ("script", "img") or (
            tag == "link" and given.get("rel") in ("stylesheet", "icon")
        ):
            self.fetched += [given[name] for name in ("src", "href") if name in given]
        if tag == "script" and "src" not in given:
            self.inline_scripts += given.get("type", "text/javascript") == "text/javascript"
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]
        if given.get("name") == "description":
            self.description = given["content"]


@pytest.fixture(scope="module")
def built() -> dict[Path, _Page]:
    """The pages by their paths."""
    try:
        root = build_documentation(say=print)
    except EnvironmentProblem as problem:
        if "does not build" in str(problem):
            raise
        skip_for_gap("the built documentation", str(problem))
    return {path: _Page(path) for path in sorted(root.rglob("*.html"))}


def _root(built: dict[Path, _Page]) -> Path:
    return min(built, key=lambda path: len(path.parts)).parent


def _documented(root: Path) -> Iterator[str]:
    """The names in Sphinx's inventory: ``emheap.HeapManager.alloc``."""
    head, _, packed = (root / "objects.inv").read_bytes().partition(b"using zlib.\n")
    assert head.startswith(b"# Sphinx inventory version 2")
    for line in zlib.decompress(packed).decode().splitlines():
        name, role = line.split()[:2]
        if role.startswith("py:"):
            yield name


def test_the_reference_has_every_public_name(built: dict[Path, _Page]) -> None:
    documented = set(_documented(_root(built)))
    assert {"emheap.open", "emheap.ascii"} <= documented  # a star import leaves these out
    public = {f"emheap.{name}" for name in emheap.__all__ if name != "__version__"}
    assert public - documented == set()


@pytest.mark.parametrize(
    "module",
    [emheap.c, emheap.testing, emheap.memories.base, emheap.allocators.base],
    ids=lambda module: module.__name__,
)
def test_the_reference_has_every_name_of_a_public_module(
    built: dict[Path, _Page], module: ModuleType
) -> None:
    documented = set(_documented(_root(built)))
    public = {name for name in module.__all__ if name != "is_ours"}  # which is for our classes only
    missing = {
        name for name in public if not {f"{module.__name__}.{name}", f"emheap.{name}"} & documented
    }
    assert missing == set()


def test_the_reference_has_nothing_that_is_not_public(built: dict[Path, _Page]) -> None:
    """Public is what it lists, and no more than that is promised."""
    exported = {name: getattr(emheap, name) for name in [*emheap.__all__, "open", "ascii"]}
    public = {f"emheap.{name}" for name in exported} | PUBLIC - {"emheap"}
    names = [name for name in _documented(_root(built)) if name != "emheap"]
    assert len(names) > 500
    # Sphinx also lists a class by the module that defines it.
    defined = {f"{value.__module__}.{name}" for name, value in exported.items() if callable(value)}
    strange = {name for name in names if not {*_with_its_owners(name)} & (public | defined)}
    assert strange == set()


def _with_its_owners(name: str) -> Iterator[str]:
    """``a.b.c``, ``a.b`` and ``a``."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _members(cls: type[Any]) -> Iterator[str]:
    """The public methods and properties of a class that have a docstring."""
    for base in cls.__mro__:
        for name, value in vars(base).items():
            known = base.__module__.startswith("emheap.") and not name.startswith("_")
            if known and (callable(value) or isinstance(value, property)) and value.__doc__:
                yield name


def test_the_reference_has_every_member(built: dict[Path, _Page]) -> None:
    documented = set(_documented(_root(built)))
    missing = []
    for name in emheap.__all__:
        cls = getattr(emheap, name)
        if not isinstance(cls, type) or issubclass(cls, (emheap.Type, Exception)):
            continue
        for member in _members(cls):
            names = {f"emheap.{base.__name__}.{member}" for base in cls.__mro__}
            if not names & documented:
                missing.append(f"{name}.{member}")
    assert not missing


def test_the_reference_has_every_flat_name(built: dict[Path, _Page]) -> None:
    documented = set(_documented(_root(built)))
    assert {f"emheap.HeapManager.{name}" for name in FLAT_NAMES} - documented == set()


def test_every_link_inside_leads_somewhere(built: dict[Path, _Page]) -> None:
    dead = []
    for path, page in built.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.path in ("../index.html", "../../index.html"):
                continue  # outside, or the page that the documentation lies beside
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = target in built and (
                not parts.fragment or parts.fragment in built[target].names
            )
            if not known and not (target.is_file() and not parts.fragment):
                dead.append(f"{path.name}: {link}")
    assert dead == []


def test_every_link_outside_is_one_that_somebody_looked_at(built: dict[Path, _Page]) -> None:
    links = {link for page in built.values() for link in page.links if urlsplit(link).scheme}
    assert links == LINKS_OUTSIDE


def test_the_pages_fetch_nothing_from_elsewhere(built: dict[Path, _Page]) -> None:
    fetched = {address for page in built.values() for address in page.fetched}
    assert [each for each in fetched if urlsplit(each).netloc or urlsplit(each).scheme] == []


def test_the_pages_say_what_they_may_do(built: dict[Path, _Page]) -> None:
    assert {page.policy for page in built.values()} == {DOCS_POLICY}
    assert {
        path.name: page.inline_scripts for path, page in built.items() if page.inline_scripts
    } == {}


def test_every_page_has_a_description_of_its_own(built: dict[Path, _Page]) -> None:
    descriptions = [page.description for page in built.values()]
    assert min(map(len, descriptions)) > 20
    assert len(set(descriptions)) == len(descriptions)


def test_every_block_that_the_page_can_run_has_a_button(built: dict[Path, _Page]) -> None:
    root = _root(built)
    for source in pages():
        page = built[root / source.relative_to(DOCS).with_suffix(".html")]
        buttons = [link for link in page.links if "#console?code=" in link]
        assert len(buttons) == sum(block.runs_in_page for block in blocks_of(source)), source.name
        up = "../" * (len(source.relative_to(DOCS).parts))
        assert all(link.endswith("&run=1") for link in buttons)
        assert all(link.startswith(f"{up}index.html#console?code=%3E%3E%3E%20") for link in buttons)
