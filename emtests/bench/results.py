"""A row with its figures, and the table that is printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emtests.bench.measuring import Figures

_HEADER = ("work", "peer", "ours", "peer's", "ratio", "quartiles", "limit", "verdict")
_LEFT = (0, 1, 7)


@dataclass(frozen=True)
class Result:
    """A row of the table."""

    work: str
    peer: str
    limit: float | None
    """The ratio aimed at, if there is one."""
    figures: Figures

    @property
    def verdict(self) -> str:
        """One word for the ratio and its limit."""
        if self.limit is None:
            return ""
        return "within" if self.figures.ratio <= self.limit else "over"

    def allowed(self, allowance: float) -> Result:
        """The same row with its limit multiplied."""
        return replace(self, limit=self.limit and self.limit * allowance)

    def as_json(self) -> dict[str, Any]:
        """For programs; `from_json` takes it back."""
        figures = self.figures
        return {
            "work": self.work,
            "peer": self.peer,
            "limit": self.limit,
            "ratio": figures.ratio,
            "unit": figures.unit,
            "rounds": figures.rounds,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Result:
        """What `as_json` gave."""
        figures = Figures([tuple(each) for each in values["rounds"]], values["unit"])
        return cls(values["work"], values["peer"], values["limit"], figures)

    def with_rounds_of(self, other: Result) -> Result:
        """The same row with the rounds of another process as well."""
        figures = Figures([*self.figures.rounds, *other.figures.rounds], self.figures.unit)
        return replace(self, figures=figures)


def table(results: Iterable[Result]) -> str:
    """Rows with aligned columns; times are of one operation."""
    cells = [_HEADER, *map(_cells, results)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(_line(row, widths) for row in cells)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if index in _LEFT else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def _cells(result: Result) -> tuple[str, ...]:
    figures = result.figures
    low, _, high = figures.quartiles
    return (
        result.work,
        result.peer,
        _quantity(figures.ours, figures.unit),
        _quantity(figures.theirs, figures.unit),
        _ratio(figures.ratio),
        f"{_ratio(low)}-{_ratio(high)}",
        "" if result.limit is None else f"{result.limit:g}",
        result.verdict,
    )


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.4f}"


def _quantity(amount: float, unit: str) -> str:
    return f"{amount:,.1f} {unit}" if amount < 100 else f"{amount:,.0f} {unit}"
