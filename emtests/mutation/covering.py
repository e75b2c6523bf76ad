"""Which tests may notice a mutant: those that run its line, the most telling and shortest first.

After them come those that run other lines of its file, for what the line makes may serve them, as a
property that is compiled once; and those that run code where coverage does not see it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emtests.mutation.mutants import Mutant

__all__ = ["CoveringTests"]

_FIRST = 30
"""How many tests make the first part."""


@dataclass(frozen=True)
class _Test:
    name: str
    seconds: float
    hides: bool
    """Whether it runs code that coverage does not see."""

    @property
    def file(self) -> str:
        return self.name.split("::")[0]

    @property
    def function(self) -> str:
        return self.name.split("[")[0]


class CoveringTests:
    """What one run of all tests under coverage showed."""

    def __init__(self, root: Path, data_file: Path, record: Path) -> None:
        import coverage  # which needs sqlite3; where tests only look at mutants there may be none

        self._root = root
        self._data = coverage.CoverageData(str(data_file))
        self._data.read()
        tests = json.loads(record.read_text(encoding="utf-8"))
        self._tests = {name: _Test(name, *rest) for name, rest in tests.items()}
        self._hiding = [test for test in self._tests.values() if test.hides]

    def leave_out(self, names: Iterable[str]) -> None:
        """Never choose these tests, for they fail without any mutant."""
        for name in names:
            self._tests.pop(name, None)
        self._hiding = [test for test in self._hiding if test.name in self._tests]

    def of(self, mutant: Mutant, limit: float) -> Iterator[tuple[Sequence[str], float]]:
        """Names of tests that may notice a mutant, of `limit` seconds in all, and their seconds.

        They come in two parts, so that most mutants need the first only.
        """
        place = mutant.path.relative_to(self._root)
        running = self._running(mutant)
        functions = {test.function for test in running}
        sharing = _one_of_each_function(
            test for test in self._sharing(mutant) if test.function not in functions
        )
        hiding = {*self._hiding} - running - {*sharing}
        candidates = (*_ranked(running, place), *_ranked(sharing, place), *_ranked(hiding, place))
        chosen = []
        for test in candidates:
            if test.seconds < limit:
                limit -= test.seconds
                chosen.append(test)
        for part in (chosen[:_FIRST], chosen[_FIRST:]):
            if part:
                yield [test.name for test in part], sum(test.seconds for test in part)

    def _running(self, mutant: Mutant) -> set[_Test]:
        """The tests that run the statement of a mutant."""
        contexts = self._contexts(mutant)
        running = {name for line in mutant.statement for name in contexts.get(line, ())}
        if "" in running:
            # It runs when the file is imported, or once for all: who uses what it made is not seen.
            return self._sharing(mutant)
        return {self._tests[name] for name in running if name in self._tests}

    def _sharing(self, mutant: Mutant) -> set[_Test]:
        """The tests that run any line of a mutant's file."""
        names = {name for names in self._contexts(mutant).values() for name in names}
        return {self._tests[name] for name in names if name in self._tests}

    def _contexts(self, mutant: Mutant) -> dict[int, list[str]]:
        place = mutant.path.relative_to(self._root).as_posix()
        return self._data.contexts_by_lineno(place)


def _ranked(tests: Collection[_Test], place: Path) -> list[_Test]:
    """One test for each function comes first, those of the folder that mirrors the code before.

    The tests of one file stand together, for what they share is made once for them.
    """
    firsts = _one_of_each_function(tests)
    others = {*tests} - {*firsts}
    mirror = "/".join(("emtests", *place.parts[1:-1]))
    return [*_by_file(firsts, mirror), *_by_file(others, mirror)]


def _one_of_each_function(tests: Iterable[_Test]) -> list[_Test]:
    shortest: dict[str, _Test] = {}
    for test in sorted(tests, key=lambda test: (test.seconds, test.name)):
        shortest.setdefault(test.function, test)
    return [*shortest.values()]


def _by_file(tests: Collection[_Test], mirror: str) -> list[_Test]:
    seconds: defaultdict[str, float] = defaultdict(float)
    for test in tests:
        seconds[test.file] += test.seconds
    return sorted(
        tests,
        key=lambda test: (
            not test.file.startswith(f"{mirror}/"),
            seconds[test.file],
            test.file,
            test.seconds,
            test.name,
        ),
    )
