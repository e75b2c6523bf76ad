"""zstd: compress and decompress, in pieces and at once."""

from __future__ import annotations

from typing import Any

from emheap import Function, HeapManager, Library, Pointer, Struct, c, field, size_t, uint8

END = 2


class InBuffer(Struct):
    src: Pointer[uint8]
    size: size_t
    pos: size_t = field()


class OutBuffer(Struct):
    dst: Pointer[uint8]
    size: size_t
    pos: size_t = field()


class Zstd(Library, prefix="ZSTD_"):
    createCCtx: Function[[], Pointer[Any]]  # noqa: N815 (zstd's name)
    freeCCtx: Function[[Pointer[Any]], c.size_t]  # noqa: N815
    compressStream2: Function[  # noqa: N815
        [Pointer[Any], c.ref[OutBuffer], c.ref[InBuffer], c.int], c.size_t
    ]
    decompress: Function[[c.buffer, c.size_t, c.data, c.size_t], c.size_t]
    createDCtx: Function[[], Pointer[Any]]  # noqa: N815
    freeDCtx: Function[[Pointer[Any]], c.size_t]  # noqa: N815
    decompressStream: Function[  # noqa: N815
        [Pointer[Any], c.ref[OutBuffer], c.ref[InBuffer]], c.size_t
    ]
    isError: Function[[c.size_t], c.uint]  # noqa: N815
    getErrorName: Function[[c.size_t], c.text]  # noqa: N815


def compress(heap: HeapManager, zstd: Zstd, data: bytes) -> bytes:
    """`data`, compressed through a window of 1,000 bytes."""
    result, context = b"", zstd.createCCtx()
    with heap.arena() as scratch:
        source, chunk = scratch.alloc_array(uint8, data), scratch.alloc_array(uint8, 1000)
        given = scratch.alloc(InBuffer, src=source, size=len(data))
        made = scratch.alloc(OutBuffer, dst=chunk, size=len(chunk))
        left = 1
        while left:
            made.pos = 0
            left = zstd.compressStream2(context, made, given, END)
            result += bytes(chunk[: made.pos])
        assert given.pos == len(data)
    zstd.freeCCtx(context)
    return result


def decompress(zstd: Zstd, packed: bytes, size: int) -> bytes:
    """The `size` bytes that were compressed."""
    room = bytearray(size)
    assert zstd.decompress(room, size, packed, len(packed)) == size
    return bytes(room)


def decompress_in_pieces(heap: HeapManager, zstd: Zstd, packed: bytes) -> bytes:
    """What was compressed, through a window of 1,000 bytes. Raises ValueError with zstd's message
    for what is no such thing."""
    result, context = b"", zstd.createDCtx()
    with heap.arena() as scratch:
        source, chunk = scratch.alloc_array(uint8, packed), scratch.alloc_array(uint8, 1000)
        given = scratch.alloc(InBuffer, src=source, size=len(packed))
        made = scratch.alloc(OutBuffer, dst=chunk, size=len(chunk))
        left = 1
        while left:
            made.pos = 0
            left = zstd.decompressStream(context, made, given)
            if zstd.isError(left):
                zstd.freeDCtx(context)
                raise ValueError(zstd.getErrorName(left))
            result += bytes(chunk[: made.pos])
    zstd.freeDCtx(context)
    return result
