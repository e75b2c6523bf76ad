"""The table at the end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from emtests.runtimes.base import Outcome

_HEADER = ("runtime", "passed", "failed", "skipped", "seconds", "")


def table(outcomes: Mapping[str, Outcome]) -> str:
    """One row for each runtime, then the skipped tests by reason, then what went wrong."""
    rows = [_HEADER, *(_row(name, outcome) for name, outcome in outcomes.items())]
    return "\n".join([*_aligned(rows), *_skips(outcomes), *_problems(outcomes), _sum(outcomes)])


def _row(name: str, outcome: Outcome) -> tuple[str, ...]:
    if outcome.missing:
        return (name, "", "", "", "", "not run: " + outcome.missing.splitlines()[0])
    word = "FAILED" if outcome.bad else ""
    counts = (outcome.passed, outcome.failed, len(outcome.skipped), f"{outcome.seconds:.1f}")
    return (name, *map(str, counts), " ".join(filter(None, (word, outcome.note))))


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers, words in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=False)]
        yield "  ".join([name.ljust(widths[0]), *cells, words]).rstrip()


def _skips(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    by_reason: dict[str, Counter[str]] = defaultdict(Counter)
    for name, outcome in outcomes.items():
        for _, reason in outcome.skipped:
            by_reason[reason][name] += 1
    if by_reason:
        yield "\nSkipped, by reason:"
    for reason, counts in by_reason.items():
        yield f"  {reason}"
        yield "    " + ", ".join(f"{name} {count}" for name, count in counts.items())


def _problems(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    for name, outcome in outcomes.items():
        words = outcome.missing or outcome.problem
        if words:
            yield f"\n{name} {'was not run' if outcome.missing else 'failed'}: {words}"


def _sum(outcomes: Mapping[str, Outcome]) -> str:
    passed = sum(outcome.passed for outcome in outcomes.values())
    failed = sum(max(outcome.failed, outcome.bad) for outcome in outcomes.values())
    skipped = sum(len(outcome.skipped) for outcome in outcomes.values())
    return f"\n{passed} passed, {failed} failed, {skipped} skipped"
