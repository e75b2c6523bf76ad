"""Structures of a module that others wrote: the glyphs that HarfBuzz made of a text."""

from __future__ import annotations

from typing import Any

import pytest

from emheap import Pointer
from emtests.calls.programs import harfbuzz
from emtests.calls.programs.files import find_program
from emtests.calls.programs.harfbuzz import GlyphInfo
from emtests.calls.programs.opening import open_shared, open_wasm

TEXT = "Wasm heap, AVAST"


@pytest.mark.parametrize("where", ["native", "wasm"])
def test_the_glyphs_of_a_text_are_an_array_of_structures(where: str) -> None:
    native = where == "native"
    heap, source = (
        open_shared("libharfbuzz.so.0") if native else open_wasm(find_program("harfbuzz.wasm"))
    )
    font = find_program("DejaVuSans.ttf").read_bytes()
    library = heap.library(harfbuzz.HarfBuzz, source)
    with harfbuzz.shaped(heap, library, font, TEXT) as (infos, places):
        check_glyphs(infos, places)
        with heap.alloc(Pointer[GlyphInfo], infos.address) as first:
            assert first.value[2].cluster == infos[2].cluster
    assert heap.total_allocated_byte_size == 0


def check_glyphs(infos: Any, positions: Any) -> None:
    assert len(infos) == len(positions) == len(TEXT)
    assert [info.cluster for info in infos] == list(range(len(TEXT)))
    assert infos.column(GlyphInfo.cluster).tolist() == list(range(len(TEXT)))
    glyphs: dict[str, set[int]] = {}
    for character, info in zip(TEXT, infos, strict=True):
        glyphs.setdefault(character, set()).add(info.codepoint)
    assert all(len(found) == 1 for found in glyphs.values())  # one glyph for each character
    assert len({min(found) for found in glyphs.values()}) == len(glyphs)  # and none for two
    advances = [position.x_advance for position in positions]
    assert all(advance > 0 for advance in advances)
    assert sum(positions.column("x_advance").tolist()) == sum(advances)
    # "AV" and "VA" are drawn closer together than their letters are wide elsewhere.
    assert advances[TEXT.index("AVA")] < advances[TEXT.rindex("A")]
