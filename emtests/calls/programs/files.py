"""The files of other people's libraries: WebAssembly from npm, and what clang makes of C from PyPI.

They lie in one folder of the environment, ``programs``; in Pyodide under Node it is `MOUNT`.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from pyodide_demo.environment import (
    EnvironmentProblem,
    Say,
    build_tools,
    made,
    npm_install,
    run_step,
    say_to_stderr,
)

__all__ = ["MOUNT", "find_program", "programs_folder"]

MOUNT = "/programs"
_FROM_NPM = {
    "sqlite3.wasm": "@sqlite.org/sqlite-wasm/sqlite-wasm/jswasm/sqlite3.wasm",
    "harfbuzz.wasm": "harfbuzzjs/dist/harfbuzz.wasm",
    "DejaVuSans.ttf": "dejavu-fonts-ttf/ttf/DejaVuSans.ttf",
}
_PACKAGES = (
    "@sqlite.org/sqlite-wasm@3.50.4-build1",
    "harfbuzzjs@1.6.4",
    "dejavu-fonts-ttf@2.37.3",
)
_ZSTD, _SODIUM = "zstandard==0.25.0", "pynacl==1.6.2"
"""Source distributions that bring a C library along."""
_REACTOR = (
    "--target=wasm32-wasi", "-mexec-model=reactor", "-Oz", "-w",
    "-Wl,--strip-all,--export=malloc,--export=free",
)  # fmt: skip
_FOREIGN_MACHINES = re.compile("aesni|armcrypto|avx|sse|xmm6int")
"""Files of libsodium's that are empty where a processor lacks their instructions."""


def find_program(name: str) -> Path:
    """The path of a file; skips the test that runs where there is none."""
    # Here, for what starts the tests imports this file, and has no pytest.
    from emtests.conftest import skip_for_gap

    if sys.platform == "emscripten":
        folder, problem = Path(MOUNT), "the files are mounted in Pyodide under Node alone"
    else:
        try:
            folder = programs_folder()
        except EnvironmentProblem as error:
            skip_for_gap(name, str(error).splitlines()[0])
        problem = "it needs clang with wasi-libc, and PyPI, when the folder is made"
    if not (folder / name).is_file():
        skip_for_gap(name, problem)
    return folder / name


def programs_folder(say: Say = say_to_stderr) -> Path:
    """The folder, made if it is not there. What this machine cannot compile is left out.

    Raises EnvironmentProblem where npm fails.
    """

    def make(folder: Path) -> None:
        packages = npm_install("programs-of-npm", _PACKAGES, say=say)
        for name, path in _FROM_NPM.items():
            shutil.copy(packages / path, folder / name)
        _compile(_ZSTD, _compile_zstd, folder, say)
        _compile(_SODIUM, _compile_sodium, folder, say)

    compiler = shutil.which("clang") or "no clang"
    return made("programs", [*_PACKAGES, _ZSTD, _SODIUM, *_REACTOR, compiler], make)


def _compile(
    requirement: str, compile_it: Callable[[Path, Path], None], folder: Path, say: Say
) -> None:
    """Make a module of the C library in a package's source; say why where that cannot be done."""
    say(f"Compiling the C library in {requirement} ...")
    try:
        source = _fetch(requirement, folder / "sources", say)
        compile_it(source, folder)
    except EnvironmentProblem as problem:
        say(str(problem))
    shutil.rmtree(folder / "sources", ignore_errors=True)


def _fetch(requirement: str, sources: Path, say: Say) -> Path:
    """The folder that the source of a package for Python unpacks to."""
    pip = [str(build_tools(say)), "-m", "pip", "--quiet", "download", "--no-deps"]
    options = ["--no-binary", ":all:", "--dest", str(sources), requirement]
    run_step([*pip, *options], f"pip could not fetch the source of {requirement}")
    (archive,) = sources.glob("*.tar.gz")
    run_step(["tar", "-xzf", str(archive), "-C", str(sources)], f"tar could not open {archive}")
    archive.unlink()
    (source,) = sources.iterdir()
    return source


def _compile_zstd(source: Path, folder: Path) -> None:
    file = source / "zstd" / "zstd.c"
    text = file.read_text().replace("#define ZSTD_MULTITHREAD\n", "")  # WASI has no threads
    file.write_text(text)
    names = ("createCCtx", "freeCCtx", "compressStream2", "decompress", "createDCtx", "freeDCtx")
    exported = [f"ZSTD_{name}" for name in (*names, "decompressStream", "isError", "getErrorName")]
    _run_clang([str(file)], exported, folder / "zstd.wasm")


def _compile_sodium(source: Path, folder: Path) -> None:
    library = source / "src" / "libsodium" / "src" / "libsodium"
    headers = library / "include"
    version = (headers / "sodium" / "version.h.in").read_text()
    version = version.replace("@SODIUM_LIBRARY_MINIMAL_DEF@", "")
    (headers / "sodium" / "version.h").write_text(re.sub(r"@\w+@", "1", version))
    files = [
        str(file) for file in library.rglob("*.c") if not _FOREIGN_MACHINES.search(str(file.parent))
    ]
    options = ["-ffunction-sections", "-DCONFIGURED=1", "-D_GNU_SOURCE", "-DNATIVE_LITTLE_ENDIAN"]
    options += [f"-I{headers}", f"-I{headers / 'sodium'}"]
    names = ("sodium_init", "randombytes_buf", "crypto_secretbox_easy")
    exported = [*names, "crypto_secretbox_open_easy"]
    _run_clang([*options, *files], exported, folder / "sodium.wasm")


def _run_clang(options: list[str], exported: list[str], target: Path) -> None:
    exports = [f"-Wl,--export={name}" for name in exported]
    run_step(
        ["clang", *_REACTOR, *exports, *options, "-o", str(target)],
        f"clang could not make {target.name}",
        "It needs clang, lld and wasi-libc; on Debian: apt-get install clang lld wasi-libc "
        "libclang-rt-dev-wasm32",
    )
