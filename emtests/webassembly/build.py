"""Compiles the sources in fixtures/ to the .wasm files: ``python -m emtests.webassembly.build``.

Needs clang, lld and wasi-libc (Debian: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32),
Rust with its library for WebAssembly (rustc libstd-rust-dev-wasm32), and Emscripten (emscripten).
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from emtests.compilers import missing

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

RUST, RUST_COMPILER = "rust_allocator", "1.63.0"
"""The module in Rust, and the version of rustc that made the committed file."""
_RUST_TARGET = ("--target=wasm32-unknown-unknown", "-Clinker=wasm-ld")


def compile_fixture(name: str, folder: Path) -> Path:
    """Compile one module into a folder; return its path."""
    made = folder / f"{name}.wasm"
    source = FIXTURES / ("guest.c" if name.startswith("guest") else f"{name}.c")
    linked = folder / f"{name}.o"
    options = ["clang", *_BUILDS[name], "-Wno-unused-command-line-argument"]
    subprocess.run([*options, "-O2", "-c", str(source), "-o", str(linked)], check=True)
    # Linked without -O2: with it clang runs wasm-opt too, where that is installed.
    subprocess.run([*options, "-Wl,--strip-all", str(linked), "-o", str(made)], check=True)
    linked.unlink()
    made.chmod(0o644)
    return made


def compile_emscripten(name: str, folder: Path) -> Path:
    """Compile one of Emscripten's modules, with its JavaScript, into a folder; return its path."""
    made = folder / f"{name}.js"
    options = [*_EMSCRIPTEN, *EMSCRIPTEN_BUILDS[name], str(FIXTURES / "emscripten.cpp")]
    subprocess.run(["em++", *options, "-o", str(made)], check=True)
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

    Only the named versions of Emscripten and Rust make what is committed; any clang makes a module
    that has the same interface.
    """
    if name == RUST:
        if compiler_version("rustc") != RUST_COMPILER:
            return f"rustc {RUST_COMPILER} is not here"
        return missing("rustc", *_RUST_TARGET, "--crate-type=cdylib")
    if name in EMSCRIPTEN_BUILDS:
        if compiler_version("em++") != EMSCRIPTEN_COMPILER:
            return f"Emscripten {EMSCRIPTEN_COMPILER} is not here"
        return missing("em++", "-Os", header="stdexcept")
    target, *options = _BUILDS[name]
    if "-nostdlib" in options:
        return missing("clang", target, "-nostdlib", "-Wl,--no-entry")
    return missing("clang", target, "-mexec-model=reactor", header="stdlib.h")


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
    for fixture in EMSCRIPTEN_BUILDS:
        compile_emscripten(fixture, FIXTURES)
    print(f"compiled {', '.join(NAMES)} with clang {version}")  # noqa: T201
