"""The committed modules are what their source compiles to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from emtests.backends.wasmtime.running import make_store
from emtests.conftest import skip_for_gap
from emtests.webassembly.advice import (
    CLANG_STEPS,
    EMCC_SCRIPT_STEPS,
    EMCC_STEPS,
    NEWER_CLANG_STEPS,
)
from emtests.webassembly.build import (
    COMPILER,
    EMSCRIPTEN_BUILDS,
    FIXTURES,
    NAMES,
    RUST,
    compile_advice,
    compile_emscripten,
    compile_fixture,
    compile_rust,
    compiler_version,
    why_not_compiled,
)
from emtests.webassembly.guests import GUESTS


def interface(path: Path) -> dict[str, Any]:
    module = wasmtime.Module.from_file(make_store().engine, str(path))
    sides: list[Any] = [*module.exports, *module.imports]
    return {f"{getattr(one, 'module', '')} {one.name}": describe(one.type) for one in sides}


def describe(kind: Any) -> Any:
    if isinstance(kind, wasmtime.FuncType):
        return [*map(str, kind.params)], [*map(str, kind.results)]
    if isinstance(kind, wasmtime.TableType):
        return kind.limits.max
    if isinstance(kind, wasmtime.GlobalType):
        return str(kind.content), kind.mutable
    assert isinstance(kind, wasmtime.MemoryType)
    return kind.is_64, kind.is_shared, kind.limits.min, kind.limits.max


def test_every_module_is_there_and_small() -> None:
    assert (*GUESTS, "calls", "fft", "links", "printing") == NAMES
    for name in NAMES:
        assert (FIXTURES / f"{name}.wasm").stat().st_size < 100_000
    for name in EMSCRIPTEN_BUILDS:
        assert (FIXTURES / f"{name}.js").stat().st_size < 100_000
    for name in (*EMCC_SCRIPT_STEPS, *EMCC_STEPS, *CLANG_STEPS, *NEWER_CLANG_STEPS):
        (path,) = FIXTURES.glob(f"{name}.*")
        assert path.stat().st_size < 10_000


@pytest.mark.parametrize("name", NAMES)
def test_a_module_is_what_its_source_compiles_to(name: str, tmp_path: Path) -> None:
    compare(name, compile_fixture, tmp_path)


def compare(name: str, compile_module: Callable[[str, Path], Path], folder: Path) -> None:
    """Compare what is committed with what clang makes of the source here."""
    reason = why_not_compiled(name)
    if reason:
        skip_for_gap("compiling the modules again", reason)
    made = compile_module(name, folder)
    committed = FIXTURES / f"{name}.wasm"
    assert interface(made) == interface(committed)
    if compiler_version() == COMPILER:  # another version makes other code of the same source
        assert made.read_bytes() == committed.read_bytes(), (
            f"{committed} is not what its source makes: run python -m emtests.webassembly.build"
        )


def test_the_module_in_rust_is_what_its_source_compiles_to(tmp_path: Path) -> None:
    reason = why_not_compiled(RUST)
    if reason:
        skip_for_gap("compiling the module in Rust again", reason)
    made = compile_rust(tmp_path)
    assert made.read_bytes() == (FIXTURES / f"{RUST}.wasm").read_bytes()


@pytest.mark.parametrize("name", CLANG_STEPS)
def test_a_module_about_advice_for_clang_is_what_its_source_compiles_to(
    name: str, tmp_path: Path
) -> None:
    compare(name, compile_advice, tmp_path)


@pytest.mark.parametrize("name", [*EMCC_SCRIPT_STEPS, *EMCC_STEPS, *NEWER_CLANG_STEPS])
def test_a_module_about_advice_for_newer_compilers_is_what_its_source_compiles_to(
    name: str, tmp_path: Path
) -> None:
    reason = why_not_compiled(name)
    if reason:
        skip_for_gap("compiling the modules about advice for newer compilers anew", reason)
    made = compile_advice(name, tmp_path)
    assert made.read_bytes() == (FIXTURES / made.name).read_bytes()


@pytest.mark.parametrize("name", EMSCRIPTEN_BUILDS)
def test_emscriptens_scripts_are_what_their_source_compiles_to(name: str, tmp_path: Path) -> None:
    reason = why_not_compiled(name)
    if reason:
        skip_for_gap("compiling the scripts anew", reason)
    made = compile_emscripten(name, tmp_path)
    assert made.read_bytes() == (FIXTURES / f"{name}.js").read_bytes()
