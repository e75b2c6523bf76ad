"""Every example in the docstrings of emheap does what it says; pytest itself reads the README's."""

from __future__ import annotations

import doctest
import sys

import pytest

import emheap

# pytest's own --doctest-modules would import every file, and some work in Pyodide only. What
# the public names bring is what works here.
for _name in emheap.__all__:
    getattr(emheap, _name)
_MODULES = [name for name in sys.modules if name.partition(".")[0] == emheap.__name__]
_EXAMPLES = [
    example
    for name in sorted(_MODULES)
    for example in doctest.DocTestFinder().find(sys.modules[name], name)
    if example.examples
]


def test_there_are_examples() -> None:
    assert "emheap" in {example.name for example in _EXAMPLES}


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: example.name)
def test_docstring(example: doctest.DocTest) -> None:
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.DocTestRunner(optionflags=flags).run(example, clear_globs=False)
    assert result.attempted
    assert not result.failed
