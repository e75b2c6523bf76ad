"""The private environment that both commands of the README make for themselves.

Everything lives in one folder of the checkout, ``.environment`` (``EMHEAP_ENVIRONMENT`` names
another one): virtual environments, Pyodide from npm, packages for Pyodide, and the wheel of emheap.
Deleting the folder is always safe. Every function here is quick where its work is already done, and
makes its folder again where its requirements changed or the last attempt was interrupted.

Only the standard library is used: this module runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PYODIDE_VERSION = "314.0.7"
OLDEST_PYTHON = (3, 10)

DOCS_REQUIREMENTS = ("sphinx>=8.1", "myst-parser>=4", "furo>=2024.8.6")
"""What builds the documentation."""

Say = Callable[[str], None]

_DOCS_CODE = [
    CHECKOUT / "pyodide_demo" / name
    for name in ("docs_blocks.py", "docs_extension.py", "flat_reference.py", "policy.py")
]
_STAMP = ".made-of"
_MINUTES_PER_STEP = 15
_SIGNS_OF_NO_NETWORK = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH"
    r"|ERR_SOCKET_TIMEOUT|NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError"
    r"|Failed to establish a new connection|Temporary failure in name resolution"
    r"|Name or service not known|Network is unreachable",
    re.IGNORECASE,
)


class EnvironmentProblem(Exception):  # noqa: N818 - it is the machine's problem, not an error in code
    """Something this machine lacks. The text says what, and what to do about it."""


def say_to_stderr(text: str) -> None:
    """Print one line of progress where it does not mix with a program's result."""
    print(text, file=sys.stderr, flush=True)


def private_folder() -> Path:
    """The folder that holds everything made here."""
    return Path(os.environ.get("EMHEAP_ENVIRONMENT") or CHECKOUT / ".environment").resolve()


def checkout_with_extras(*extras: str) -> str:
    """The requirement that installs this checkout, editable, with some of its extras."""
    return f"{CHECKOUT}[{','.join(extras)}]"


def virtual_environment(
    name: str,
    requirements: Sequence[str],
    *,
    python: str | Path | None = None,
    say: Say = say_to_stderr,
) -> Path:
    """Make the virtual environment `name` with `requirements`; return its Python executable.

    `python` is the interpreter to make it from. By default it is the running one, and every version
    has an environment of that name for itself, so that commands of two interpreters do not make
    each other's environment again. A requirement made by `checkout_with_extras` is installed
    editable. Raises EnvironmentProblem.
    """
    if python is None:
        name = f"{name}-{sys.version_info[0]}.{sys.version_info[1]}"
        python = getattr(sys, "_base_executable", None) or sys.executable
    base = str(python)
    of_checkout = [each for each in requirements if each.startswith(str(CHECKOUT))]
    # Resolved, because one interpreter has several names.
    key = [str(Path(base).resolve()), *requirements, _project_table() if of_checkout else ""]

    def make(folder: Path) -> None:
        contents = ", ".join(map(_short, requirements)) or "empty"
        say(f"Making the virtual environment {name} ({contents}) ...")
        run_step(
            [base, "-m", "venv", str(folder)],
            f"{base} could not make a virtual environment",
            _VENV_CURE,
        )
        pip = [str(_python_in(folder)), "-m", "pip", "--quiet", "install"]
        # The pip that comes with Python 3.10.0 cannot install a checkout editable.
        run_step([*pip, "--upgrade", "pip"], "pip could not update itself")
        # All at once, so that one requirement may limit the versions of another's.
        wanted = [each for each in requirements if each not in of_checkout]
        for each in of_checkout:
            wanted += ["--editable", each]
        if wanted:
            # A Python for which the newest numpy has no wheel would compile it for a long time.
            run_step([*pip, "--prefer-binary", *wanted], f"pip could not install {contents}")

    return _python_in(made(f"venv-{name}", key, make))


def find_node(minimum: int = 18) -> Path:
    """The `node` executable on PATH. Raises EnvironmentProblem if it is missing, broken or old."""
    cure = (
        f"Install Node.js {minimum} or newer, from https://nodejs.org or with your system's "
        "package manager (`apt-get install nodejs npm`), and make sure that `node` is on PATH."
    )
    found = shutil.which("node") or shutil.which("nodejs")
    if found is None:
        raise EnvironmentProblem(f"Node.js was not found: there is no `node` on PATH.\n{cure}")
    version = run_step([found, "--version"], f"{found} does not run", cure).strip()
    major = re.match(r"v(\d+)\.", version)
    if major is None:
        raise EnvironmentProblem(
            f"{found} --version answered {version!r}, which is no version.\n{cure}"
        )
    if int(major[1]) < minimum:
        raise EnvironmentProblem(
            f"{found} is Node.js {version}, but {minimum} or newer is needed.\n{cure}"
        )
    return Path(found)


def npm_install(name: str, packages: Sequence[str], *, say: Say = say_to_stderr) -> Path:
    """Install npm packages into a folder of their own; return its `node_modules`.

    Raises EnvironmentProblem where Node or npm is missing or npm fails.
    """

    def make(folder: Path) -> None:
        find_node()
        cure = (
            "npm comes with Node.js from https://nodejs.org; on Debian and Ubuntu it is a package "
            "of its own: `apt-get install npm`."
        )
        npm = shutil.which("npm")
        if npm is None:
            raise EnvironmentProblem(f"npm was not found: there is no `npm` on PATH.\n{cure}")
        say(f"Fetching {', '.join(packages)} from npm ...")
        options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        # npm's own pauses between attempts add up to minutes where there is no network.
        patience = [
            "--fetch-retries=3",
            "--fetch-retry-mintimeout=1000",
            "--fetch-retry-maxtimeout=5000",
        ]
        command = [npm, "install", "--prefix", str(folder), *options, *patience, *packages]
        run_step(
            command,
            f"`npm install {' '.join(packages)}` failed",
            f"Try the command by hand. {cure}",
        )

    return made(f"npm-{name}", list(packages), make) / "node_modules"


def pyodide_distribution(version: str = PYODIDE_VERSION, *, say: Say = say_to_stderr) -> Path:
    """The folder of a Pyodide release, with `pyodide.mjs`. Raises EnvironmentProblem."""
    folder = npm_install(f"pyodide-{version}", [f"pyodide@{version}"], say=say) / "pyodide"
    if not (folder / "pyodide.mjs").is_file():
        raise EnvironmentProblem(
            f"The npm package pyodide@{version} brought no pyodide.mjs to {folder}.\n"
            f"Delete {folder.parent.parent} and try again."
        )
    return folder


def pyodide_site(version: str, requirements: Sequence[str], *, say: Say = say_to_stderr) -> Path:
    """A folder with `requirements` from PyPI, chosen for that Pyodide, to be put on its `sys.path`.

    Raises EnvironmentProblem, also where a package has no wheel for Pyodide.
    """
    tags = wheel_tags(version, say=say)

    def make(folder: Path) -> None:
        python = build_tools(say)
        say(f"Fetching {', '.join(requirements)} for Pyodide {version} ...")
        command = [str(python), "-m", "pip", "--quiet", "install", "--only-binary=:all:", *tags]
        command += ["--target", str(folder), *requirements]
        run_step(
            command,
            f"pip found no set of wheels of {', '.join(requirements)} for Pyodide {version}",
        )

    names = "-".join(re.split(r"\W", each)[0] for each in requirements)
    return made(f"site-{version}-{names}", [*tags, *requirements], make)


def wheel_tags(version: str, *, say: Say = say_to_stderr) -> list[str]:
    """What tells pip to choose wheels for a Pyodide release. Raises EnvironmentProblem."""
    # Its own lock file says for which Python and which ABI it is made, whatever release it is.
    lock = pyodide_distribution(version, say=say) / "pyodide-lock.json"
    try:
        information = json.loads(lock.read_text(encoding="utf-8"))["info"]
        python, abi = information["python"], information["abi_version"]
    except (FileNotFoundError, KeyError):
        raise EnvironmentProblem(
            f"Pyodide {version} does not say for which wheels it is made, as later releases do."
        ) from None
    python = ".".join(python.split(".")[:2])
    tags = ["--python-version", python, "--implementation", "cp"]
    tags += ["--abi", f"cp{python.replace('.', '')}", "--abi", "none"]
    # PyPI takes wheels for `pyemscripten`, as the platform is called since 2026; older ones say
    # `pyodide`.
    for platform in (f"pyemscripten_{abi}_wasm32", f"pyodide_{abi}_wasm32", "any"):
        tags += ["--platform", platform]
    return tags


def build_wheel(*, say: Say = say_to_stderr) -> Path:
    """Build the wheel of emheap from the checkout as it is now; return its path.

    Raises EnvironmentProblem.
    """
    sources = [CHECKOUT / name for name in ("pyproject.toml", "README.md", "LICENSE")]
    sources += sorted(
        path
        for path in (CHECKOUT / "emheap").rglob("*")
        if path.suffix in (".py", ".pyi", ".typed")
    )
    key = [f"{path.relative_to(CHECKOUT)} {digest_of(path)}" for path in sources if path.is_file()]

    def make(folder: Path) -> None:
        python = build_tools(say)
        say("Building the wheel of emheap ...")
        command = [str(python), "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
        run_step(command, "The wheel of emheap could not be built")

    wheels = list(made("wheel", key, make).glob("*.whl"))
    if len(wheels) != 1:
        raise EnvironmentProblem(f"Expected one wheel, found {[wheel.name for wheel in wheels]}.")
    return wheels[0]


def build_compiled_wheel(version: str = PYODIDE_VERSION, *, say: Say = say_to_stderr) -> Path:
    """The wheel of emheap with its modules compiled for the Python of a Pyodide release.

    Raises EnvironmentProblem.
    """
    wheel, distribution = build_wheel(say=say), pyodide_distribution(version, say=say)
    here = Path(__file__).parent
    script = here / "compile_in_node.mjs"
    key = [version, *map(digest_of, (wheel, script, here / "compile_wheel.py"))]

    def make(folder: Path) -> None:
        say(f"Compiling the wheel of emheap for Pyodide {version} ...")
        command = [find_node(), script, distribution, wheel, here, folder]
        run_step(list(map(str, command)), "The wheel of emheap could not be compiled in Pyodide")

    (compiled,) = made(f"wheel-{version}", key, make).glob("*.whl")
    return compiled


def build_documentation(*, say: Say = say_to_stderr) -> Path:
    """Build the documentation from the checkout as it is now; return the folder of its pages.

    Raises EnvironmentProblem, also where Sphinx warns of anything.
    """
    sources = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *_DOCS_CODE]
    for folder in (CHECKOUT / "emheap", CHECKOUT / "pyodide_demo" / "docs"):
        sources += sorted(path for path in folder.rglob("*") if path.suffix not in ("", ".pyc"))
    key = [f"{path.relative_to(CHECKOUT)} {digest_of(path)}" for path in sources]

    def make(folder: Path) -> None:
        python = virtual_environment("docs", DOCS_REQUIREMENTS, say=say)
        say("Building the documentation ...")
        strictly = ["-W", "--keep-going", "-q", "-b", "html", "-d", str(folder / "doctrees")]
        places = [str(CHECKOUT / "pyodide_demo" / "docs"), str(folder / "html")]
        run_step(
            [str(python), "-m", "sphinx", *strictly, *places], "The documentation does not build"
        )

    return made("documentation", [*DOCS_REQUIREMENTS, *key], make) / "html"


def build_tools(say: Say) -> Path:
    """The Python of a virtual environment that builds wheels. Raises EnvironmentProblem."""
    return virtual_environment("build", ["hatchling>=1.25"], say=say)


def made(name: str, key: Sequence[str], make: Callable[[Path], None]) -> Path:
    """Return the folder `name`, made by `make` unless its stamp says it was made of the same `key`.

    The stamp is written last, so a folder without one is the rest of an interrupted attempt.
    Building under another name and renaming would not do: a virtual environment remembers the path
    it was made at.
    """
    folder = private_folder() / name
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()
    if _stamp_of(folder) == digest:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder.with_name(f"{name}.lock")):
        if _stamp_of(folder) != digest:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / _STAMP).write_text(digest)
    return folder


def _stamp_of(folder: Path) -> str:
    stamp = folder / _STAMP
    return stamp.read_text() if stamp.is_file() else ""


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Wait for, and hold, a lock that the system takes back when this process dies."""
    # Imported here, because what imports this module is read by pytest in Pyodide too, where older
    # releases have neither.
    with path.open("w") as file:
        if sys.platform == "win32":
            import msvcrt

            while True:
                try:  # gives up by itself after ten seconds
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:
                    continue
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


_VENV_CURE = (
    "Python's venv module, or the ensurepip module that it needs, may be missing. On Debian and "
    "Ubuntu: `apt-get install python3-venv`; else install Python from https://www.python.org."
)


def run_step(command: Sequence[str], failure: str, cure: str = "") -> str:
    """Run an external command and return its output; raise what explains its failure."""
    # Settings meant for the user's own Python would send pip's work somewhere else.
    unwanted = ("PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
    try:
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_MINUTES_PER_STEP * 60,
        )
    except OSError as error:
        raise EnvironmentProblem(f"{failure}: {error}.\n{cure}".rstrip()) from error
    except subprocess.TimeoutExpired as error:
        raise EnvironmentProblem(
            f"{failure}: it did not end within {_MINUTES_PER_STEP} minutes.\n"
            "Check the network connection, then run the command again."
        ) from error
    if done.returncode == 0:
        return done.stdout
    if _SIGNS_OF_NO_NETWORK.search(done.stdout):
        cure = (
            "This step needs the network, once. Check the connection (and HTTPS_PROXY, if you are "
            "behind a proxy), then run the command again."
        )
    last_lines = "\n".join(f"  | {line}" for line in done.stdout.strip().splitlines()[-15:])
    raise EnvironmentProblem(
        f"{failure} (exit code {done.returncode}):\n{last_lines}\n{cure}".rstrip()
    )


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _project_table() -> str:
    """The part of pyproject.toml that decides what is installed; settings of tools follow it."""
    return (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8").partition("\n[tool.")[0]


def _short(requirement: str) -> str:
    return requirement.replace(str(CHECKOUT), "emheap")


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
