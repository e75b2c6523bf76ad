"""References, arrays and lists on another module's heap, which JavaScript owns."""

from __future__ import annotations

import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import emheap
from emtests.bench.measuring import Contest, Statement
from emtests.bench.rows.base import Row, timed
from emtests.webassembly.guests import open_guest

_COUNT = 1000
_MANY = 100_000
_INDEX = 7


class _Rivals:
    """A guest's heap, and the typed array that a program without emheap would keep."""

    def __init__(self, kind: str, count: int) -> None:
        import js

        self.guest = open_guest("guest32")
        self.numbers = self.guest.heap.alloc_array(getattr(emheap, kind), count)
        (instance,) = self.guest.parts
        buffer = instance.exports.memory.buffer
        name = {"int32": "Int32Array", "float32": "Float32Array"}[kind]
        self.peer = getattr(js, name).new(buffer)
        self.start = self.numbers.address // 4


@contextmanager
def _item(ours: str, peer: str) -> Iterator[Contest]:
    rivals = _Rivals("int32", _COUNT)
    number = rivals.guest.heap.alloc(emheap.int32, 41)
    numbers, index = rivals.numbers, rivals.start + _INDEX + 1
    numbers[_INDEX] = numbers[_INDEX + 1] = 41

    def check(mine: Any, its: Any) -> None:
        assert mine in (None, 41), mine
        assert its in (None, 41), its
        if mine is None:
            assert 42 in (numbers[_INDEX], number.value)

    names = {"numbers": numbers, "ref": number, "value": 42}
    its_names = {"array": rivals.peer, "index": index, "value": 41}
    yield Contest(Statement(ours, names), Statement(peer, its_names), check)
    rivals.guest.heap.free_all()


@contextmanager
def _from_list() -> Iterator[Contest]:
    rivals = _Rivals("float32", _MANY)
    values = [number * 0.5 for number in range(_MANY)]
    part = rivals.peer.subarray(rivals.start, rivals.start + _MANY)

    def check(_: Any, __: Any) -> None:
        assert rivals.numbers[:] == values

    ours = Statement("numbers[:] = values", {"numbers": rivals.numbers, "values": values})
    names = {"part": part, "array": array.array, "values": values}
    yield Contest(ours, Statement("part.assign(array('f', values))", names), check)
    rivals.guest.heap.free_all()


def _by_index(numbers: Any) -> int:
    return sum(numbers[index] for index in range(_COUNT))


def _by_slice(numbers: Any) -> int:
    return sum(numbers[:])


def _by_edit(numbers: Any) -> int:
    with numbers.edit() as buffer:
        return sum(buffer[index] for index in range(_COUNT))


@contextmanager
def _loop(ours: Callable[[Any], int]) -> Iterator[Contest]:
    rivals = _Rivals("int32", _COUNT)
    rivals.numbers[:] = range(_COUNT)
    heap, start = rivals.peer, rivals.start

    def peer() -> int:
        return sum(heap[index] for index in range(start, start + _COUNT))

    def check(mine: Any, its: Any) -> None:
        assert mine == its == sum(range(_COUNT))

    yield Contest(
        Statement("result = work(numbers)", {"work": ours, "numbers": rivals.numbers}),
        Statement("result = work()", {"work": peer}),
        check,
    )
    rivals.guest.heap.free_all()


_TEXTS = [f"customer name {number}" for number in range(2000)]


class _Exports:
    """The functions and the memory of a module, as a program without emheap would keep them."""

    def __init__(self, instance: Any) -> None:
        import js

        exports = instance.exports
        self.malloc, self.free = exports.malloc, exports.free
        self.free(self.malloc(1 << 20))  # so that the memory need not grow later on
        self.octets = js.Uint8Array.new(exports.memory.buffer)
        self.pointers = js.Uint32Array.new(exports.memory.buffer)

    def there_and_back(self) -> list[str]:
        count = len(_TEXTS)
        table = self.malloc(4 * count)
        pointers = self.pointers.subarray(table // 4, table // 4 + count)
        for index, text in enumerate(_TEXTS):
            data = text.encode() + b"\0"
            address = self.malloc(len(data))
            self.octets.subarray(address, address + len(data)).assign(data)
            pointers[index] = address
        found = []
        for address in pointers.to_py().tolist():
            end = self.octets.indexOf(0, address)
            found.append(self.octets.subarray(address, end).to_bytes().decode())
            self.free(address)
        self.free(table)
        return found


@contextmanager
def _strings() -> Iterator[Contest]:
    guest = open_guest("guest32")
    (instance,) = guest.parts

    def ours() -> list[str]:
        with guest.heap.alloc_strings(emheap.utf8, _TEXTS) as names:
            return guest.heap.read_strings(emheap.utf8, names.address)

    def check(mine: Any, its: Any) -> None:
        assert mine == its == _TEXTS

    code = "result = go()"
    yield Contest(
        Statement(code, {"go": ours}),
        Statement(code, {"go": _Exports(instance).there_and_back}),
        check,
    )


def _rows() -> Iterator[Row]:
    get, put = "result = array[index]", "array[index] = value"
    for work, ours, peer, limit in (
        ("a[i] in a module's heap", "result = numbers[7]", get, 2.0),
        ("a[i] = v in a module's heap", "numbers[7] = value", put, 3.2),
        ("ref.value in a module's heap", "result = ref.value", get, 2.0),
        ("ref.value = v in a module's heap", "ref.value = value", put, 4.5),
    ):
        yield timed(work, "HEAP32[i]", partial(_item, ours, peer), pyodide=limit)
    peer = "assign(array('f', list))"
    yield timed("100,000 float32 from a list, in a module's heap", peer, _from_list, pyodide=0.3)
    peer = "malloc, assign, to_bytes by hand"
    yield timed("2,000 names to char** and back, in a module's heap", peer, _strings, pyodide=0.2)
    for how, work_of, limit in (
        ("a[i]", _by_index, 2.0),
        ("a[:]", _by_slice, 0.4),
        ("edit()", _by_edit, 1.0),
    ):
        work = f"sum of 1,000 int32 by {how}, in a module's heap"
        yield timed(work, "HEAP32[i] in a loop", partial(_loop, work_of), pyodide=limit)


JAVASCRIPT_REF_ROWS = list(_rows())
