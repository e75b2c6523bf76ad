"""Structures and unions by value, as compilers pass them: random ones, in code that they made.

Each goes alone and among other arguments, so often that no register is left for the last.
"""

from __future__ import annotations

import random
import re
import struct
import subprocess
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap import (
    Array,
    Function,
    HeapManager,
    Library,
    NotSupportedError,
    Pointer,
    Struct,
    Union,
    array,
    bits,
    boolean,
    c,
    field,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    load_wasm,
    long,
    uint8,
    uint16,
    uint32,
    uint64,
    uint128,
    uintptr,
    ulong,
    utf8,
)
from emheap.calls import by_value
from emheap.calls.system_v import IS_SYSTEM_V
from emheap.types.abi import native_abi
from emheap.types.structs import StructType, layout_of
from emtests.calls.ways import Way
from emtests.compilers import GCC, WASM, missing
from emtests.conftest import skip_for_gap
from emtests.structures.declarations import Declared, FieldOf, make_structures, place_declared, to_c
from emtests.webassembly.guests import why_missing

KINDS: dict[str, Any] = {
    "bool": boolean, "char": int8, "uchar": uint8, "short": int16, "ushort": uint16,
    "int": int32, "uint": uint32, "long": long, "ulong": ulong, "longlong": int64,
    "ulonglong": uint64, "float": float32, "double": float64, "pointer": Pointer[Any],
}  # fmt: skip
COMPILERS: dict[str, list[str]] = {
    "gcc": [*GCC],
    "clang": ["clang", "-shared", "-fPIC"],
    "wasm": [*WASM, "-mbulk-memory", "-Wl,--export-table,--growable-table"],
}
HEAD = """
#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(#name)))
#else
#define EXPORT(name) __attribute__((visibility("default")))
#endif
#define PUT(value) __builtin_memcpy(at, &value, sizeof value), at += sizeof value
"""
FUNCTIONS = """
EXPORT(same_#) S same_#(S s) { return s; }
EXPORT(last_#) S last_#(int a, S s, S t, S u, S v, S w) { return w; }
EXPORT(all_#) void all_#(char *at, int a, S s, double d, S t, long long b, S u, float f, S v, S w,
                         int z) {
    PUT(s), PUT(t), PUT(u), PUT(v), PUT(w), PUT(a), PUT(d), PUT(b), PUT(f), PUT(z);
}
EXPORT(call_#) int call_#(int (*f)(char, S, double, S, S, S, S), S s, S t, S u, S v, S w) {
    return f(7, s, 0.5, t, u, v, w);
}
"""


def to_class(declared: Declared) -> Any:
    """The structure as emheap declares it."""
    space: dict[str, Any] = {"__annotations__": {}}
    for number, member in enumerate(declared.fields):
        name = member.name or f"_{number}"
        space["__annotations__"][name], space[name] = _field(member)
    options = {"pack": declared.pack, "align": declared.align}
    base = Union if declared.union else Struct
    return types.new_class(declared.tag, (base,), options, lambda into: into.update(space))


def _field(member: FieldOf) -> tuple[Any, Any]:
    kind: Any = to_class(member.kind) if isinstance(member.kind, Declared) else KINDS[member.kind]
    if member.width is not None:
        return (bool if member.kind == "bool" else int), bits(kind, member.width)
    if member.count is not None:
        kind = uintptr if member.kind == "pointer" else kind
        arrays: Any = Array
        return arrays[kind], array(member.count, align=member.align)
    return kind, field(align=member.align)


def numbers(kind: Any, abi: Any, base: int = 0) -> Iterator[tuple[Any, int, int]]:
    """The type, the first bit and the number of bits of each number in a structure."""
    for entry in kind._declaration.named:
        start, length = layout_of(kind, abi).placed.bits[entry.name]
        if isinstance(entry.kind, StructType):
            size = 8 * layout_of(entry.kind, abi).size
            for at in range(start, start + length, size):
                yield from numbers(entry.kind, abi, base + at)
        else:
            yield entry.kind, base + start, length


def value_of(kind: Any, abi: Any, source: random.Random) -> bytes:
    """Bytes of which each number is one that compilers copy unchanged."""
    data = bytearray(source.choices(range(1, 64), k=layout_of(kind, abi).size))
    for number, start, length in numbers(kind, abi):
        if number is boolean and start % 8 == 0:
            data[start // 8 : (start + length + 7) // 8] = b"\1" * -(-length // 8)
    return bytes(data)


def named_bits(kind: Any, abi: Any, data: bytes) -> int:
    """The bytes without padding."""
    mask = 0
    for _, start, length in numbers(kind, abi):
        mask |= (1 << length) - 1 << start
    return int.from_bytes(data, "little") & mask


declare: Any = Function
"""For signatures that are made when the test runs, which no checker reads."""


class Passing:
    """The functions of some structures, as one compiler made them."""

    def __init__(self, compiler: str, structures: Sequence[Declared], folder: Path) -> None:
        source, made = folder / "by_value.c", folder / "by_value.bin"
        functions = [
            f"#define S {one.c_name}\n{FUNCTIONS.replace('#', str(number))}#undef S"
            for number, one in enumerate(structures)
        ]
        source.write_text("\n".join([HEAD, *map(to_c, structures), *functions]), encoding="utf-8")
        command = [*COMPILERS[compiler], "-O1", "-w", "-o", str(made), str(source)]
        subprocess.run(command, check=True, timeout=300, capture_output=True)
        self.heap, self.source = emheap.open(), str(made)
        if compiler == "wasm":
            self.heap, self.source = load_wasm(made, malloc=None, free=None), ""
        self.abi = self.heap.layout(Plain).abi

    def bind(self, kind: Any, number: int) -> list[Callable[..., Any]]:
        """The functions of one structure."""
        calling = [c.char, kind, c.double, kind, kind, kind, kind]
        all_of = [c.int, kind, c.double, kind, c.longlong, kind, c.float, kind, kind, c.int]
        callback: Any = c.callback
        called = callback[declare[calling, c.int]]
        declared: dict[str, Any] = {
            f"same_{number}": declare[[kind], kind],
            f"last_{number}": declare[[c.int, *[kind] * 5], kind],
            f"all_{number}": declare[[c.buffer, *all_of], None],
            f"call_{number}": declare[[called, *[kind] * 5], c.int],
        }
        cls: Any = type("Functions", (Library,), {"__annotations__": declared})
        library: Any = self.heap.library(cls, self.source or None)
        return [getattr(library, name) for name in declared]

    def check(self, kind: Any, number: int, source: random.Random) -> None:
        """Pass structures of one kind each way, and see what arrives."""
        same, last, every, call = self.bind(kind, number)
        size = layout_of(kind, self.abi).size
        contents = [value_of(kind, self.abi, source) for _ in range(5)]
        expected = [named_bits(kind, self.abi, data) for data in contents]
        s, t, u, v, w = given = [self.heap.alloc(kind) for _ in contents]
        for ref, data in zip(given, contents, strict=True):
            self.heap.wrap_array(uint8, ref.address, size)[:] = data
        assert self.stored(kind, same(s)) == expected[0]
        assert self.stored(kind, last(5, s, t, u, v, w)) == expected[4]

        with self.heap.alloc_array(uint8, 5 * size + 28) as room:
            every(room, -5, s, 0.5, t, -(1 << 40), u, 0.25, v, w, 77)
            data = bytes(room)
        assert struct.unpack("<idqfi", data[-28:]) == (-5, 0.5, -(1 << 40), 0.25, 77)
        parts = [data[at : at + size] for at in range(0, 5 * size, size)]
        assert [named_bits(kind, self.abi, part) for part in parts] == expected

        def called(a: int, s: Any, d: float, *rest: Any) -> int:
            assert (a, d) == (7, 0.5)
            assert [self.stored(kind, one) for one in (s, *rest)] == expected
            return 11

        assert call(called, s, t, u, v, w) == 11
        for ref in given:
            ref.free()

    def try_out(self, declared: Declared, number: int) -> str:
        """Why a structure is refused; empty if all of it arrived everywhere."""
        try:
            self.check(to_class(declared), number, random.Random(number))
        except NotSupportedError as error:
            return str(error)
        except AssertionError as error:
            raise AssertionError(f"{to_c(declared)}\n{error}") from None
        return ""

    def stored(self, kind: Any, value: Any) -> int:
        """The bits of a value that C gave."""
        with self.heap.alloc(kind) as block:
            self.heap.write(kind, block.address, value)
            size = layout_of(kind, self.abi).size
            return named_bits(
                kind, self.abi, bytes(self.heap.wrap_array(uint8, block.address, size))
            )


class Plain(Struct):
    number: int32


class Large(Struct):
    numbers: Array[float64] = array(3)


def skip_without(compiler: str) -> None:
    reason = missing(*COMPILERS[compiler])
    if compiler == "wasm":
        reason = reason or why_missing("calls")
    if reason:
        skip_for_gap(compiler, reason)
    if compiler != "wasm" and not IS_SYSTEM_V:
        skip_for_gap("structures in registers", "this is no x86-64 with the System V ABI")


def mostly_small(seed: int, count: int) -> list[Declared]:
    """Random structures; most of them go in registers."""
    made, abi = make_structures(seed, 12 * count), native_abi()
    small = [one for one in made if place_declared(one, abi).size <= 16]
    large = [one for one in made if place_declared(one, abi).size > 16]
    return [*small[: count * 4 // 5], *large[: count // 5]]


def check_random(compiler: str, seed: int, count: int, folder: Path) -> None:
    skip_without(compiler)
    structures = mostly_small(seed, count)
    passing = Passing(compiler, structures, folder)
    reasons = [passing.try_out(one, number) for number, one in enumerate(structures)]
    refused = list(filter(None, reasons))
    assert all(re.search("cannot (be passed|come out of C) by value, for", one) for one in refused)
    assert len(refused) < count // 4


@pytest.mark.parametrize("compiler", COMPILERS)
def test_random_structures_arrive_as_they_were_sent(compiler: str, tmp_path: Path) -> None:
    check_random(compiler, 1, 60, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 4))
@pytest.mark.parametrize("compiler", COMPILERS)
def test_more_random_structures(compiler: str, seed: int, tmp_path: Path) -> None:
    check_random(compiler, seed, 300, tmp_path)


def test_a_structure_in_the_last_register_spoils_no_other_argument(tmp_path: Path) -> None:
    """As it does where libffi copies all of it to the place of that register."""
    skip_without("gcc")

    class Both(Struct):
        whole: int64
        real: float64

    class Two(Struct):
        one: int64
        other: int64

    class Mixing(Library):
        mix: Function[
            [c.double, c.long, c.long, c.long, c.long, c.long, Both, c.float, Both], c.double
        ]
        big: Function[[c.double, c.long, c.long, c.long, c.long, Both, c.float], Large]
        late: Function[[c.double, c.long, c.long, c.long, c.long, c.long, Two, Both], c.double]

    source, made = tmp_path / "mixing.c", str(tmp_path / "mixing.so")
    source.write_text(
        """typedef struct { long whole; double real; } both;
        typedef struct { double numbers[3]; } large;
        double mix(double a, long b, long c, long d, long e, long f, both g, float h, both i) {
            return a + 2 * (b + c + d + e + f) + 3 * g.whole + 5 * g.real + 7 * h + 11 * i.real
                + 13 * i.whole;
        }
        large big(double a, long b, long c, long d, long e, both f, float g) {
            return (large){{a + b + c + d + e, f.whole + f.real, g}};
        }
        typedef struct { long one, other; } two;  // which is too large for the last register
        double late(double a, long b, long c, long d, long e, long f, two g, both h) {
            return a + 2 * (b + c + d + e + f) + 3 * g.one + 5 * g.other + 7 * h.whole
                + 11 * h.real;
        }"""
    )
    subprocess.run([*COMPILERS["gcc"], str(source), "-o", made], check=True, timeout=60)
    library = emheap.open().library(Mixing, made)
    first, second = Both(whole=6, real=99.5), Both(whole=-7, real=0.25)
    mixed = library.mix(0.5, 1, 2, 3, 4, 5, first, 0.125, second)
    assert mixed == 0.5 + 30 + 18 + 5 * 99.5 + 7 * 0.125 + 11 * 0.25 - 13 * 7
    assert library.big(0.5, 1, 2, 3, 4, first, 0.125).numbers[:] == [10.5, 105.5, 0.125]
    late = library.late(0.5, 1, 2, 3, 4, 5, Two(one=8, other=-9), first)
    assert late == 0.5 + 30 + 24 - 45 + 42 + 11 * 99.5


# What cannot be passed


class Moved(Struct, pack=1):
    tag: int8
    real: float64


class Padded(Struct, align=16):
    number: int32


class Wide(Struct, align=32):
    number: int32


class Gap(Struct):
    _: int = bits(int8, 5)
    real: float32


class SomeBits(Union, pack=2):
    number: int = bits(uint32, 26)


class MovedBits(Struct, pack=2):
    tag: int8
    inside: SomeBits


REFUSED = [
    (Moved, "real is not aligned, and such structures go on the stack"),
    (MovedBits, "number is not aligned, and such structures go on the stack"),
    (Padded, "eight bytes of it are padding, which libffi puts in the wrong place"),
    (Wide, "the stack that libffi makes is aligned to 16 bytes, not to 32"),
    (Gap, "compilers do not agree about a float beside unnamed bit-fields"),
]


def bind_absent(heap: HeapManager, kind: Any, source: Any = None) -> None:
    """Bind a function that takes a structure, and one that returns it, that nobody has."""
    cls = type(
        "Absent",
        (Library,),
        {"__annotations__": {"strlen": declare[[kind], c.int], "abs": declare[[c.int], kind]}},
    )
    heap.library(cls, source)


@pytest.mark.parametrize(("kind", "reason"), REFUSED, ids=lambda one: getattr(one, "__name__", ""))
def test_what_ctypes_would_put_elsewhere_is_refused(kind: Any, reason: str) -> None:
    if not IS_SYSTEM_V:
        skip_for_gap("structures in registers", "this is no x86-64 with the System V ABI")
    words = f"^{kind.__name__} cannot be passed by value, for {reason}; pass its address$"
    with pytest.raises(NotSupportedError, match=words):
        bind_absent(emheap.open(), kind)


class Half(Struct):
    real: float16


class Nested(Struct):
    number: uint128


class Outer(Struct):
    nested: Nested


def test_types_that_compilers_pass_differently_are_refused(way: Way, c_heap: HeapManager) -> None:
    for kind, name, where in (
        (Half, "Half", "real is of type float16"),
        (Outer, "Nested", "number is of type uint128"),
    ):
        cls = type("Same", (Library,), {"__annotations__": {"same_int": declare[[kind], c.int]}})
        words = f"^{name} cannot be passed by value, for {where}, which compilers pass differently"
        with pytest.raises(NotSupportedError, match=words):
            way.bind(cls, c_heap)


def test_what_is_refused_goes_by_its_address(way: Way, c_heap: HeapManager) -> None:
    ref: Any = c.ref
    for kind in (Moved, Wide, Half):
        declared = {"same_pointer": declare[[ref[kind]], c.address]}
        library: Any = way.bind(type("Same", (Library,), {"__annotations__": declared}), c_heap)
        with c_heap.alloc(kind) as value:
            assert library.same_pointer(value) == value.address


class SecondBit(Struct):
    _: bool = bits(boolean, 1)
    on: bool = bits(boolean, 1)


class AroundIt(Struct):
    inner: SecondBit


def test_a_bool_that_clang_loses_is_refused(way: Way, c_heap: HeapManager) -> None:
    for kind in (SecondBit, AroundIt):
        declared = {"same_uchar": declare[[kind], kind]}
        cls: Any = type("Same", (Library,), {"__annotations__": declared})
        if way.is_wasm:
            words = "SecondBit cannot be passed by value, for clang loses a bool that is not in the"
            with pytest.raises(NotSupportedError, match=words):
                way.bind(cls, c_heap)
        elif IS_SYSTEM_V:
            library: Any = way.bind(cls, c_heap)
            given = SecondBit(on=True) if kind is SecondBit else AroundIt(inner=SecondBit(on=True))
            assert library.same_uchar(given) == given


class Address(Union):
    place: Pointer[Any]
    number: uint32


class Message(Struct):
    tag: int32
    content: Address


def test_a_union_that_python_would_lay_out_otherwise_does_not_come_out(tmp_path: Path) -> None:
    skip_without("wasm")

    class Coming(Library):
        back: Function[[Message], Message]

    class Going(Library):
        there: Function[[Message], c.uint]

    class Calling(Library):
        call: Function[[c.callback[Callable[[Message], c.uint]]], c.uint]

    source, made = tmp_path / "coming.c", tmp_path / "coming.wasm"
    source.write_text(
        HEAD
        + """typedef struct { int tag; union { void *place; unsigned number; } content; } S;
        EXPORT(back) S back(S s) { return s; }
        EXPORT(there) unsigned there(S s) { return s.tag + s.content.number; }
        EXPORT(call) unsigned call(unsigned (*f)(S)) { return f((S){1, {0}}); }"""
    )
    subprocess.run([*COMPILERS["wasm"], str(source), "-o", str(made)], check=True, timeout=60)
    heap = load_wasm(made, malloc=None, free=None)
    words = (
        "^Message cannot come out of C by value, for the union Address is laid out otherwise in "
        "this process's memory, and which of its fields is meant is not known; let C store it "
        "where a parameter points to$"
    )
    with pytest.raises(NotSupportedError, match=words):
        heap.library(Coming)
    with heap.alloc(Message) as message:
        message.tag, message.content.number = 5, 37
        assert heap.library(Going).there(message) == 42
    with pytest.raises(NotSupportedError, match=words):
        heap.library(Calling).call(lambda message: 1)


class Named(Struct):
    name: Array[utf8] = array(12)
    number: int32


class Initial(Struct):
    letter: Array[utf8] = array(1)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_texts_in_structures(compiler: str, tmp_path: Path) -> None:
    skip_without(compiler)
    letters = Declared("initial", [FieldOf("letter", "char", count=1)])
    named = Declared("named", [FieldOf("name", "char", count=12), FieldOf("number", "int")])
    passing = Passing(compiler, [named, letters], tmp_path)
    for number, kind in enumerate((Named, Initial)):
        passing.check(kind, number, random.Random(number))


# Other machines, where ctypes knows how a structure of the same members goes


@pytest.fixture
def other_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """By-value structures as on a machine that emheap knows nothing about."""
    monkeypatch.setattr(by_value, "IS_SYSTEM_V", False)
    monkeypatch.setattr(by_value, "_made", {})


class Packed(Struct, pack=4):
    tag: int32
    name: Array[utf8] = array(4)
    real: float64


class Holding(Struct):
    first: Packed
    rest: Array[int16] = array(3)


@pytest.mark.usefixtures("other_machine")
def test_structures_of_plain_members_go_on_every_machine(tmp_path: Path) -> None:
    skip_without("gcc")
    packed = Declared(
        "packed",
        [FieldOf("tag", "int"), FieldOf("name", "char", count=4), FieldOf("real", "double")],
        pack=4,
    )
    holding = Declared("holding", [FieldOf("first", packed), FieldOf("rest", "short", count=3)])
    Passing("gcc", [holding], tmp_path).check(Holding, 0, random.Random(0))


class Either(Union):
    number: int32
    real: float32


class FewBits(Struct):
    low: int = bits(uint32, 5)


@pytest.mark.usefixtures("other_machine")
def test_unions_and_bits_do_not_go_on_every_machine() -> None:
    if emheap.open().layout(Plain).abi.name.startswith("wasm"):
        skip_for_gap("structures by ctypes", "in Pyodide's own module they go as WebAssembly's")
    for kind, reason in (
        (Either, "ctypes knows neither unions nor bit-fields on this machine"),
        (FewBits, "ctypes knows neither unions nor bit-fields on this machine"),
        (SomeBits, "ctypes knows neither unions nor bit-fields on this machine"),
        (Padded, "ctypes knows no align= on this machine"),
    ):
        words = f"^{kind.__name__} cannot be passed by value, for {reason}; pass its address$"
        with pytest.raises(NotSupportedError, match=words):
            bind_absent(emheap.open(), kind)
