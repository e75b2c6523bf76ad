"""The verbs of structures, parts, arrays of structures and pointers, with what they take."""

from __future__ import annotations

from typing import Any

import emheap
from emheap import Pointer, int32, uint8, utf8
from emheap.types.pointers import pointer_to as kind_of_pointers
from emtests.hostile.stealing import Call
from emtests.structures.kinds import Node, Packed, Vec

__all__ = ["structure_targets"]

PACKED = {"tag": 1, "value": 2, "bits": 3, "last": 4}
NODE_CALLS: dict[str, Call] = {
    "field =": lambda heap, ref, w: setattr(ref, "id", w(5)),
    "int64 field =": lambda heap, ref, w: setattr(ref, "big", w(5)),
    "bits =": lambda heap, ref, w: setattr(ref, "level", w(3)),
    "pointer =": lambda heap, ref, w: setattr(ref, "data", w(16)),
    "nested =": lambda heap, ref, w: setattr(ref, "at", (w(1), w(2))),
    "nested.field =": lambda heap, ref, w: setattr(ref.at, "x", w(2)),
    "union.field =": lambda heap, ref, w: setattr(ref.number, "as_int", w(2)),
    "array =": lambda heap, ref, w: setattr(ref, "pos", w([1, 2])),
    "array[i] =": lambda heap, ref, w: ref.pos.__setitem__(w(1), w(2)),
    "array[i:j]": lambda heap, ref, w: ref.pos[w(0) : w(2)],
    "grid[i, j] =": lambda heap, ref, w: ref.grid.__setitem__((w(1), w(2)), w(3)),
    "structs[i] =": lambda heap, ref, w: ref.corners.__setitem__(w(1), (w(1), w(2))),
    "string =": lambda heap, ref, w: setattr(ref, "label", w("abc")),
    "string.value": lambda heap, ref, w: ref.label.value,
    "to_tuple": lambda heap, ref, w: ref.to_tuple(),
    "read": lambda heap, ref, w: ref.read().to_tuple(),
    "write": lambda heap, ref, w: ref.at.write({"x": w(3), "y": 4}),
    "field_ref": lambda heap, ref, w: ref.field_ref(Node.id).write(w(4)),
    "heap.read": lambda heap, ref, w: heap.read(Node, ref).id,
    "heap.wrap": lambda heap, ref, w: heap.wrap(Node, ref).id,
    "heap.wrap number": lambda heap, ref, w: heap.wrap(int32, ref).value,
    "heap.wrap_array": lambda heap, ref, w: heap.wrap_array(uint8, ref, w(8))[:].count(0x7B),
    "heap.view": lambda heap, ref, w: heap.view(int32, ref, w(2)).tolist(),
    "heap.read_text": lambda heap, ref, w: heap.read_text(utf8, ref, w(4)),
    "heap.write_text": lambda heap, ref, w: heap.write_text(utf8, ref, w("abcd"), w(8)),
    "heap.write_many": lambda heap, ref, w: heap.write_many(int32, [ref, ref], [w(1), w(2)]),
    "repr": lambda heap, ref, w: repr(ref),
    "hexdump": lambda heap, ref, w: emheap.hexdump(ref, length=w(8)),
    "hexdump of a part": lambda heap, ref, w: emheap.hexdump(ref.at),
}
VEC_CALLS: dict[str, Call] = {
    "[i].field": lambda heap, ref, w: ref[w(2)].x,
    "[i].field =": lambda heap, ref, w: setattr(ref[w(2)], "x", w(2)),
    "[i] =": lambda heap, ref, w: ref.__setitem__(w(2), (w(1), w(2))),
    "[::i] =": lambda heap, ref, w: ref.__setitem__(slice(0, None, w(2)), w([(1, 2), (3, 4)])),
    "iter": lambda heap, ref, w: [each.x for each in ref],
    "tolist": lambda heap, ref, w: ref.tolist(),
    "hexdump": lambda heap, ref, w: emheap.hexdump(ref),
    "column view": lambda heap, ref, w: ref.column("x").tolist(),
    "heap.wrap_array": lambda heap, ref, w: heap.wrap_array(Vec, ref, w(2)).tolist(),
}
PACKED_CALLS: dict[str, Call] = {
    "field =": lambda heap, ref, w: setattr(ref, "value", w(5)),
    "bits =": lambda heap, ref, w: setattr(ref, "bits", w(5)),
    "nested.field =": lambda heap, ref, w: setattr(ref.inner, "x", w(5)),
    "heap.write": lambda heap, ref, w: heap.write(Packed, ref, (1, w(2), (3, 4), 5, w(6))),
}
POINTER_CALLS: dict[str, Call] = {
    "[i]": lambda heap, ref, w: int(ref[w(1)]),
    "[i] =": lambda heap, ref, w: ref.__setitem__(w(1), w(16)),
    "[:i] =": lambda heap, ref, w: ref.__setitem__(slice(0, w(2)), w([16, 32])),
    "heap.read": lambda heap, ref, w: int(heap.read(Pointer[uint8], ref)),
    "heap.write": lambda heap, ref, w: heap.write(Pointer[uint8], ref, w(16)),
}


def pointer_to(heap: Any, ref: Any, kind: Any = None) -> Any:
    """A pointer that knows the block of a reference."""
    with heap.alloc(kind_of_pointers(kind or ref.kind), ref) as holder:
        return holder.value


TARGET_CALLS: dict[str, Call] = {
    "[i]": lambda heap, ref, w: pointer_to(heap, ref)[w(1)],
    "[i] =": lambda heap, ref, w: pointer_to(heap, ref).__setitem__(w(1), w(5)),
    "[0] =": lambda heap, ref, w: pointer_to(heap, ref).__setitem__(0, w(5)),
    "array": lambda heap, ref, w: pointer_to(heap, ref).array(w(2))[:],
    "heap.read": lambda heap, ref, w: heap.read(int32, pointer_to(heap, ref)),
    "heap.write": lambda heap, ref, w: heap.write(int32, pointer_to(heap, ref), w(5)),
    "heap.wrap": lambda heap, ref, w: heap.wrap(int32, pointer_to(heap, ref)).value,
    "heap.wrap_array": lambda heap, ref, w: heap.wrap_array(int32, pointer_to(heap, ref), w(2))[:],
    "heap.view": lambda heap, ref, w: heap.view(int32, pointer_to(heap, ref), w(2)).tolist(),
    "heap.fill": lambda heap, ref, w: heap.fill(pointer_to(heap, ref), w(5), w(4)),
    "heap.find": lambda heap, ref, w: heap.find(pointer_to(heap, ref), 1, w(4)),
    "heap.copy_to": lambda heap, ref, w: heap.copy_to(heap, pointer_to(heap, ref), ref, w(4)),
}
NODE_TARGET_CALLS: dict[str, Call] = {
    "[i].field": lambda heap, ref, w: pointer_to(heap, ref)[w(0)].id,
    "[i].field =": lambda heap, ref, w: setattr(pointer_to(heap, ref)[w(0)], "id", w(5)),
    "[i] =": lambda heap, ref, w: pointer_to(heap, ref).__setitem__(w(0), {"id": w(5)}),
    "array": lambda heap, ref, w: pointer_to(heap, ref).array(w(1)).tolist(),
    "heap.read": lambda heap, ref, w: heap.read(Node, pointer_to(heap, ref)).id,
    "heap.wrap": lambda heap, ref, w: heap.wrap(Node, pointer_to(heap, ref)).id,
}
PACKED_TARGET_CALLS: dict[str, Call] = {
    "[i].field =": lambda heap, ref, w: setattr(pointer_to(heap, ref)[w(0)], "value", w(5)),
    "heap.write": lambda heap, ref, w: heap.write(
        Packed, pointer_to(heap, ref), (1, w(2), (3, 4), 5, w(6))
    ),
}
POINTER_TARGET_CALLS: dict[str, Call] = {
    "[i]": lambda heap, ref, w: int(pointer_to(heap, ref, Pointer[uint8])[w(1)]),
    "[i] =": lambda heap, ref, w: pointer_to(heap, ref, Pointer[uint8]).__setitem__(w(1), w(16)),
    "array": lambda heap, ref, w: list(
        map(int, pointer_to(heap, ref, Pointer[uint8]).array(w(2))[:])
    ),
}


def structure_targets() -> list[tuple[str, Any, Any, Call]]:
    """The name of each case, the type, the contents and the call."""
    kinds: list[tuple[str, Any, Any, dict[str, Call]]] = [
        ("Node", Node, {"id": 1}, NODE_CALLS),
        ("Vec array", Vec, [(1, 2)] * 4, VEC_CALLS),
        ("Packed", Packed, PACKED, PACKED_CALLS),
        ("Pointer array", Pointer[uint8], [0] * 4, POINTER_CALLS),
        ("Pointer to int32", int32, [1, 2, 3, 4], TARGET_CALLS),
        ("Pointer to Node", Node, {"id": 1}, NODE_TARGET_CALLS),
        ("Pointer to Packed", Packed, PACKED, PACKED_TARGET_CALLS),
        ("Pointer to Pointer", Pointer[uint8], [0] * 4, POINTER_TARGET_CALLS),
    ]
    return [
        (f"{name} {verb}", kind, contents, call)
        for name, kind, contents, calls in kinds
        for verb, call in calls.items()
    ]
