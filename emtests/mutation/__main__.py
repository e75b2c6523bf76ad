"""`python -m emtests.mutation`: make random mutants of the library, and see the native tests fail.

Whether a test fails for each of them tells how much the tests notice. A mutant that no test notices
is judged by a person, in a line of ``judged.txt``: it is equivalent, or another row's to notice, or
there is a test to be written.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue

from emtests.mutation.mutants import Mutant, find_mutants
from emtests.mutation.trial import Copy
from pyodide_demo.environment import CHECKOUT

AREAS = (
    "allocators", "backends", "blocks", "calls", "diagnosis", "heap", "memories", "refs",
    "testing", "types", "_util",
)  # fmt: skip
LEAST_PERCENT = 90
_JUDGED = Path(__file__).with_name("judged.txt")


def choose(count: int, seed: int, areas: Sequence[str]) -> list[Mutant]:
    """Random mutants of the files that native Python runs, the same ones for a seed.

    A change to the library changes few of them: each has a random number of its own.
    """
    files = [
        file
        for area in areas
        for file in _files_of(CHECKOUT / "emheap" / area)
        if "javascript" not in file.relative_to(CHECKOUT).as_posix()
    ]

    def random_number(mutant: Mutant) -> bytes:
        return sha256(f"{seed} {mutant.change(CHECKOUT)} {mutant.number}".encode()).digest()

    mutants = [mutant for file in files for mutant in find_mutants(file)]
    return sorted(mutants, key=random_number)[:count]


def _files_of(place: Path) -> list[Path]:
    """The modules of a folder; or a module alone."""
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


def judgements() -> dict[str, str]:
    """What was said of mutants that no native test notices, by their keys."""
    lines = _JUDGED.read_text(encoding="utf-8").splitlines()
    return {key: reason for key, _, reason in (line.rpartition(" | ") for line in lines)}


def outdated_judgements() -> list[str]:
    """Those of mutants that the library no longer has."""
    known = judgements()
    files = {CHECKOUT / key.split(" ", 1)[0] for key in known}
    mutants = [mutant for file in files if file.exists() for mutant in find_mutants(file)]
    return sorted({*known} - {mutant.key(CHECKOUT) for mutant in mutants})


class Trials:
    """Tries mutants out, several at a time, and keeps what it finds out in a folder."""

    def __init__(
        self, results: Path, scratch: Path, jobs: int, limit: float, pytest_arguments: Sequence[str]
    ) -> None:
        self._limit = limit
        self._jobs = jobs
        self._copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(jobs):
            self._copies.put(Copy(scratch / str(number), pytest_arguments))
        self._file = results / "verdicts"
        self._killers = _read_verdicts(self._file)
        print("Looking which test runs which line ...", flush=True)
        with self._a_copy() as copy:
            self._tests = copy.measure(results)

    def try_out(self, mutants: Sequence[Mutant]) -> dict[Mutant, str]:
        """What notices each mutant, and "" where nothing does; printed as it is found out.

        A test that fails without any mutant, too, as some do on a busy machine, notices nothing:
        what it seemed to notice is tried with the other tests.
        """
        trusted: set[str] = set()
        while True:
            with ThreadPoolExecutor(self._jobs) as executor:
                killers = [*executor.map(self._killer_of, mutants)]
            doubtful = {name for name in killers if "::" in name} - trusted
            with self._a_copy() as copy:
                failing = {*copy.failing(sorted(doubtful))} if doubtful else set()
            if not failing:
                return dict(zip(mutants, killers, strict=True))
            print(f"These fail without any mutant: {', '.join(sorted(failing))}", flush=True)
            trusted |= doubtful - failing
            self._tests.leave_out(failing)
            self._killers = {
                name: killer for name, killer in self._killers.items() if killer not in failing
            }

    def _killer_of(self, mutant: Mutant) -> str:
        name = _describe(mutant)
        if name not in self._killers:
            with self._a_copy() as copy:
                self._killers[name] = copy.try_out(mutant, self._tests, self._limit)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{name}\t{self._killers[name]}\n")
            print(f"{self._killers[name] or 'SURVIVED'}\n    {name}", flush=True)
        return self._killers[name]

    @contextmanager
    def _a_copy(self) -> Iterator[Copy]:
        copy = self._copies.get()
        try:
            yield copy
        finally:
            self._copies.put(copy)


def _read_verdicts(file: Path) -> dict[str, str]:
    """What tests notice each mutant that an earlier run tried, and "" where none does."""
    if not file.exists():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    return {name: killer for name, _, killer in (line.partition("\t") for line in lines)}


def main() -> int:
    options, pytest_arguments = _parse()
    mutants = choose(options.count, options.seed, options.areas)
    known = {} if options.judged else judgements()
    tried = [mutant for mutant in mutants if mutant.key(CHECKOUT) not in known]
    with tempfile.TemporaryDirectory() as scratch:
        results = options.results or Path(scratch) / "results"
        results.mkdir(parents=True, exist_ok=True)
        trials = Trials(results, Path(scratch), options.jobs, options.seconds, pytest_arguments)
        killers = trials.try_out(tried)
    failed = _tell([mutant for mutant in mutants if not killers.get(mutant)], len(mutants))
    outdated = outdated_judgements()
    for key in outdated:
        print(f"judged.txt judges what is no longer there: {key}")
    return int(failed or bool(outdated))


def _tell(survivors: Sequence[Mutant], count: int) -> int:
    """Print the outcome; whether nine of ten were noticed, and the others are judged."""
    known = judgements()
    print("\nSurvivors:")
    for mutant in survivors:
        print(f"{_describe(mutant)}\n    {known.get(mutant.key(CHECKOUT), 'not judged yet')}")
    killed = count - len(survivors)
    percent = 100 * killed / count
    print(f"\n{killed} of {count} killed, {percent:.1f} %")
    unjudged = [mutant for mutant in survivors if mutant.key(CHECKOUT) not in known]
    print(f"{len(survivors) - len(unjudged)} survivors are judged, {len(unjudged)} are not")
    return int(percent < LEAST_PERCENT or bool(unjudged))


def _describe(mutant: Mutant) -> str:
    return f"{mutant.key(CHECKOUT)}  (line {mutant.line}, byte {mutant.start})"


def _parse() -> tuple[argparse.Namespace, Sequence[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m emtests.mutation",
        description=__doc__,
        epilog="Every other argument goes to pytest.",
        allow_abbrev=False,
    )
    parser.add_argument("--count", type=int, default=200, help="how many mutants (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default: 1)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default: 2)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=300,
        help="how long the tests for one mutant may take, the shortest first (default: 300)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FOLDER",
        help="keep in this folder which test runs which line and what was tried, and go on from "
        "there; a changed checkout needs another one",
    )
    parser.add_argument(
        "--judged",
        action="store_true",
        help="try those that are judged as well, which count as not noticed otherwise",
    )
    parser.add_argument(
        "--areas",
        nargs="+",
        default=AREAS,
        metavar="AREA",
        help=f"folders and files of emheap (default: {' '.join(AREAS)})",
    )
    return parser.parse_known_args()


if __name__ == "__main__":
    raise SystemExit(main())
