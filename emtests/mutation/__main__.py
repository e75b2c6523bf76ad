"""`python -m emtests.mutation`: make random mutants of the library, and see the native tests fail.

Whether a test fails for each of them tells how much the tests notice. A mutant that no test notices
is judged by a person, in a line of ``judged.txt``: it is equivalent, or another row's to notice, or
there is a test to be written.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue

from emtests.mutation.mutants import Mutant, find_mutants
from emtests.mutation.trial import Copy, Verdict
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
        for file in sorted((CHECKOUT / "emheap" / area).rglob("*.py"))
        if "javascript" not in file.relative_to(CHECKOUT).as_posix()
    ]
    seen: Counter[str] = Counter()

    def random_number(mutant: Mutant) -> bytes:
        key = mutant.key(CHECKOUT)
        seen[key] += 1
        return sha256(f"{seed} {key} {seen[key]}".encode()).digest()

    mutants = [mutant for file in files for mutant in find_mutants(file)]
    return sorted(mutants, key=random_number)[:count]


def judgements() -> dict[str, str]:
    """What was said of mutants that no native test notices, by their keys."""
    lines = _JUDGED.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" | ", 1) for line in lines if " | " in line)


def try_out(
    mutants: Sequence[Mutant], jobs: int, limit: float, pytest_arguments: Sequence[str]
) -> list[Verdict]:
    """The verdicts, each printed as it comes."""
    with tempfile.TemporaryDirectory() as scratch:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(jobs):
            copies.put(Copy(Path(scratch) / str(number), pytest_arguments))
        copy = copies.get()
        print("Looking which test runs which line ...", flush=True)
        tests = copy.measure()
        copies.put(copy)

        def try_one(mutant: Mutant) -> Verdict:
            copy = copies.get()
            try:
                verdict = Verdict(mutant, copy.try_out(mutant, tests, limit))
            finally:
                copies.put(copy)
            print(f"{verdict.killer or 'SURVIVED'}\n    {_describe(mutant)}", flush=True)
            return verdict

        with ThreadPoolExecutor(jobs) as executor:
            return [*executor.map(try_one, mutants)]


def main() -> int:
    options, pytest_arguments = _parse()
    mutants = choose(options.count, options.seed, options.areas)
    verdicts = try_out(mutants, options.jobs, options.seconds, pytest_arguments)
    survivors = [verdict.mutant for verdict in verdicts if not verdict.killer]
    known = judgements()
    print("\nSurvivors:")
    for mutant in survivors:
        print(f"{_describe(mutant)}\n    {known.get(mutant.key(CHECKOUT), 'not judged yet')}")
    killed = len(verdicts) - len(survivors)
    percent = 100 * killed / len(verdicts)
    print(f"\n{killed} of {len(verdicts)} killed, {percent:.1f} %")
    unjudged = [mutant for mutant in survivors if mutant.key(CHECKOUT) not in known]
    print(f"{len(survivors) - len(unjudged)} survivors are judged, {len(unjudged)} are not")
    return int(percent < LEAST_PERCENT or bool(unjudged))


def _describe(mutant: Mutant) -> str:
    return f"{mutant.key(CHECKOUT)}  (line {mutant.line})"


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
        default=120,
        help="how long the tests for one mutant may take, the shortest first (default: 120)",
    )
    parser.add_argument(
        "--areas",
        nargs="+",
        default=AREAS,
        metavar="AREA",
        help=f"the folders of emheap (default: {' '.join(AREAS)})",
    )
    return parser.parse_known_args()


if __name__ == "__main__":
    raise SystemExit(main())
