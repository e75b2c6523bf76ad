"""Compiles the sources in fixtures/ to the .wasm files: ``python -m emtests.webassembly.build``.

Needs clang, lld and wasi-libc (Debian: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32),
Rust with its library for WebAssembly (rustc libstd-rust-dev-wasm32), and Emscripten (emscripten).
Debian 12 has the versions that made the committed files, but for the modules of advice.py that are
made by Emscripten and the newer clang: Debian 14 has their compilers. Of these, and of Emscripten's
others, those are compiled anew that the versions here have made.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from emtests.compilers import missing
from emtests.webassembly.advice import (
    CLANG_STEPS,
    EMCC_SCRIPT_STEPS,
    EMCC_STEPS,
    NEWER_CLANG_STEPS,
    options_of,
)

FIXTURES = Path(__file__).parent / "fixtures"
COMPILER = "14.0.6"
"""The version of clang and lld that made the committed files."""

_FREESTANDING = ["-nostdlib", "-ffreestanding", "-fno-builtin", "-Wl,--no-entry"]
_REACTOR = ["--target=wasm32-wasi", "-mexec-model=reactor", "-Wl,--export=malloc,--export=free"]
_BUILDS = {
    "guest32": _REACTOR,
    "guest64": ["--target=wasm64", *_FREESTANDING],
    "guest_shared": [
        "--target=wasm32",
        "-matomics",
        "-mbulk-memory",
        *_FREESTANDING,
        "-Wl,--shared-memory,--max-memory=268435456",
    ],
    "calls": [
        *_REACTOR,
        "-mmutable-globals",
        "-Wl,--export=__stack_pointer,--export-table,--growable-table",
        "-Wl,--export=qsort,--export=bsearch",
    ],
    "fft": _REACTOR,
    "links": ["--target=wasm32", *_FREESTANDING, "-Wl,--import-memory"],
    "printing": [*_REACTOR, "-mmutable-globals", "-Wl,--export=__stack_pointer"],
}
_QUIET = "-Wno-unused-command-line-argument"
"""Options for the linker go to the compiler as well."""
NAMES = tuple(_BUILDS)
"""The modules, each compiled from the source of its name, and those of guests from guest.c."""
# Each is one script, which makes its module at once, as `new Function("Module", script)` needs.
_EXPORTED = "_add,_twice,_weigh,_apply,_throw_if,_catch_it,_boom,_stop,_leave,_malloc,_free"
_EMSCRIPTEN = [
    "-Os",
    "-sWASM_ASYNC_COMPILATION=0",
    "-sSINGLE_FILE",
    "-sFILESYSTEM=0",
    "-sENVIRONMENT=web",
    "-sALLOW_TABLE_GROWTH",
    "-sALLOW_MEMORY_GROWTH",
    "-sEXIT_RUNTIME",
    f"-sEXPORTED_FUNCTIONS={_EXPORTED}",
]
EMSCRIPTEN_BUILDS = {
    "emscripten_legalised": [],
    "emscripten_js_exceptions": ["-sWASM_BIGINT", "-fexceptions"],
    "emscripten_wasm_exceptions": ["-sWASM_BIGINT", "-fwasm-exceptions"],
}
EMSCRIPTEN_COMPILER = "3.1.6"
"""The version of Emscripten that made the committed scripts."""

NEWER_COMPILER = "21.1.8"
"""The version of clang that made the modules of throwing.cpp: older ones lack the option."""
ADVICE_COMPILER = "6.0.5"
"""The version of Emscripten that made the modules for the tests of advice: newer ones hide more."""
_ADVICE_SCRIPT = [
    "-Os",
    "-sWASM_ASYNC_COMPILATION=0",
    "-sSINGLE_FILE",
    "-sSINGLE_FILE_BINARY_ENCODE=0",
    "-sFILESYSTEM=0",
    "-sENVIRONMENT=web",
    "-sMALLOC=emmalloc",
]

RUST, RUST_COMPILER = "rust_allocator", "1.63.0"
"""The module in Rust, and the version of rustc that made the committed file."""
_RUST_TARGET = ("--target=wasm32-unknown-unknown", "-Clinker=wasm-ld")


def compile_fixture(name: str, folder: Path) -> Path:
    """Compile one module into a folder; return its path."""
    made = folder / f"{name}.wasm"
    source = FIXTURES / ("guest.c" if name.startswith("guest") else f"{name}.c")
    linked = folder / f"{name}.o"
    compiling = ["clang", *_to_compile(_BUILDS[name]), "-O2", "-c", str(source)]
    subprocess.run([*compiling, "-o", str(linked)], check=True)
    # Linked without -O2: with it clang runs wasm-opt too, where that is installed.
    linking = ["clang", *_BUILDS[name], _QUIET, "-Wl,--strip-all", str(linked)]
    subprocess.run([*linking, "-o", str(made)], check=True)
    linked.unlink()
    made.chmod(0o644)
    return made


def _to_compile(options: Sequence[str]) -> list[str]:
    """Those of a module's options that clang takes when it does not link."""
    return [_QUIET, *(one for one in options if not one.startswith("-mexec-model"))]


def compile_emscripten(name: str, folder: Path) -> Path:
    """Compile one of Emscripten's modules, with its JavaScript, into a folder; return its path."""
    made = folder / f"{name}.js"
    options = [*_EMSCRIPTEN, *EMSCRIPTEN_BUILDS[name], str(FIXTURES / "emscripten.cpp")]
    subprocess.run(["em++", *options, "-o", str(made)], check=True)
    made.chmod(0o644)
    return made


def compile_advice(name: str, folder: Path) -> Path:
    """Compile one of the modules for the tests of advice into a folder; return its path."""
    source = str(FIXTURES / "advice.cpp")
    if name in EMCC_SCRIPT_STEPS:
        made = folder / f"{name}.js"
        commands = [["em++", *_ADVICE_SCRIPT, *options_of(name, EMCC_SCRIPT_STEPS), source]]
    elif name in EMCC_STEPS:
        made = folder / f"{name}.wasm"
        commands = [["em++", "-Os", "-sMALLOC=emmalloc", *options_of(name, EMCC_STEPS), source]]
    elif name in NEWER_CLANG_STEPS:
        made = folder / f"{name}.wasm"
        options = " ".join(options_of(name, NEWER_CLANG_STEPS)).split()
        linking = ["-nostdlib", "-Wl,--no-entry,--strip-all,--export=throw_if,--export=catch_it"]
        commands = [["clang", *options, "-Os", *linking, str(FIXTURES / "throwing.cpp")]]
    else:
        made = folder / f"{name}.wasm"
        options = options_of(name, CLANG_STEPS)
        linked = str(folder / f"{name}.o")
        compiling = ["clang", *_to_compile(options), "-Os", "-fno-exceptions", "-c", source]
        commands = [
            [*compiling, "-o", linked],
            ["clang", *options, _QUIET, "-Wl,--strip-all", linked],
        ]
    commands[-1] += ["-o", str(made)]
    for command in commands:
        subprocess.run(command, check=True)
    (folder / f"{name}.o").unlink(missing_ok=True)
    made.chmod(0o644)
    return made


def compile_rust(folder: Path) -> Path:
    """Compile the module in Rust into a folder; return its path."""
    made = folder / f"{RUST}.wasm"
    options = ["--crate-type=cdylib", "-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols"]
    source = FIXTURES / f"{RUST}.rs"
    subprocess.run(["rustc", *_RUST_TARGET, *options, str(source), "-o", str(made)], check=True)
    made.chmod(0o644)
    return made


def why_not_compiled(name: str) -> str:
    """Why this machine cannot make a module again; empty where it can.

    Only the named versions of Emscripten, Rust and the newer clang make what is committed; any
    clang makes the other modules with the same interface.
    """
    compiler, version, what = _made_by(name)
    if version and compiler_version(compiler) != version:
        return f"{what} {version} is not here"
    if compiler == "rustc":
        return missing(compiler, *_RUST_TARGET, "--crate-type=cdylib")
    if compiler == "em++":
        return missing(compiler, "-Os", header="stdexcept")
    if name in NEWER_CLANG_STEPS:
        return missing(compiler, "--target=wasm32", "-nostdlib", "-Wl,--no-entry")
    target, *options = _REACTOR if name in CLANG_STEPS else _BUILDS[name]
    if "-nostdlib" in options:
        return missing(compiler, target, "-nostdlib", "-Wl,--no-entry")
    return missing(compiler, target, "-mexec-model=reactor", header="stdlib.h")


def _made_by(name: str) -> tuple[str, str, str]:
    """The command of a module's compiler, the version that it must have, if any, and its name."""
    if name == RUST:
        return "rustc", RUST_COMPILER, "rustc"
    if name in EMSCRIPTEN_BUILDS:
        return "em++", EMSCRIPTEN_COMPILER, "Emscripten"
    if name in EMCC_SCRIPT_STEPS or name in EMCC_STEPS:
        return "em++", ADVICE_COMPILER, "Emscripten"
    return "clang", NEWER_COMPILER if name in NEWER_CLANG_STEPS else "", "clang"


def compiler_version(compiler: str = "clang") -> str | None:
    """The version of a compiler here, or None if there is none."""
    try:
        ended = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        return None
    found = re.search(r"(?:clang version|rustc|\)) (\d\S+)", ended.stdout)
    return found[1] if found else None


if __name__ == "__main__":
    version = compiler_version()
    if version is None:
        sys.exit("there is no clang here; on Debian: apt-get install clang lld wasi-libc")
    for fixture in NAMES:
        compile_fixture(fixture, FIXTURES)
    compile_rust(FIXTURES)
    for fixture in CLANG_STEPS:
        compile_advice(fixture, FIXTURES)
    emscripten = compiler_version("em++")
    for fixture in EMSCRIPTEN_BUILDS if emscripten == EMSCRIPTEN_COMPILER else ():
        compile_emscripten(fixture, FIXTURES)
    for fixture in (*EMCC_SCRIPT_STEPS, *EMCC_STEPS) if emscripten == ADVICE_COMPILER else ():
        compile_advice(fixture, FIXTURES)
    for fixture in NEWER_CLANG_STEPS if version == NEWER_COMPILER else ():
        compile_advice(fixture, FIXTURES)
    print(f"compiled {', '.join(NAMES)} with clang {version}")  # noqa: T201
