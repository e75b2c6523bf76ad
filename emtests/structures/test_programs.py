"""What programs build of structures: lists and trees that C walks too."""

from __future__ import annotations

import ctypes
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap import Arena, HeapManager, Pointer, Struct, field, int32, int64
from emheap._util.platform import IN_PYODIDE
from emtests.compilers import GCC, missing
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import FIXTURES, MISSING, open_guest

MANY = 10_000


class Link(Struct):
    number: int32
    next: Pointer[Link] = field()


class Tree(Struct):
    key: int32
    left: Pointer[Tree] = field()
    right: Pointer[Tree] = field()
    size: int64 = field(default=1)


@dataclass(frozen=True)
class Walker:
    """C code that walks what lies in the memory of a heap."""

    heap: HeapManager
    sum: Callable[[int], int]
    reverse: Callable[[int], int]
    count: Callable[[int], int]


def walk_natively(folder: Path) -> Walker:
    if missing(*GCC):
        skip_for_gap("gcc", missing(*GCC))
    made = folder / "links.so"
    options = ["-O1", "-o", str(made), str(FIXTURES / "links.c")]
    subprocess.run([*GCC, *options], check=True, timeout=60)
    library = ctypes.CDLL(str(made))
    for function in (library.sum, library.reverse, library.count):
        function.argtypes, function.restype = (ctypes.c_void_p,), ctypes.c_int32
    library.reverse.restype = ctypes.c_void_p
    return Walker(emheap.open(), library.sum, library.reverse, library.count)


def walk_here(_: Path) -> Walker:
    """In Pyodide's own memory, which the module is given for its own."""
    import pyodide_js

    from emtests.backends.javascript.buffers import js_object
    from emtests.backends.javascript.instances import instantiate

    memory = getattr(pyodide_js._module, "memory", None)
    if memory is None:
        skip_for_gap("C in Pyodide's memory", "this release keeps its WebAssembly.Memory to itself")
    imports = js_object(env=js_object(memory=memory))
    exports = instantiate(FIXTURES / "links.wasm", imports).exports
    return Walker(emheap.open(), exports.sum, exports.reverse, exports.count)


def walk_in_javascript(_: Path) -> Walker:
    from emtests.backends.javascript.buffers import js_object
    from emtests.backends.javascript.instances import instantiate

    guest: Any = open_guest("guest32")
    imports = js_object(env=js_object(memory=guest.instance.exports.memory))
    exports = instantiate(FIXTURES / "links.wasm", imports).exports
    return Walker(guest.heap, exports.sum, exports.reverse, exports.count)


def walk_in_wasmtime(_: Path) -> Walker:
    if MISSING["guest32"]:
        skip_for_gap("guest32", MISSING["guest32"])
    import wasmtime

    guest: Any = open_guest("guest32")
    module = wasmtime.Module.from_file(guest.store.engine, str(FIXTURES / "links.wasm"))
    instance = wasmtime.Instance(guest.store, module, [guest.exports["memory"]])
    exports: Any = instance.exports(guest.store)
    named = (partial(exports[name], guest.store) for name in ("sum", "reverse", "count"))
    return Walker(guest.heap, *named)


WALKS = (walk_here, walk_in_javascript) if IN_PYODIDE else (walk_natively, walk_in_wasmtime)


@pytest.fixture(params=WALKS, ids=lambda walk: walk.__name__)
def walker(request: pytest.FixtureRequest, tmp_path: Path) -> Walker:
    walk: Callable[[Path], Walker] = request.param
    return walk(tmp_path)


def make_list(scratch: Arena, count: int) -> Link:
    head = scratch.alloc(Link, number=count)
    for number in range(count - 1, 0, -1):
        head = scratch.alloc(Link, number=number, next=head)
    return head


def numbers_of(head: Link | None) -> list[int]:
    numbers = []
    while head is not None:
        numbers.append(head.number)
        head = head.next.get()
    return numbers


def test_a_list_of_many_links(scratch: Arena) -> None:
    head = make_list(scratch, 200)
    assert numbers_of(head) == list(range(1, 201))
    head.next.target.next = None
    assert numbers_of(head) == [1, 2]


def test_a_list_is_walked_and_turned_round_by_c(walker: Walker) -> None:
    heap = walker.heap
    with heap.arena() as scratch:
        head = make_list(scratch, MANY)
        assert walker.sum(head.address) == MANY * (MANY + 1) // 2
        assert numbers_of(head) == list(range(1, MANY + 1))
        turned = heap.wrap(Link, walker.reverse(head.address))
        assert numbers_of(turned) == list(range(MANY, 0, -1))
        assert not head.next
    with pytest.raises(emheap.UseAfterFreeError):
        _ = turned.number


def insert(scratch: Arena, tree: Tree, key: int) -> None:
    while True:
        side = "left" if key < tree.key else "right"
        found: Tree | None = getattr(tree, side).get()
        if found is None:
            setattr(tree, side, scratch.alloc(Tree, key=key))
            return
        tree = found


def keys_of(tree: Tree) -> list[int]:
    """In order, with no recursion: a tree may be deep."""
    keys: list[int] = []
    waiting: list[Tree] = []
    here: Tree | None = tree
    while waiting or here is not None:
        while here is not None:
            waiting.append(here)
            here = here.left.get()
        here = waiting.pop()
        keys.append(here.key)
        here = here.right.get()
    return keys


def test_a_tree_is_counted_by_c(walker: Walker) -> None:
    keys = random.Random(5).sample(range(1_000_000), MANY)
    with walker.heap.arena() as scratch:
        root = scratch.alloc(Tree, key=keys[0])
        for key in keys[1:]:
            insert(scratch, root, key)
        assert keys_of(root) == sorted(keys)
        assert walker.count(root.address) == MANY
        assert root.size == MANY
        assert root.left.target.size + root.right.target.size == MANY - 1
