"""What is read of a module's binary: its imports with their types, and the names it exports."""

from __future__ import annotations

import pytest

from emheap import NotSupportedError
from emheap._util.wasm_binary import (
    import_of,
    module_of,
    section,
    vector,
)
from emheap.calls.module_types import Limits, read_module_types
from emtests.webassembly.modules import SmallModule


def test_functions_with_their_types() -> None:
    module = SmallModule(
        [("env", "mix", (["i32", "i64", "f32", "f64"], ["f64"])), ("wasi", "exit", (["i32"], []))]
    )
    found = read_module_types(module.binary())
    assert [str(one) for one in found.imports] == [
        "env.mix(i32, i64, f32, f64) -> f64",
        "wasi.exit(i32) -> nothing",
    ]
    assert found.exports == {"mix", "exit", "memory"}


def test_everything_that_can_be_imported() -> None:
    imports = [
        import_of("a", "plain", b"\2\0\1"),
        import_of("a", "shared", b"\2\3\1\x80\x80\4"),
        import_of("a", "wide", b"\2\4\2"),
        import_of("a", "small pages", b"\2\x08\5\0"),
        import_of("a", "few small pages", b"\2\x09\1\2\0"),
        import_of("a", "table", b"\1\x70\1\2\3"),
        import_of("a", "global", b"\3\x7f\0"),
        import_of("a", "tag", b"\4\0\0"),
        import_of("a", "last", b"\2\0\7"),
    ]
    found = read_module_types(module_of(section(2, vector(imports)))).imports
    assert [(one.name, one.kind, one.limits) for one in found] == [
        ("plain", "memory", Limits(1, None, False, False)),
        ("shared", "memory", Limits(1, 65536, True, False)),
        ("wide", "memory", Limits(2, None, False, True)),
        ("small pages", "memory", Limits(5, None, False, False)),
        ("few small pages", "memory", Limits(1, 2, False, False)),
        ("table", "table", Limits(2, 3, False, False)),
        ("global", "global", None),
        ("tag", "tag", None),
        ("last", "memory", Limits(7, None, False, False)),
    ]
    assert str(found[5]) == "a.table (a table)"


def test_a_module_of_nothing() -> None:
    found = read_module_types(module_of(section(0, b"\4name: nothing")))
    assert (found.imports, found.exports) == ([], set())


def test_types_that_c_does_not_have() -> None:
    """A reference with a type of its own is followed by what it refers to."""
    kinds = [b"\x60\3\x7b\x63\0\x7f\1\x64\x80\1", b"\x60\2\x6f\x7c\0"]
    imports = [import_of("a", "odd", b"\0\0"), import_of("a", "next", b"\0\1")]
    module = module_of(section(1, vector(kinds)), section(2, vector(imports)))
    assert [str(one) for one in read_module_types(module).imports] == [
        "a.odd(v128, ref, i32) -> ref",
        "a.next(ref, f64) -> nothing",
    ]


def test_types_of_garbage_collected_languages_are_refused() -> None:
    structure = b"\x5f\1\x7f\0"
    words = (
        "^the module has types other than functions', as languages with garbage collection make "
        "them: only modules of C's types can be opened$"
    )
    with pytest.raises(NotSupportedError, match=words):
        read_module_types(module_of(section(1, vector([structure]))))


def test_a_file_that_ends_too_early() -> None:
    binary = SmallModule([("env", "mix", (["i32"], []))]).binary()
    for end in (12, 17, 22, len(binary) - 1):
        with pytest.raises(
            ValueError, match=r"^the file ends in the middle of a section: it is not"
        ):
            read_module_types(binary[:end])
