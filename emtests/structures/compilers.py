"""Where compilers lay out structures: by code that runs, and by libclang's own word.

The code fills one member after the other with ones; which bits changed tells where it lies.
"""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emheap.types.abi import ABI, ABIS, WASM32, native_abi
from emtests.compilers import GCC, WASM, missing
from emtests.structures.declarations import Declared, FieldOf, place_declared, to_c

_ROOM = 1 << 16
_TIME = 300


class Compiled(NamedTuple):
    """Structures as one compiler laid them out."""

    abi: ABI
    measure: Callable[[int], tuple[int, int]]
    """The size and the alignment of a structure, by its index."""
    fill: Callable[[int, int, int], bytes]
    """The bytes, of so many, of a structure in which one member is all ones."""


def why_unasked(compiler: str) -> str:
    """Why a compiler cannot be asked here; empty where it can."""
    package = {"libclang": "clang", "clang": "wasmtime"}.get(compiler)
    if package and importlib.util.find_spec(package) is None:
        return f"{package} of PyPI is not installed here"
    return {"gcc": missing(*GCC), "clang": missing(*WASM)}.get(compiler, "")


def compile_with(compiler: str, structures: Sequence[Declared], folder: Path) -> Compiled:
    source = folder / "structures.c"
    source.write_text(_program(structures), encoding="utf-8")
    return _run_natively(source) if compiler == "gcc" else _run_in_wasmtime(source)


def _program(structures: Sequence[Declared]) -> str:
    """C functions that measure and fill the structures, with no need of a C library."""
    measures, fills = [], []
    for index, each in enumerate(structures):
        name = each.c_name
        measures.append(f"case {index}: return sizeof({name}) << 8 | _Alignof({name});")
        named = [member for member in each.fields if member.name]
        cases = "\n".join(f"case {at}: {_fill(member)}" for at, member in enumerate(named))
        fills.append(f"case {index}: {{ {name} *s = at; switch (member) {{ {cases} }} break; }}")
    return "\n".join(
        [
            *map(to_c, structures),
            '#define EXPORT __attribute__((visibility("default")))',
            f"static char room[{_ROOM}] __attribute__((aligned(64)));",
            "EXPORT void *get_room(void) { return room; }",
            "EXPORT unsigned measure(int index) { switch (index) {",
            *measures,
            "} return 0; }",
            "EXPORT void fill(int index, int member, void *at) { switch (index) {",
            *fills,
            "} }",
        ]
    )


def _fill(member: FieldOf) -> str:
    if member.width is not None:
        ones = "1" if member.kind == "bool" else "~0ull"
        return f"s->{member.name} = {ones}; break;"
    return f"__builtin_memset(&s->{member.name}, 255, sizeof s->{member.name}); break;"


def _run_natively(source: Path) -> Compiled:
    library = source.with_suffix(".so")
    subprocess.run([*GCC, "-O1", "-w", "-o", library, source], check=True, timeout=_TIME)
    loaded = ctypes.CDLL(str(library))
    room = ctypes.create_string_buffer(_ROOM)

    def measure(index: int) -> tuple[int, int]:
        both = loaded.measure(index)
        return both >> 8, both & 255

    def fill(index: int, member: int, size: int) -> bytes:
        ctypes.memset(room, 0, size)
        loaded.fill(index, member, room)
        return room.raw[:size]

    return Compiled(native_abi(), measure, fill)


def _run_in_wasmtime(source: Path) -> Compiled:
    import wasmtime

    made = source.with_suffix(".wasm")
    options = ["-O1", "-w", "-mbulk-memory"]
    exports = [f"-Wl,--export={name}" for name in ("get_room", "measure", "fill")]
    command = [*WASM, *options, *exports, "-o", str(made), str(source)]
    subprocess.run(command, check=True, timeout=_TIME)
    store = wasmtime.Store()
    module = wasmtime.Module.from_file(store.engine, str(made))
    exported: Any = wasmtime.Instance(store, module, []).exports(store)
    memory, room = exported["memory"], exported["get_room"](store)

    def measure(index: int) -> tuple[int, int]:
        both = exported["measure"](store, index)
        return both >> 8, both & 255

    def fill(index: int, member: int, size: int) -> bytes:
        memory.write(store, bytes(size), room)
        exported["fill"](store, index, member, room)
        return bytes(memory.read(store, room, room + size))

    return Compiled(WASM32, measure, fill)


def disagreements(structures: Sequence[Declared], compiled: Compiled) -> list[str]:
    """What differs between the code and emheap, for each structure where something does."""
    found = []
    for index, declared in enumerate(structures):
        placed = place_declared(declared, compiled.abi)
        ours, theirs = (placed.size, placed.alignment), compiled.measure(index)
        if ours != theirs:
            found.append(f"{to_c(declared)}\nsize, alignment: {ours}, in C {theirs}")
            continue
        kinds = {member.name: member for member in declared.fields}
        for number, (name, (start, length)) in enumerate(placed.bits.items()):
            filled = compiled.fill(index, number, placed.size)
            expected = ((1 << length) - 1) << start
            if int.from_bytes(filled, "little") != expected:
                found.append(f"{to_c(declared)}\n{kinds[name]}: {start}, {length}")
                break
    return found


def ask_libclang(target: str, structures: Sequence[Declared]) -> list[str]:
    """What differs between libclang's layout for a target and emheap's."""
    from clang import cindex

    source = "\n".join(map(to_c, structures))
    index = cindex.Index.create()
    # Otherwise libclang takes the signals of all faults for its own, also of those that wasmtime
    # makes traps of: then a trap in a test after this one ends the process.
    library: Any = cindex.conf.lib
    library.clang_toggleCrashRecovery(0)
    unit = index.parse(
        "structures.c",
        args=["-target", target, "-std=c11", "-w"],
        unsaved_files=[("structures.c", source)],
    )
    errors = [str(each) for each in unit.diagnostics if each.severity >= 3]
    assert not errors, errors[:3]
    known = {
        cursor.spelling: cursor.type
        for cursor in unit.cursor.get_children()
        if cursor.is_definition()
    }
    found = []
    for declared in structures:
        kind, placed = known[declared.tag], place_declared(declared, ABIS[target])
        ours = (placed.size, placed.alignment, {name: at for name, (at, _) in placed.bits.items()})
        offsets = {name: kind.get_offset(name) for name in placed.bits}
        theirs = (kind.get_size(), kind.get_align(), offsets)
        if ours != theirs:
            found.append(f"{target}: {to_c(declared)}\n{ours}, libclang says {theirs}")
    return found
