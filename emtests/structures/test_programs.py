"""What programs build of structures: lists and trees that C walks too."""

from __future__ import annotations

import ctypes
import random
import subprocess
from pathlib import Path

import pytest

import emheap
from emheap import Arena, Pointer, Struct, field, int32, int64
from emtests.conftest import skip_for_gap
from emtests.structures.compilers import missing

MANY = 10_000


class Link(Struct):
    number: int32
    next: Pointer[Link] = field()


class Tree(Struct):
    key: int32
    left: Pointer[Tree] = field()
    right: Pointer[Tree] = field()
    size: int64 = field(default=1)


SOURCE = """
#include <stdint.h>
struct link { int32_t number; struct link *next; };
struct tree { int32_t key; struct tree *left, *right; int64_t size; };
int64_t sum(struct link *link) {
    int64_t total = 0;
    for (; link; link = link->next) total += link->number;
    return total;
}
struct link *reverse(struct link *link) {
    struct link *done = 0;
    while (link) { struct link *next = link->next; link->next = done; done = link; link = next; }
    return done;
}
int64_t count(struct tree *tree) {
    return tree ? tree->size = 1 + count(tree->left) + count(tree->right) : 0;
}
"""


@pytest.fixture(scope="module")
def walker(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if missing("gcc"):
        skip_for_gap("gcc", missing("gcc"))
    folder: Path = tmp_path_factory.mktemp("walker")
    (folder / "walker.c").write_text(SOURCE, encoding="utf-8")
    made, source = str(folder / "walker.so"), str(folder / "walker.c")
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", made, source], check=True, timeout=60)
    library = ctypes.CDLL(made)
    for function, result in (
        (library.sum, ctypes.c_int64),
        (library.reverse, ctypes.c_void_p),
        (library.count, ctypes.c_int64),
    ):
        function.argtypes, function.restype = (ctypes.c_void_p,), result
    return library


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


@pytest.mark.once
def test_a_list_is_walked_and_turned_round_by_c(walker: ctypes.CDLL) -> None:
    heap = emheap.open()
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


@pytest.mark.once
def test_a_tree_is_counted_by_c(walker: ctypes.CDLL) -> None:
    keys = random.Random(5).sample(range(1_000_000), MANY)
    with emheap.open().arena() as scratch:
        root = scratch.alloc(Tree, key=keys[0])
        for key in keys[1:]:
            insert(scratch, root, key)
        assert keys_of(root) == sorted(keys)
        assert walker.count(root.address) == MANY
        assert root.size == MANY
        assert root.left.target.size + root.right.target.size == MANY - 1
