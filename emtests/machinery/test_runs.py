"""How a run of a runtime ends, and what is said of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest

from emtests.machinery.conftest import Program
from emtests.reporting import FOLDER_VARIABLE
from emtests.runtimes import command_line
from emtests.runtimes.base import Job, Outcome
from emtests.runtimes.command_line import (
    MEASURED,
    all_measured,
    all_runtimes,
    exit_code,
    main,
    usual,
)
from emtests.runtimes.console import Console, Log
from emtests.runtimes.debian import can_install
from emtests.runtimes.events import judge
from emtests.runtimes.interpreters import RUNNING, Interpreter, find_interpreter, identify
from emtests.runtimes.native import Native, missing
from emtests.runtimes.processes import Command, Ended, run
from emtests.runtimes.table import table

TESTS = """
import os, pytest

def test_passes(): pass

@pytest.mark.parametrize("part", ["setup", "call"])
def test_skips(part): pytest.skip("no such " + part)

def test_fails(): assert 1 == 2

@pytest.fixture
def broken():
    yield
    raise ValueError

def test_passes_but_cannot_clean_up(broken): pass

@pytest.mark.xfail(reason="known")
def test_expected(): assert False
"""
CRASH = """
def test_crashes(): os._exit(7)
def test_never_starts(): pass
"""


@pytest.fixture
def printed() -> StringIO:
    return StringIO()


@pytest.fixture
def log(printed: StringIO, tmp_path: Path) -> Iterator[Log]:
    log = Console(printed).open(tmp_path / "output.txt")
    yield log
    log.close()


def run_pytest(folder: Path, tests: str, log: Log) -> Outcome:
    file = folder / "test_these.py"
    file.write_text(tests)
    ours = ["-p", "emtests.reporting", "-p", "no:cacheprovider", "-c", os.devnull]
    command: Command = [sys.executable, "-m", "pytest", *ours, f"--rootdir={folder}", file]
    ended = run(command, log, minutes=5, environment={FOLDER_VARIABLE: str(folder)})
    return judge(folder, ended)


def test_outcome_of_a_run(tmp_path: Path, log: Log) -> None:
    outcome = run_pytest(tmp_path, TESTS, log)
    assert (outcome.passed, outcome.failed, outcome.problem) == (2, 2, "")
    assert outcome.skipped == [
        ("test_these.py::test_skips[setup]", "no such setup"),
        ("test_these.py::test_skips[call]", "no such call"),
        ("test_these.py::test_expected", "expected to fail: known"),
    ]


def test_a_crash_names_the_last_test(tmp_path: Path, log: Log) -> None:
    outcome = run_pytest(tmp_path, TESTS + CRASH, log)
    assert outcome.bad
    assert (outcome.passed, outcome.failed) == (2, 2)
    assert outcome.problem == (
        "ended with exit code 7 before pytest did; "
        "the last test started was test_these.py::test_crashes"
    )


def test_a_module_that_cannot_be_imported(tmp_path: Path, log: Log) -> None:
    outcome = run_pytest(tmp_path, "import no_such_module", log)
    assert (outcome.passed, outcome.failed) == (0, 1)


def test_nothing_selected_is_no_failure(tmp_path: Path, log: Log) -> None:
    outcome = run_pytest(tmp_path, "", log)
    assert not outcome.bad
    assert outcome.passed == 0


def test_a_run_without_any_event(tmp_path: Path) -> None:
    assert judge(tmp_path, Ended(0)).problem == "ended with exit code 0 before pytest did"


def test_time_limit_ends_children_of_children(log: Log, printed: StringIO) -> None:
    # The child of the child holds the output open: `run` comes back only once both are gone.
    child = "import time\nprint('ready', flush=True)\nwhile True: time.sleep(1)"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    ended = run([sys.executable, "-c", parent], log, minutes=1 / 30)
    assert ended.problem == "stopped: it did not end within 0.0333333 minutes"
    assert printed.getvalue() == "ready\n"


def test_death_by_a_signal_is_told(log: Log) -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run([sys.executable, "-c", program], log, minutes=5).problem == "killed by SIGKILL"


def test_logs_are_printed_one_after_another(tmp_path: Path, printed: StringIO) -> None:
    console = Console(printed)
    first, second, third = (console.open(tmp_path / name) for name in "123")
    second.write("second ")
    first.write("first ")
    third.write("third ")
    assert printed.getvalue() == "first "
    third.close()
    first.close()
    assert printed.getvalue() == "first second "
    second.write("again ")
    second.close()
    assert printed.getvalue() == "first second again third "
    assert (tmp_path / "2").read_text() == "second again "


def test_table() -> None:
    outcomes = {
        "one": Outcome(passed=12, skipped=[("a", "no threads"), ("b", "no threads")], seconds=3),
        "another": Outcome(passed=1, failed=1, problem="killed", seconds=100, note="99 %"),
        "third": Outcome(missing="no Node\nInstall it."),
    }
    assert table(outcomes) == (
        "runtime  passed  failed  skipped  seconds\n"
        "one          12       0        2      3.0\n"
        "another       1       1        0    100.0  FAILED 99 %\n"
        "third                                      not run: no Node\n"
        "\n"
        "Skipped, by reason:\n"
        "  no threads\n"
        "    one 2\n"
        "\n"
        "another failed: killed\n"
        "\n"
        "third was not run: no Node\n"
        "Install it.\n"
        "\n"
        "13 passed, 1 failed, 2 skipped"
    )


@pytest.mark.parametrize(
    ("outcome", "required", "code", "words"),
    [
        (Outcome(passed=1), [], 0, ""),
        (Outcome(passed=1), ["one"], 0, ""),
        (Outcome(passed=1), ["one", "other"], 1, "Required, but not run: other\n"),
        (Outcome(missing="no Node"), ["one"], 1, "Required, but not run: one\nNo test ran.\n"),
        (Outcome(missing="no Node"), [], 1, "No test ran.\n"),
        (Outcome(passed=1, failed=1), [], 1, ""),
        (Outcome(passed=1, problem="killed"), [], 1, ""),
    ],
)
def test_exit_code(
    outcome: Outcome,
    required: list[str],
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code({"one": outcome}, required) == code
    assert capsys.readouterr().out == words


def test_coverage_is_judged_when_all_that_it_measures_was_run() -> None:
    outcomes = {name: Outcome(passed=5) for name in MEASURED}
    assert f"cpython{RUNNING}" in outcomes
    assert all_measured({**outcomes, "lint": Outcome(missing="ruff is away")})
    for name in MEASURED:
        assert not all_measured({key: value for key, value in outcomes.items() if key != name})
        assert not all_measured({**outcomes, name: Outcome(missing="it is away")})
        assert not all_measured({**outcomes, name: Outcome(passed=1, problem="stopped")})


def test_an_unknown_runtime(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--only", "netscape"])
    assert caught.value.code == 2
    assert (
        "no such runtime: netscape. The runtimes are pyodide314-node, " in capsys.readouterr().err
    )


class Asked(NamedTuple):
    """A row that notes what it is asked to do."""

    name: str
    jobs: list[Job]

    def run(self, job: Job) -> Outcome:
        self.jobs.append(job)
        return Outcome(passed=1)


@pytest.mark.parametrize(
    ("arguments", "focused", "may_install"),
    [
        ([], False, False),
        (["--focused"], True, False),
        (["--install"], False, True),
        # Who names tests wants to see these.
        (["--focused", "-k", "arrays"], False, False),
    ],
)
def test_what_rows_are_asked_for(
    arguments: list[str], focused: bool, may_install: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Asked("asked", [])
    monkeypatch.setattr(command_line, "all_runtimes", lambda given=(): {"asked": row})
    assert main(["--only", "asked", *arguments]) == 0
    (job,) = row.jobs
    assert (job.focused, job.may_install) == (focused, may_install)


def test_packages_are_installed_for_root_who_asked_and_nobody_else(
    programs: Program, tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def may(asked: bool = True, user: int = 0) -> bool:
        monkeypatch.setattr("os.geteuid", lambda: user)
        return can_install(Job("any", tmp_path, log, may_install=asked))

    monkeypatch.setattr("sys.platform", "linux")
    assert not may()  # without apt-get
    programs("apt-get", "")
    assert may()
    assert not may(user=1000)
    assert not may(asked=False)


def test_a_given_interpreter_is_a_row() -> None:
    (given,) = [identify([sys.executable])]
    assert given is not None
    assert given.version == RUNNING
    other = Interpreter("3.99t", given.executable)
    row = all_runtimes([other])["cpython3.99t"]
    assert row == Native("3.99t", given.executable)
    assert "cpython3.99t" in usual(all_runtimes([other]))
    assert "cpython3.99t" not in all_runtimes()


def test_what_is_given_must_be_an_interpreter(
    programs: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (programs("python3", "echo pypy 3.11 /x"), programs("false", "exit 1"), "/no/such"):
        with pytest.raises(SystemExit):
            main(["--python", str(path)])
        assert f"{path} is no CPython with venv that runs" in capsys.readouterr().err


def test_the_running_interpreter_is_found() -> None:
    found = find_interpreter(RUNNING)
    assert found is not None
    assert found.samefile(sys.executable)


def test_an_absent_interpreter_is_not_found() -> None:
    assert find_interpreter("3.0") is None
    assert "; --python gives the path of another one" in missing("3.0")


def test_a_row_says_how_to_get_a_python_without_the_interpreters_lock() -> None:
    assert missing("3.0t").endswith(
        "which ./configure --disable-gil --prefix=PREFIX && make && make install builds in the "
        "source of a release, as apt-get source --download-only brings it in "
        "python3.0_*.orig.tar.xz"
    )


SKIPS = """
import pytest
from emtests.conftest import skip_for_gap

def test_declared(): skip_for_gap("this", "for a reason")
def test_undeclared(): pytest.skip("for another reason")

@pytest.mark.skip(reason="marked")
def test_marked(): pass

@pytest.mark.xfail(reason="known")
def test_expected_to_fail(): assert False
"""


def test_a_skip_that_was_not_declared_is_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "test_skips.py"
    file.write_text(SKIPS)
    ours = ["-p", "emtests.conftest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *ours, "-c", os.devnull, file],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert "2 failed, 1 skipped, 1 error" in done.stdout
    for reason in ("for another reason", "marked"):
        assert f"not a declared gap (see skip_for_gap): Skipped: {reason}" in done.stdout


KINDS = """
import pytest

def test_on_heaps(kind): pass
"""


@pytest.mark.parametrize(
    ("kinds", "exit_code", "words"),
    [("own,guest32", 0, "2 passed"), ("own,no-such", 4, "no such kind: no-such. They are own,")],
)
def test_kinds_can_be_chosen(kinds: str, exit_code: int, words: str, tmp_path: Path) -> None:
    file = tmp_path / "test_kinds.py"
    file.write_text(KINDS)
    ours = ["-p", "emtests.conftest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *ours, f"--kinds={kinds}", "-c", os.devnull, file],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == exit_code
    assert words in done.stdout + done.stderr
