"""What the documentation adds to Sphinx: Run buttons, the flat names, no inline scripts."""

from __future__ import annotations

import doctest
import hashlib
import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

from emheap.heap.flat_names import FLAT_NAMES
from pyodide_demo.docs_blocks import Block, blocks_of, run_together
from pyodide_demo.flat_reference import verbs
from pyodide_demo.policy import DOCS_POLICY

_INLINE_SCRIPT = re.compile(r"<script>(.+?)</script>", re.DOTALL)
_MENDED = (
    # What furo and Sphinx write that a screen reader, or a reader without a mouse, stumbles over.
    ('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
    (
        '<aside class="announcement-content">',
        '<aside class="announcement-content" aria-label="Page">',
    ),
    ('<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="Pages">'),
    ('<aside class="toc-drawer">', '<aside class="toc-drawer" aria-label="On this page">'),
    ("<pre>", '<pre tabindex="0">'),
    ('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
)
_SHORTEST_DESCRIPTION, _LONGEST_DESCRIPTION = 40, 300
_NEEDS = {"native": "native CPython", "numpy": "numpy", "wasmtime": "wasmtime", "cffi": "cffi"}


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("flat-names", FlatNames)
    app.connect("doctree-resolved", add_run_buttons)
    app.connect("autodoc-skip-member", skip_flat_names)
    app.connect("html-page-context", describe_page)
    app.connect("build-finished", tighten_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


# Run buttons


def add_run_buttons(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put a link below every Python block that opens it in the page's console."""
    source = Path(app.env.doc2path(page))
    literal = doctree.findall(nodes.literal_block)
    # Without the programs that are files of their own.
    found = [node for node in literal if node.astext().startswith(">>> ")]
    blocks = list(blocks_of(source))
    if len(found) != len(blocks):
        raise ValueError(f"{page}: {len(blocks)} Python blocks were written, {len(found)} came out")
    root = "../" * (page.count("/") + 1)
    for number, node in enumerate(found):
        place = node.parent if isinstance(node.parent, nodes.container) else node
        index = place.parent.index(place)
        place.parent.insert(index + 1, nodes.raw("", _button(root, blocks, number), format="html"))


def _button(root: str, blocks: Sequence[Block], number: int) -> str:
    block = blocks[number]
    if not block.runs_in_page:
        needed = " and ".join(_NEEDS[each] for each in block.needs)
        return f'<p class="run-note">Needs {needed}, which this site\'s page does not have.</p>'
    code = escape(quote(session(run_together(blocks, number)), safe=""))
    return (
        f'<p class="run"><a href="{root}index.html#console?code={code}&amp;run=1" '
        f'target="emheap-page">Run<span class="run-what"> this example in the page</span></a></p>'
    )


def session(blocks: Sequence[Block]) -> str:
    """What is typed for the last of some blocks that run together, with the prompts and no answers.

    The blocks before it come first, without what raises an error.
    """
    *earlier, last = blocks
    typed: list[str] = []
    for block in earlier:
        typed += (_prompted(each) for each in examples(block) if each.exc_msg is None)
    typed += map(_prompted, examples(last))
    return "".join(typed)


def examples(block: Block) -> list[doctest.Example]:
    """The statements of a block, with what they should answer."""
    return doctest.DocTestParser().get_examples(block.code)


def _prompted(example: doctest.Example) -> str:
    # The comments for doctest mean nothing to a reader who runs it by hand.
    source = re.sub(r" *# doctest:.*", "", example.source)
    first, *rest = source.rstrip("\n").split("\n")
    return "\n".join([f">>> {first}", *(f"... {line}" for line in rest), ""])


# The flat names


class FlatNames(Directive):  # type: ignore[misc] # Sphinx is absent where types are checked
    """Documents every flat name of a heap, from the table that makes them."""

    def run(self) -> list[nodes.Node]:
        """Called by docutils."""
        place = nodes.section()
        place.document = self.state.document
        self.state.nested_parse(StringList(list(_flat_lines()), "flat names"), 0, place)
        return list(place.children)


def _flat_lines() -> Iterator[str]:
    yield from (".. py:currentmodule:: emheap", "")
    for verb in verbs():
        names = [f"HeapManager.{signature}" for signature in verb.signatures]
        yield f".. py:method:: {names[0]}"
        yield from (f"               {name}" for name in names[1:])
        yield from ("", f"   {verb.words}", "")


def skip_flat_names(
    app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object
) -> bool | None:
    """Leave the flat names to their own page."""
    return True if name in FLAT_NAMES else None


# What a search engine shows of a page


def describe_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Give a page the description that its first sentences are."""
    paragraphs = [] if doctree is None else doctree.findall(nodes.paragraph)
    texts = (" ".join(each.astext().split()) for each in paragraphs)
    plain = f"The documentation of emheap: {page}"
    words = next((text for text in texts if len(text) >= _SHORTEST_DESCRIPTION), plain)
    described = escape(words[:_LONGEST_DESCRIPTION])
    others = context.get("metatags", "")
    context["metatags"] = f'{others}<meta name="description" content="{described}">'


# Pages that need no inline script


def tighten_pages(app: Sphinx, problem: Exception | None) -> None:
    """Move inline scripts to files, and say in each page what it may do."""
    if problem is not None or app.builder.name != "html":
        return
    root = Path(app.outdir)
    for path in root.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        up = "../" * (len(path.relative_to(root).parts) - 1)
        text = _tightened(text, root / "_static", f"{up}_static")
        for found, mended in _MENDED:
            text = text.replace(found, mended)
        if path.name == "search.html":
            text = re.sub(r"(<article [^>]*>)", r"\1<h1>Search</h1>", text, count=1)
        path.write_text(text.replace("THE-PAGE", f"{up}../index.html"), encoding="utf-8")


def _tightened(page: str, folder: Path, address: str) -> str:
    def moved(found: re.Match[str]) -> str:
        script = found[1].strip().encode()
        name = f"inline-{hashlib.sha256(script).hexdigest()[:12]}.js"
        (folder / name).write_bytes(script)
        return f'<script src="{address}/{name}"></script>'

    policy = f'<meta http-equiv="Content-Security-Policy" content="{escape(DOCS_POLICY)}">'
    return _INLINE_SCRIPT.sub(moved, page).replace("<head>", f"<head>{policy}", 1)
