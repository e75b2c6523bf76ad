"""The mutants themselves: what is changed, and what is left alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from emtests.mutation import __main__ as command
from emtests.mutation.mutants import find_mutants
from pyodide_demo.environment import CHECKOUT

SOURCE = '''
from typing import TYPE_CHECKING, overload
if TYPE_CHECKING:
    LIMIT = 1 + 1
Union = int | str
class Room:
    """Not 1 + 1."""
    @overload
    def take(self, count: int | None = 3) -> int: ...
    def take(self, count: int | None = 3) -> bool:
        # \u00e9: columns count bytes
        name = "\u00e9"; free = count + 1
        self.note(count)
        if not free and self.open is True:
            return name == f"{count}"
        return self.mask | free > 0
'''


STATEMENTS = """\
def take(count: int = 3) -> int:
    if (
        count > 5
    ):
        count = 6
    return -(
        7
    )
"""


def test_mutants_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "room.py"
    file.write_text(SOURCE, encoding="utf-8")
    mutants = find_mutants(file)
    assert sorted(mutant.key(tmp_path) for mutant in mutants) == sorted(
        f"room.py Room.take: {change}"
        for change in (
            "3 -> (4)",
            "1 -> (2)",
            "count + 1 -> (count - 1)",
            "self.note(count) -> pass",
            "not free and self.open is True -> (not free or self.open is True)",
            "not free -> (free)",
            "self.open is True -> (self.open is not True)",
            "True -> (False)",
            "name == f\"{count}\" -> (name != f'{count}')",
            "self.mask | free > 0 -> (self.mask | free >= 0)",
            "self.mask | free -> (self.mask & free)",
            "0 -> (1)",
        )
    )
    for mutant in mutants:
        changed = mutant.apply(file.read_bytes()).decode()
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(SOURCE))


def test_the_lines_of_a_statement(tmp_path: Path) -> None:
    file = tmp_path / "room.py"
    file.write_text(STATEMENTS, encoding="utf-8")
    found = {mutant.before: mutant.statement for mutant in find_mutants(file)}
    assert found == {
        "3": range(1, 2),
        "count > 5": range(2, 5),
        "5": range(2, 5),
        "6": range(5, 6),
        "7": range(6, 9),
    }


def test_changes_that_read_the_same_are_numbered(tmp_path: Path) -> None:
    file = tmp_path / "room.py"
    file.write_text("def take() -> int:\n    return 1 - 1 + 2\n", encoding="utf-8")
    assert [(mutant.key(tmp_path), mutant.line) for mutant in find_mutants(file)] == [
        ("room.py take: 1 - 1 + 2 -> (1 - 1 - 2)", 2),
        ("room.py take: 1 - 1 -> (1 + 1)", 2),
        ("room.py take: 1 -> (2), 1 of 2", 2),
        ("room.py take: 1 -> (2), 2 of 2", 2),
        ("room.py take: 2 -> (3)", 2),
    ]


def test_a_seed_chooses_the_same_mutants_each_time() -> None:
    first = command.choose(20, 1, ["_util"])
    assert first == command.choose(20, 1, ["_util"])
    assert first[:10] == command.choose(10, 1, ["_util"])
    assert first != command.choose(20, 2, ["_util"])


@pytest.mark.parametrize(
    ("survivors", "judged", "code"), [(0, 0, 0), (1, 1, 0), (1, 0, 1), (2, 1, 1), (2, 2, 1)]
)
def test_nine_of_ten_are_noticed_and_the_others_are_judged(
    survivors: int, judged: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutants = command.choose(survivors, 1, ["_util"])
    known = {mutant.key(CHECKOUT): "equivalent" for mutant in mutants[:judged]}
    monkeypatch.setattr(command, "judgements", lambda: known)
    assert command._tell(mutants, 10) == code


def test_what_is_judged_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command.outdated_judgements() == []
    gone = "emheap/_util/checks.py check_nothing: 1 -> (2)"
    monkeypatch.setattr(command, "judgements", lambda: {gone: "equivalent"})
    assert command.outdated_judgements() == [gone]
