"""Binding: what is missing, what contradicts the module, what a declaration cannot have."""

from __future__ import annotations

import copy
import ctypes
import ctypes.util
import gc
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

import pytest

import emheap
from emheap import (
    Function,
    HeapManager,
    Library,
    NotSupportedError,
    OutOfBoundsError,
    c,
    load_wasm,
)
from emheap._util.elf import exported_functions
from emheap._util.platform import IN_PYODIDE
from emheap.calls.library import functions_of
from emtests.blocks.test_one_step import at_each_moment
from emtests.calls.declared import Calls
from emtests.calls.ways import Way, shared_library
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import why_missing
from emtests.webassembly.modules import SmallModule


def test_a_missing_function_is_named_with_a_cure(way: Way, c_heap: HeapManager) -> None:
    class Wrong(Library):
        ad: Function[[c.int, c.int], c.int]

    with pytest.raises(NotSupportedError, match="has no function ad") as caught:
        way.bind(Wrong, c_heap)
    assert "the nearest it has: add" in str(caught.value)
    cure = "check its spelling and the library's version"
    if way.is_wasm and IN_PYODIDE:
        cure = (
            "export it: add _ad to the list of emcc -sEXPORTED_FUNCTIONS (a second list replaces "
            "the first), or link it with clang -Wl,--export=ad"
        )
    elif way.is_wasm:
        cure = 'export it: -Wl,--export=ad, or __attribute__((export_name("ad")))'
    assert cure in str(caught.value)


def test_a_lazy_function_may_be_missing_until_it_is_called(way: Way, c_heap: HeapManager) -> None:
    class Partly(Library, lazy=["newer"]):
        add: Function[[c.int, c.int], c.int]
        newer: Function[[], None]

    library = way.bind(Partly, c_heap)
    assert library.add(1, 2) == 3
    with pytest.raises(NotSupportedError, match="has no function newer"):
        library.newer()

    class Misspelt(Partly):
        ad: Function[[c.int, c.int], c.int]

    with pytest.raises(NotSupportedError, match="has no function ad"):
        way.bind(Misspelt, c_heap)

    class MisspeltBeside(Library, lazy=["newer"]):
        ad: Function[[c.int, c.int], c.int]
        newer: Function[[], None]

    with pytest.raises(NotSupportedError, match="has no function ad"):
        way.bind(MisspeltBeside, c_heap)

    class All(Library, lazy=True):
        newer: Function[[], None]

    assert way.bind(All, c_heap).newer is not None


def test_a_prefix_and_a_base_class(way: Way, c_heap: HeapManager) -> None:
    class Base(Library, prefix="same_"):
        int: Function[[c.int], c.int]

    class Derived(Base):
        add: Function[[c.int, c.int], c.int]

    library = way.bind(Derived, c_heap)
    assert (library.int(5), library.add(1, 2)) == (5, 3)


def test_lazy_names_functions_of_its_class(way: Way, c_heap: HeapManager) -> None:
    class Misspelt(Library, lazy=["newr"]):
        add: Function[[c.int, c.int], c.int]

    with pytest.raises(TypeError, match="Misspelt declares no function newr, which is to be lazy"):
        way.bind(Misspelt, c_heap)
    with pytest.raises(TypeError, match="lazy is True or a list of names, not the text 'add'"):

        class Text(Library, lazy="add"):  # type: ignore[arg-type]
            add: Function[[c.int, c.int], c.int]


def test_names_that_python_has_already(way: Way, c_heap: HeapManager) -> None:
    class Taken(Library, lazy=True):
        lambda_: Function[[c.int], c.int]
        callback_: Function[[], None]
        add_: Function[[], None]

    library = way.bind(Taken, c_heap)
    for call, name in (
        (lambda: library.lambda_(1), "lambda"),
        (library.callback_, "callback"),
        (library.add_, "add_"),
    ):
        with pytest.raises(NotSupportedError, match=f"has no function {name}( \\(the|;)"):
            call()

    class Prefixed(Library, prefix="lib_", lazy=True):
        raise_: Function[[c.int], c.int]

    with pytest.raises(NotSupportedError, match=r"has no function lib_raise( \(the|;)"):
        way.bind(Prefixed, c_heap).raise_(1)

    class Reserved(Library):
        is_closed: Function[[], c.int]  # type: ignore[assignment]

    with pytest.raises(
        TypeError, match="every library has a member of this name; write is_closed_"
    ):
        way.bind(Reserved, c_heap)

    class Mangled(Library):
        __errno_location: Function[[], c.address]

    words = (
        r"Mangled\.__errno_location: Python changes names in a class that begin with two "
        r'underscores; declare errno_location in a class with prefix="__"'
    )
    with pytest.raises(TypeError, match=words):
        way.bind(Mangled, c_heap)


@pytest.mark.parametrize("name", ["raw", "state", "pending", "settle", "check0", "generated"])
def test_names_that_the_code_of_a_call_uses(name: str) -> None:
    if why_missing("printing"):
        skip_for_gap("WebAssembly", why_missing("printing"))
    module = SmallModule(written=[(name, (["i32"], ["i32"]), b"\x20\0")])
    named = type("Named", (Library,), {"__annotations__": {name: Function[[c.int], c.int]}})
    call = getattr(load_wasm(module.binary(), wrap_only=True).library(named), name)
    assert call(7) == 7
    with pytest.raises(
        TypeError, match=rf"parameter 1 of {name}\(\) \(int\) takes an int, not str"
    ):
        call("7")
    with pytest.raises(TypeError, match=rf"{name}\(\) missing 1 required positional argument"):
        call()


def test_a_contradiction_is_found(way: Way, c_heap: HeapManager) -> None:
    if not way.is_wasm:
        skip_for_gap("a function's type", "shared libraries do not tell")

    class Wide(Library):
        add: Function[[c.int, c.longlong], c.int]

    class Long(Library):
        add: Function[[c.int, c.int, c.int], c.int]

    class Short(Library):
        mix: Function[[c.char, c.uint], c.double]

    class Void(Library):
        add: Function[[c.int, c.int], None]

    for wrong, declared, found in (
        (
            Wide,
            r"add\(int, long long\) -> int is not .* declared as \(i32, i64\) -> i32",
            "i32, i32",
        ),
        (Long, r"declared as \(i32, i32, i32\) -> i32", r"\(i32, i32\) -> i32"),
        (Short, r"declared as \(i32, i32\) -> f64", "5 parameters|i32, i32, i64, f32, f64"),
        (Void, r"declared as \(i32, i32\) -> nothing", r"\(i32, i32\) -> i32"),
    ):
        with pytest.raises(NotSupportedError, match=f"{declared}.*{found}"):
            way.bind(wrong, c_heap)


def test_what_c_cannot_have(way: Way, c_heap: HeapManager) -> None:
    class PlainInt(Library):
        add: Function[[int, c.int], c.int]

    class PlainText(Library):
        add: Function[[c.int], str]

    class Type(Library):
        add: Function[[emheap.int32], c.int]

    class NoFunction(Library):
        add: c.int

    class NoneParameter(Library):
        add: Function[[None], c.int]

    class Optional(Library):
        add: Function[[c.int], c.int | None]

    for wrong, words in (
        (PlainInt, r"PlainInt\.add: parameter 1 is int, .*; write the C type, such as c\.int"),
        (PlainText, r"PlainText\.add: the result is str, .*; write c\.string .* and c\.text"),
        (Type, r"parameter 1 is int32, .*; write c\.int32 for the number, or c\.out"),
        (NoFunction, r"NoFunction\.add is .*: a library declares Function"),
        (NoneParameter, r"parameter 1 cannot be None: leave it out"),
        (Optional, r"only c\.text and owned results can be None"),
    ):
        with pytest.raises(TypeError, match=words):
            way.bind(wrong, c_heap)
    with pytest.raises(TypeError, match="expected a class derived from Library, got"):
        c_heap.library(int)  # type: ignore[type-var]
    with pytest.raises(TypeError, match=r"Calls is opened by a heap: heap\.library\(Calls"):
        Calls()


def test_a_heap_without_code() -> None:
    heap = emheap.wrap_buffer(bytearray(256))
    with pytest.raises(NotSupportedError, match="has no code whose functions could be called"):
        heap.library(Calls)


def test_a_library_says_what_it_is(calls: Calls) -> None:
    assert repr(calls).startswith("<Calls in ")
    assert calls.add.__doc__ == "C's add(int, int) -> int."


def test_names_that_the_class_statement_sees(way: Way, c_heap: HeapManager) -> None:
    names: dict[str, Any] = {"Function": Function, "Library": Library, "c": c}
    exec(_IN_A_FUNCTION, names)
    assert way.bind(names["declare"](), c_heap).add(1, 2) == 3


_IN_A_FUNCTION = """
from __future__ import annotations

def declare():
    Local = c.int

    class InAFunction(Library):
        add: Function[[Local, Local], Local]

    return InAFunction
"""


def test_another_thread_that_reads_the_same_declarations() -> None:
    names: dict[str, Any] = {"Function": Function, "Library": Library, "c": c}
    exec(_IN_A_FUNCTION, names)
    classes: list[Any] = []

    def declared() -> list[str]:
        return [str(signature) for signature, _ in functions_of(classes[0]).values()]

    def run() -> list[str]:
        classes[:] = [names["declare"]()]
        return declared()

    for result in at_each_moment(run, lambda: classes and declared()):
        assert result == ["(int, int) -> int"]


_AMONG_OTHERS = """
from __future__ import annotations
large = {1, 2, 3}

class InAModule(Library):
    add: Function[[c.int, c.int], c.int]

def declare():
    large, Local = {4, 5, 6}, c.int

    class InAFunction(Library):
        add: Function[[Local, Local], Local]

    return InAFunction, WeakReference(large)
"""


def test_what_else_the_class_statement_sees_is_not_kept(way: Way, c_heap: HeapManager) -> None:
    names: dict[str, Any] = {"Function": Function, "Library": Library, "c": c}
    names["WeakReference"] = WeakReference
    exec(_AMONG_OTHERS, names)
    there = WeakReference(names.pop("large"))
    assert there() is None, "the class has what its module had"
    inner, there = names["declare"]()
    for library in (names["InAModule"], inner):
        assert way.bind(library, c_heap).add(1, 2) == 3
    gc.collect()
    assert there() is None, "the class has what its function had"
    assert way.bind(inner, c_heap).add(1, 2) == 3


def test_a_name_that_is_not_there_at_run_time(way: Way, c_heap: HeapManager) -> None:
    class Unknown(Library):
        add: Function[[NoSuchName], c.int]  # type: ignore[name-defined]  # noqa: F821

    words = (
        r"Unknown\.add: name 'NoSuchName' is not defined; the types of a library must be "
        "importable at run time, not under TYPE_CHECKING alone"
    )
    with pytest.raises(TypeError, match=words):
        way.bind(Unknown, c_heap)


def test_sources_of_this_process() -> None:
    if IN_PYODIDE:
        skip_for_gap("a shared library", "Pyodide has no compiler")
    heap = emheap.open()
    loaded = ctypes.CDLL(shared_library())
    assert heap.library(Calls, loaded).add(1, 2) == 3
    for path in (shared_library(), shared_library().encode(), Path(shared_library())):
        assert heap.library(Calls, path).add(1, 2) == 3
    name = ctypes.util.find_library("c")
    if name is not None:
        assert heap.library(Libc, name).abs(-5) == 5
    with pytest.raises(OSError, match="no_such_library"):
        heap.library(Calls, "no_such_library.so")
    with pytest.raises(
        TypeError, match=r"path or name of a shared library, a ctypes\.CDLL, or None"
    ):
        heap.library(Calls, 5)


class Libc(Library):
    strlen: Function[[c.string], c.size_t]
    abs: Function[[c.int], c.int]
    qsort: Function[
        [c.buffer, c.size_t, c.size_t, c.callback[Callable[[c.address, c.address], c.int]]], None
    ]


def test_the_programs_own_c_library() -> None:
    heap = emheap.open()
    libc = heap.library(Libc)
    assert libc.strlen("héllo") == 6
    assert libc.abs(-5) == 5

    def compare(a: int, b: int) -> int:
        return heap.read_int32(a) - heap.read_int32(b)

    with heap.alloc_array(emheap.int32, [5, 3, 9, 1]) as numbers:
        libc.qsort(numbers, len(numbers), emheap.int32.size, compare)
        assert numbers[:] == [1, 3, 5, 9]

    class Missing(Library):
        stackAlloc: Function[[c.int], c.address]  # noqa: N815 (in Pyodide it is JavaScript's)

    with pytest.raises(NotSupportedError, match="this process has no function stackAlloc"):
        heap.library(Missing)

    class Misspelt(Library):
        strcopy: Function[[c.buffer, c.string], c.address]

    with pytest.raises(
        NotSupportedError, match=r"no function strcopy \(the nearest it has: .*strcpy"
    ):
        heap.library(Misspelt)


def test_the_names_of_a_file_that_is_no_library(tmp_path: Path) -> None:
    assert exported_functions(tmp_path / "missing.so") == []
    for data in (b"", b"no library", b"\x7fELF\3" + bytes(200), b"\x7fELF\2" + b"\xff" * 200):
        (tmp_path / "damaged.so").write_bytes(data)
        assert exported_functions(tmp_path / "damaged.so") == []


def test_function_pointers_of_this_process() -> None:
    libc = emheap.open().library(Libc)
    kind = Function[[c.int], c.int]
    address = libc.function_pointer(kind, lambda value: value + 1)
    assert libc.function_at(kind, address)(4) == 5
    if not IN_PYODIDE:
        skip_for_gap("what an address is of", "the process does not tell")
    with pytest.raises(OutOfBoundsError, match="99999999 is no function of this process"):
        libc.function_at(kind, 99999999)
    wrong: Any = Function[[c.double], c.int]
    with pytest.raises(
        NotSupportedError, match=r"\(f64\) -> i32, and the module has \(i32\) -> i32"
    ):
        libc.function_at(wrong, address)


def test_a_library_is_not_pickled(calls: Calls) -> None:
    for copy_it in (pickle.dumps, copy.copy, copy.deepcopy):
        words = (
            "a library cannot be pickled or copied: its functions are in this process; open it "
            r"again by heap.library\(\)"
        )
        with pytest.raises(TypeError, match=words):
            copy_it(calls)
        words = r"a heap cannot be pickled or copied: .* is in this process; open it again there"
        with pytest.raises(TypeError, match=words):
            copy_it(calls._services.heap)


def test_a_contradiction_in_pyodides_own_module() -> None:
    if not IN_PYODIDE:
        skip_for_gap("a function's type", "shared libraries do not tell")

    class Wrong(Library):
        abs: Function[[c.longlong], c.int]

    with pytest.raises(NotSupportedError, match=r"\(i64\) -> i32, and the module has \(i32\)"):
        emheap.open().library(Wrong)
