"""A compiler that lacks its linker, its library or its tools is not here: tests are skipped."""

from __future__ import annotations

from emtests.compilers import GCC, missing
from emtests.conftest import skip_for_gap


def test_a_program_that_is_not_here() -> None:
    assert missing("no_such_compiler") == "there is no no_such_compiler on this machine"


def test_what_a_compiler_lacks_is_told_by_its_own_error() -> None:
    if missing(*GCC):
        skip_for_gap("gcc", missing(*GCC))
    without_header = missing(*GCC, header="no_such_header.h")
    assert without_header.startswith("gcc -shared -fPIC cannot be used here: ")
    assert "no_such_header.h" in without_header
    assert "cannot find -lno_such_library" in missing(*GCC, "-lno_such_library")
    assert missing(*GCC, header="stdlib.h") == ""


def test_a_compiler_without_its_linker() -> None:
    # As Debian's clang is, which comes without lld.
    clang = ("clang", "--target=wasm32", "-nostdlib", "-fuse-ld=/no_such_linker")
    if missing("clang", "-fsyntax-only"):
        skip_for_gap("clang", missing("clang", "-fsyntax-only"))
    assert "no_such_linker" in missing(*clang)
