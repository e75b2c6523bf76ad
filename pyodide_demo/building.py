"""Makes what the page needs beyond the files of this package, each part once."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from pyodide_demo.archives import archive_of
from pyodide_demo.environment import (
    PYODIDE_VERSION,
    EnvironmentProblem,
    Say,
    build_tools,
    digest_of,
    find_node,
    made,
    npm_install,
    pyodide_distribution,
    run_step,
    say_to_stderr,
)

__all__ = [
    "COMPRESSED",
    "PAGE",
    "RUNTIME",
    "build_page",
    "pack_program",
    "pack_runtime",
    "record",
    "sizes_of",
]

HERE = Path(__file__).resolve().parent
PAGE = HERE / "page"
COMPRESSED = ".gz"
"""Ends the name of a file that the page decompresses by itself: no host compresses a zip."""

TOOLS = (
    "esbuild@0.28.2",
    "codemirror@6.0.2",
    "@codemirror/autocomplete@6",
    "@codemirror/commands@6",
    "@codemirror/lang-python@6",
    "@codemirror/language@6",
    "@codemirror/state@6",
    "@codemirror/view@6",
    "@lezer/highlight@1",
    "@lezer/python@1",
)
"""The bundler, and what is bundled."""

RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
"""The files of a Pyodide release that the page takes as they are."""
_STANDARD_LIBRARY = "python_stdlib.zip"
_LOCK = "pyodide-lock.json"
_MICROPIP = "micropip"


def pack_runtime(*, say: Say = say_to_stderr) -> Path:
    """A folder with what a page needs of Pyodide, and micropip. Raises EnvironmentProblem."""
    distribution = pyodide_distribution(say=say)
    lock = json.loads((distribution / _LOCK).read_text(encoding="utf-8"))
    version = lock["packages"][_MICROPIP]["version"]

    def make(folder: Path) -> None:
        say("Packing Pyodide for the page ...")
        for name in RUNTIME:
            shutil.copyfile(distribution / name, folder / name)
        packed = gzip.compress(_stored(distribution / _STANDARD_LIBRARY), 9, mtime=0)
        (folder / f"{_STANDARD_LIBRARY}{COMPRESSED}").write_bytes(packed)
        wheel = _fetch_micropip(version, lock["info"]["python"], folder, say)
        entry = lock["packages"][_MICROPIP]
        entry |= {"file_name": wheel.name, "sha256": digest_of(wheel)}
        # No other package of the distribution is here, so that none is promised.
        (folder / _LOCK).write_text(json.dumps({**lock, "packages": {_MICROPIP: entry}}))

    return made(f"runtime-{PYODIDE_VERSION}", [PYODIDE_VERSION, version, "1"], make)


def build_page(*, say: Say = say_to_stderr) -> Path:
    """A folder with the page's scripts and styles, bundled. Raises EnvironmentProblem."""
    sources = sorted(path for path in PAGE.rglob("*") if path.is_file())
    key = [f"{path.relative_to(PAGE)} {digest_of(path)}" for path in sources]

    def make(folder: Path) -> None:
        modules = npm_install("page", TOOLS, say=say)
        say("Bundling the page ...")

        def bundle(arguments: Sequence[str]) -> None:
            esbuild = modules / "esbuild" / "bin" / "esbuild"
            fixed = ["--bundle", "--format=esm", "--target=es2022", "--log-level=warning"]
            # Of other people's code only; one's own is shown in the page as it is run.
            os.environ["NODE_PATH"] = str(modules)
            run_step(
                [str(find_node()), str(esbuild), *arguments, *fixed],
                "esbuild could not bundle the page",
            )

        vendor = ("vendor/codemirror.js", "vendor/highlight.js")
        for name in vendor:
            bundle([str(PAGE / name), "--minify", f"--outfile={folder / name}"])
        entries = [str(PAGE / name) for name in ("main.js", "worker.js", "style.css", "watch.js")]
        bundle([*entries, *(f"--external:./{name}" for name in vendor), f"--outdir={folder}"])
        bundle([str(PAGE / "service_worker.js"), f"--outdir={folder}"])
        tests = [str(PAGE / "tests" / "worker.js"), "--external:./modules.mjs"]
        bundle([*tests, f"--outfile={folder / 'tests' / 'worker.js'}"])
        shutil.copyfile(PAGE / "icon.svg", folder / "icon.svg")

    return made("page", [*TOOLS, *key], make)


def record(wheel: Path, *, say: Say = say_to_stderr) -> Path:
    """What the page shows until Python runs there, as a file of JSON. Raises EnvironmentProblem."""
    names = ("record_in_node.mjs", "recordings.py", "breaking.py", "bare.py", "scene.py")
    sources = [HERE / name for name in (*names, "page/worker/bare.js", "page/worker/code_of.js")]
    key = [f"{path.name} {digest_of(path)}" for path in [*sources, wheel]]

    def make(folder: Path) -> None:
        say("Recording what the page shows first ...")
        places = [pyodide_distribution(say=say), wheel, HERE]
        command = [str(find_node()), str(HERE / "record_in_node.mjs"), *map(str, places)]
        text = run_step(command, "What the page shows first could not be recorded")
        (folder / "recorded.json").write_text(text.splitlines()[-1], encoding="utf-8")

    return made("recorded", key, make) / "recorded.json"


def pack_program(wheel: Path, program: Sequence[str]) -> bytes:
    """A compressed zip of a wheel's files and of the modules of this package that the page runs."""
    files = {f"pyodide_demo/{name}": (HERE / name).read_bytes() for name in program}
    with zipfile.ZipFile(wheel) as archive:
        files |= {name: archive.read(name) for name in sorted(archive.namelist())}
    return gzip.compress(archive_of(files, compressed=False), 9, mtime=0)


def sizes_of(path_or_bytes: Path | bytes, name: str) -> tuple[int, int]:
    """The bytes of a file as it is read, and as it comes over the network."""
    content = path_or_bytes if isinstance(path_or_bytes, bytes) else path_or_bytes.read_bytes()
    if name.endswith(COMPRESSED):
        return len(content), len(content)
    return len(content), _compressed_size(content)


def _compressed_size(content: bytes) -> int:
    """The size of a large file when a server compresses it, as all do with WebAssembly."""
    folder = made("sizes", ["1"], lambda _: None)
    note = folder / hashlib.sha256(content).hexdigest()
    if not note.is_file():
        note.write_text(str(len(gzip.compress(content, 9))))
    return int(note.read_text())


def _stored(path: Path) -> bytes:
    """A zip's files as a zip that does not compress each for itself."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return archive_of(files, compressed=False)


def _fetch_micropip(version: str, python_version: str, folder: Path, say: Say) -> Path:
    python = build_tools(say)
    command = [str(python), "-m", "pip", "--quiet", "download", "--no-deps", "-d", str(folder)]
    command += ["--only-binary=:all:", "--python-version", python_version]
    run_step([*command, f"{_MICROPIP}=={version}"], "pip could not fetch micropip")
    wheels = list(folder.glob("micropip-*.whl"))
    if len(wheels) != 1:
        raise EnvironmentProblem(f"Expected one wheel of micropip, found {len(wheels)}.")
    return wheels[0]
