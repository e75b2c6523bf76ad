"""What the private environment says when something is missing, and when it makes things again."""

from __future__ import annotations

from pathlib import Path

import pytest

from emtests.machinery.conftest import Program
from pyodide_demo.environment import (
    CHECKOUT,
    EnvironmentProblem,
    find_node,
    npm_install,
    private_folder,
    pyodide_distribution,
    pyodide_site,
    virtual_environment,
    wheel_tags,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMHEAP_ENVIRONMENT", str(tmp_path / "environment"))
    return private_folder()


@pytest.fixture
def npm(programs: Program, folder: Path) -> Path:
    """An npm that installs one empty package, and keeps a list of what it was asked for."""
    programs("node", "echo v20.0.0")
    calls = folder.parent / "calls"
    programs(
        "npm",
        f'echo "$@" >> {calls}\n'
        'while [ "$1" != --prefix ]; do shift; done\n'
        'mkdir -p "$2/node_modules/pyodide" && echo made > "$2/node_modules/pyodide/pyodide.mjs"',
    )
    return calls


def silent(_: str) -> None:
    pass


def test_it_is_a_folder_of_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMHEAP_ENVIRONMENT")
    assert private_folder() == (CHECKOUT / ".environment").resolve()


def test_no_node(programs: Program) -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        find_node()
    text = str(caught.value)
    assert text.startswith("Node.js was not found: there is no `node` on PATH.")
    assert "Install Node.js 18 or newer" in text


def test_node_too_old(programs: Program) -> None:
    node = programs("node", "echo v16.20.2")
    with pytest.raises(EnvironmentProblem) as caught:
        find_node()
    assert f"{node} is Node.js v16.20.2, but 18 or newer is needed." in str(caught.value)
    assert find_node(minimum=16) == node


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo cannot load libuv; exit 127", r"does not run \(exit code 127\):\n  \| cannot load"),
        ("echo hello", "--version answered 'hello', which is no version"),
    ],
)
def test_broken_node(programs: Program, script: str, words: str) -> None:
    programs("node", script)
    with pytest.raises(EnvironmentProblem, match=words):
        find_node()


def test_no_npm(programs: Program) -> None:
    programs("node", "echo v20.0.0")
    with pytest.raises(EnvironmentProblem, match="there is no `npm` on PATH") as caught:
        pyodide_distribution(say=silent)
    assert "apt-get install npm" in str(caught.value)


def test_broken_npm(programs: Program) -> None:
    programs("node", "echo v20.0.0")
    programs("npm", "echo 'Error: Cannot find module semver' >&2; exit 1")
    with pytest.raises(EnvironmentProblem) as caught:
        pyodide_distribution("314.0.7", say=silent)
    assert str(caught.value).startswith(
        "`npm install pyodide@314.0.7` failed (exit code 1):\n"
        "  | Error: Cannot find module semver\n"
        "Try the command by hand."
    )


def test_no_network(programs: Program) -> None:
    programs("node", "echo v20.0.0")
    programs("npm", "echo 'npm error code EAI_AGAIN'; exit 1")
    with pytest.raises(EnvironmentProblem, match="This step needs the network, once"):
        pyodide_distribution(say=silent)


def test_npm_that_brings_nothing(programs: Program) -> None:
    programs("node", "echo v20.0.0")
    programs("npm", "exit 0")
    with pytest.raises(EnvironmentProblem, match=r"pyodide@314\.0\.7 brought no pyodide\.mjs"):
        pyodide_distribution("314.0.7", say=silent)


def test_a_python_without_venv(programs: Program) -> None:
    python = programs("python", "echo 'No module named venv'; exit 1")
    with pytest.raises(EnvironmentProblem, match="apt-get install python3-venv"):
        virtual_environment("any", [], python=python, say=silent)


def test_no_such_python(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="could not make a virtual environment: "):
        virtual_environment("any", [], python=tmp_path / "python", say=silent)


def test_a_pyodide_tells_for_which_wheels_it_is_made(npm: Path) -> None:
    lock = pyodide_distribution("1.0.0", say=silent) / "pyodide-lock.json"
    lock.write_text('{"info": {"python": "3.27.0rc1", "abi_version": "2038_1"}}')
    tags = wheel_tags("1.0.0", say=silent)
    assert [*zip(tags[::2], tags[1::2], strict=True)] == [
        ("--python-version", "3.27"),
        ("--implementation", "cp"),
        ("--abi", "cp327"),
        ("--abi", "none"),
        ("--platform", "pyemscripten_2038_1_wasm32"),
        ("--platform", "pyodide_2038_1_wasm32"),
        ("--platform", "any"),
    ]


@pytest.mark.parametrize("lock", [None, '{"info": {"python": "3.9.5"}}'])
def test_a_pyodide_that_does_not_tell(lock: str | None, npm: Path) -> None:
    folder = pyodide_distribution("0.11.0", say=silent)
    if lock is not None:
        (folder / "pyodide-lock.json").write_text(lock)
    with pytest.raises(EnvironmentProblem, match=r"Pyodide 0\.11\.0 does not say for which wheels"):
        pyodide_site("0.11.0", ["pytest"], say=silent)


def test_made_once(npm: Path, folder: Path) -> None:
    said: list[str] = []
    first = pyodide_distribution("1.0.0", say=said.append)
    assert pyodide_distribution("1.0.0", say=said.append) == first
    assert first.is_relative_to(folder)
    assert said == ["Fetching pyodide@1.0.0 from npm ..."]
    assert len(npm.read_text().splitlines()) == 1


def test_made_anew_when_the_requirements_change(npm: Path) -> None:
    for packages in (["one@1"], ["one@2"]):
        modules = npm_install("name", packages, say=silent)
        leftover = modules / "leftover"
        assert not leftover.exists()
        leftover.touch()
    assert [line.split()[-1] for line in npm.read_text().splitlines()] == ["one@1", "one@2"]


def test_made_anew_after_an_interruption(npm: Path, programs: Program) -> None:
    working = (npm.parent / "programs" / "npm").read_text()
    programs("npm", f"{working}\nexit 1")
    with pytest.raises(EnvironmentProblem):
        pyodide_distribution("1.0.0", say=silent)
    (rest,) = private_folder().glob("npm-*/node_modules/pyodide/pyodide.mjs")
    rest.write_text("half")
    programs("npm", working)
    assert (pyodide_distribution("1.0.0", say=silent) / "pyodide.mjs").read_text() == "made\n"
