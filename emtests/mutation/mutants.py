"""Small changes that make the code wrong: comparisons, arithmetic, constants, dropped calls."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["Mutant", "find_mutants"]

_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True)
class Mutant:
    """One change to one file."""

    path: Path
    function: str
    """Where it is, as in `Class.method`."""
    line: int
    statement: range
    """The lines of its statement, without those of the statements within."""
    before: str
    after: str
    start: int
    end: int
    """The bytes of the file that are replaced."""
    number: int = 1
    alike: int = 1
    """Which of those whose change reads the same, and how many there are."""

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.end :]

    def key(self, root: Path) -> str:
        """What it is, without its line, which moves."""
        which = f", {self.number} of {self.alike}" if self.alike > 1 else ""
        return f"{self.change(root)}{which}"

    def change(self, root: Path) -> str:
        """What it changes; one function may have several that read the same."""
        place = self.path.relative_to(root).as_posix()
        return f"{place} {self.function}: {_in_one_line(self.before)} -> {_in_one_line(self.after)}"


def find_mutants(path: Path) -> list[Mutant]:
    """Every mutant of a file. What only type checkers read has none."""
    source = path.read_text(encoding="utf-8")
    mutants = [*_Finder(path, source).visit_body(ast.parse(source), "", range(0))]
    alike = Counter(mutant.change(path.parent) for mutant in mutants)
    seen: Counter[str] = Counter()
    numbered = []
    for mutant in mutants:
        change = mutant.change(path.parent)
        seen[change] += 1
        numbered.append(replace(mutant, number=seen[change], alike=alike[change]))
    return numbered


class _Finder:
    def __init__(self, path: Path, source: str) -> None:
        self._path = path
        self._source = source
        # Columns of the syntax tree count bytes.
        self._lines = [0]
        for line in source.encode().splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def visit_body(self, parent: ast.AST, function: str, lines: range) -> Iterator[Mutant]:
        for child in _executed(parent):
            name, own = function, lines
            if isinstance(child, ast.stmt):
                own = _own_lines(child)
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = f"{function}.{child.name}".lstrip(".")
            for changed in _changes(child):
                # Module level has constants and the table of types; its `|` makes types.
                if function or not _is_union(child):
                    yield from self._mutant(child, changed, name, own)
            yield from self.visit_body(child, name, own)

    def _mutant(
        self, node: ast.AST, changed: ast.AST | None, function: str, lines: range
    ) -> Iterator[Mutant]:
        before = ast.get_source_segment(self._source, node) or ""
        if not _is_source_of(before, node):
            return  # inside an f-string older Pythons do not know where a node is
        assert isinstance(node, (ast.expr, ast.stmt))
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        after = "pass" if changed is None else ast.unparse(changed)
        if isinstance(node, ast.expr):
            after = f"({after})"
        start = self._lines[node.lineno - 1] + node.col_offset
        end = self._lines[node.end_lineno - 1] + node.end_col_offset
        yield Mutant(self._path, function, node.lineno, lines, before, after, start, end)


def _own_lines(statement: ast.stmt) -> range:
    assert statement.end_lineno is not None
    within = getattr(statement, "body", None)
    end = within[0].lineno if within else statement.end_lineno + 1
    return range(statement.lineno, max(end, statement.lineno + 1))


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """The children that run: no annotations, no `if TYPE_CHECKING`, no overloads, no f-strings."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_left_alone(child):
                yield child


def _is_left_alone(node: ast.AST) -> bool:
    """Whether it is for type checkers only, or in a text where Python 3.11 finds no places."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return any(ast.unparse(each) == "overload" for each in node.decorator_list)
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("cast", "TypeVar", "NewType")
    return isinstance(node, ast.JoinedStr)


def _changes(node: ast.AST) -> Iterator[ast.AST | None]:
    """The wrong forms of one node; None is a statement left out."""
    if isinstance(node, ast.Constant):
        yield from _other_constants(node.value)
    elif isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            changed = copy.deepcopy(node)
            changed.ops[index] = _OPERATORS[type(operator)]()  # type: ignore[call-overload]
            yield changed
    elif isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)):
        if type(node.op) in _OPERATORS:
            other = copy.deepcopy(node)
            other.op = _OPERATORS[type(node.op)]()  # type: ignore[assignment]
            yield other
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield None


def _other_constants(value: object) -> Iterator[ast.AST]:
    if type(value) is bool:
        yield ast.Constant(not value)
    elif type(value) is int:
        yield ast.Constant(value + 1)


def _is_union(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)


def _is_source_of(segment: str, node: ast.AST) -> bool:
    try:
        parsed = ast.parse(f"({segment}\n)" if isinstance(node, ast.expr) else segment).body[0]
    except SyntaxError:
        return False
    found: ast.AST = parsed
    if isinstance(node, ast.expr) and isinstance(parsed, ast.Expr):
        found = parsed.value
    return ast.unparse(found) == ast.unparse(node)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
