"""Where rows are measured: a CPython of this machine, and Pyodide under Node."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emtests.bench.results import Result
from emtests.bench.rows import NATIVE, PYODIDE
from emtests.runtimes.interpreters import find_interpreter
from emtests.runtimes.processes import Command, start, stop
from pyodide_demo.environment import (
    CHECKOUT,
    PYODIDE_VERSION,
    EnvironmentProblem,
    build_compiled_wheel,
    build_wheel,
    checkout_with_extras,
    find_node,
    pyodide_distribution,
    virtual_environment,
)

_MINUTES = 10
_WORKER = "from emtests.bench.worker import run; run({!r}, {!r}, {!r}, quick_only={!r})"


@dataclass(frozen=True)
class Runtime:
    """A place to measure in."""

    title: str
    kind: str
    """Which limits count: NATIVE or PYODIDE."""
    command: Callable[[str], Command]
    """The command that runs a Python program, which finds the checkout's modules."""
    cold_command: Callable[[str], Command]
    """The same for one that finds emheap where a user's program does."""
    command_from_sources: Callable[[str], Command]
    """As `cold_command`, from a wheel without compiled files."""
    processes: int
    """How many the rows are measured in."""
    cold_rounds: int
    cold_tries: int
    """In each round of cold starts: as many processes of each, of which the fastest counts."""
    allowance: float = 1.0
    """What the limits are multiplied with."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that its processes need."""


def open_native(version: str, scratch: Path) -> Runtime:
    """A CPython of this machine, with numpy. Raises EnvironmentProblem."""
    base = find_interpreter(version)
    if base is None:
        raise EnvironmentProblem(f"no CPython {version} was found")
    # The name and the requirements of the tests' environment, so that there is only one.
    requirements = [checkout_with_extras("test")]
    python = virtual_environment(f"cpython{version}", requirements, python=base)

    def command(program: str) -> Command:
        return [python, "-c", program]

    return Runtime(
        f"CPython {version}",
        NATIVE,
        command,
        command,
        command,
        processes=3,
        cold_rounds=9,
        cold_tries=3,
        allowance=1.0 if tuple(map(int, version.split("."))) >= (3, 13) else 1.5,
        # A user's emheap was compiled when pip installed it; no settings of others may keep ours
        # from being compiled, or have it compiled again while it is measured.
        environment={"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(scratch / version)},
    )


def open_pyodide(scratch: Path) -> Runtime:
    """Pyodide under Node. Raises EnvironmentProblem."""
    node, folder = find_node(), pyodide_distribution()
    # A process that builds the wheel of a changed checkout meanwhile deletes the one of before.
    wheel = shutil.copy2(build_compiled_wheel(), scratch)
    sources = shutil.copy2(build_wheel(), scratch)

    def in_node(program: str, **configuration: object) -> Command:
        script = CHECKOUT / "emtests" / "bench" / "run_in_node.mjs"
        known = {"pyodide": str(folder), "mounts": {}, "wheels": [], "program": program}
        return [node, script, json.dumps({**known, **configuration})]

    def command(program: str) -> Command:
        path = 'import sys; sys.path.insert(0, "/project")\n'
        return in_node(path + program, mounts={"/project": str(CHECKOUT)})

    def cold_command(program: str) -> Command:
        return in_node(program, wheels=[str(wheel)])

    def command_from_sources(program: str) -> Command:
        return in_node(program, wheels=[str(sources)])

    title = f"Pyodide {PYODIDE_VERSION} in Node"
    # It takes seconds to load.
    return Runtime(
        title,
        PYODIDE,
        command,
        cold_command,
        command_from_sources,
        processes=2,
        cold_rounds=3,
        cold_tries=1,
    )


def lines_of(runtime: Runtime, command: Command) -> Iterator[str]:
    """The lines that a program prints, as they come. Raises EnvironmentProblem if it fails."""
    process = start(command, environment=runtime.environment, output=subprocess.PIPE)
    timer = threading.Timer(_MINUTES * 60, stop, (process,))
    timer.start()
    lines = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.decode(errors="replace").rstrip())
            yield lines[-1]
        code = process.wait()
    finally:
        timer.cancel()
        stop(process)
        if process.stdout is not None:
            process.stdout.close()
    if code:
        raise EnvironmentProblem(f"ended with exit code {code}:\n" + "\n".join(lines[-20:]))


def measure_rows(runtime: Runtime, pattern: str, seconds: float) -> Iterator[Result]:
    """What the workers print: rows as they are measured, most of them once in each process.

    One process is not enough: where its objects happen to lie, and what the engine has compiled
    by then, can change a ratio by a tenth for as long as it lives.
    """
    share = seconds / runtime.processes
    for number in range(runtime.processes):
        worker = _WORKER.format(runtime.kind, pattern, share, bool(number))
        for line in lines_of(runtime, runtime.command(worker)):
            if line.startswith("{"):
                yield Result.from_json(json.loads(line)).allowed(runtime.allowance)
