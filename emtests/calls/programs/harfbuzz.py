"""HarfBuzz: the glyphs of a text in a font, as arrays of structures."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from emheap import (
    Function,
    HeapManager,
    Library,
    Pointer,
    Struct,
    StructArrayRef,
    c,
    int32,
    uint8,
    uint32,
)


class MemoryMode(enum.Enum):
    DUPLICATE = 0
    READONLY = 1


class GlyphInfo(Struct):
    codepoint: uint32
    mask: uint32
    cluster: uint32
    var1: uint32
    var2: uint32


class GlyphPosition(Struct):
    x_advance: int32
    y_advance: int32
    x_offset: int32
    y_offset: int32
    var: uint32


Destroy = c.callback[Callable[[Pointer[Any]], None]]


class HarfBuzz(Library, prefix="hb_"):
    blob_create: Function[[c.data, c.uint, MemoryMode, c.buffer, Destroy], Pointer[Any]]
    blob_destroy: Function[[Pointer[Any]], None]
    face_create: Function[[Pointer[Any], c.uint], Pointer[Any]]
    face_destroy: Function[[Pointer[Any]], None]
    font_create: Function[[Pointer[Any]], Pointer[Any]]
    font_destroy: Function[[Pointer[Any]], None]
    buffer_create: Function[[], Pointer[Any]]
    buffer_destroy: Function[[Pointer[Any]], None]
    buffer_add_utf8: Function[[Pointer[Any], c.string, c.int, c.uint, c.int], None]
    buffer_guess_segment_properties: Function[[Pointer[Any]], None]
    shape: Function[[Pointer[Any], Pointer[Any], c.buffer, c.uint], None]
    buffer_get_glyph_infos: Function[[Pointer[Any], c.out[c.uint]], Pointer[GlyphInfo]]
    buffer_get_glyph_positions: Function[[Pointer[Any], c.out[c.uint]], Pointer[GlyphPosition]]


class Glyph(NamedTuple):
    number: int
    cluster: int
    advance: int


def characters(heap: HeapManager, harfbuzz: HarfBuzz, text: str) -> list[tuple[int, int]]:
    """The characters of a text, each with the byte where it begins: what is to be shaped."""
    buffer = harfbuzz.buffer_create()
    with heap.alloc(uint32) as count:
        harfbuzz.buffer_add_utf8(buffer, text, -1, 0, -1)
        infos = harfbuzz.buffer_get_glyph_infos(buffer, count).array(count.value)
        found = [(info.codepoint, info.cluster) for info in infos]
    harfbuzz.buffer_destroy(buffer)
    return found


@contextmanager
def shaped(
    heap: HeapManager, harfbuzz: HarfBuzz, font_file: bytes, text: str
) -> Iterator[tuple[StructArrayRef[GlyphInfo], StructArrayRef[GlyphPosition]]]:
    """The glyphs of a text and where they stand, in HarfBuzz's own memory until the block ends.

    HarfBuzz says by a callback when it needs the font no more.
    """
    destroyed: list[int] = []

    def destroy(what: Pointer[Any]) -> None:
        destroyed.append(what.address)

    with heap.arena() as scratch:
        data, count = scratch.alloc_array(uint8, font_file), scratch.alloc(uint32)
        blob = harfbuzz.blob_create(data, len(data), MemoryMode.READONLY, data, destroy)
        face = harfbuzz.face_create(blob, 0)
        font, buffer = harfbuzz.font_create(face), harfbuzz.buffer_create()
        harfbuzz.buffer_add_utf8(buffer, text, -1, 0, -1)
        harfbuzz.buffer_guess_segment_properties(buffer)
        harfbuzz.shape(font, buffer, None, 0)
        infos = harfbuzz.buffer_get_glyph_infos(buffer, count).array(count.value)
        places = harfbuzz.buffer_get_glyph_positions(buffer, count).array(count.value)
        yield infos, places
        assert not destroyed
        harfbuzz.buffer_destroy(buffer)
        harfbuzz.font_destroy(font)
        harfbuzz.face_destroy(face)
        harfbuzz.blob_destroy(blob)
        assert destroyed == [data.address]


def shape(heap: HeapManager, harfbuzz: HarfBuzz, font_file: bytes, text: str) -> list[Glyph]:
    """The glyphs of a text."""
    with shaped(heap, harfbuzz, font_file, text) as (infos, places):
        return [
            Glyph(info.codepoint, info.cluster, place.x_advance)
            for info, place in zip(infos, places, strict=True)
        ]
