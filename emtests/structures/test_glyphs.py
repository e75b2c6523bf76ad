"""Structures of somebody else's module: the glyphs that HarfBuzz made of a text."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap import HeapManager, Pointer, Struct, int32, uint8, uint32, utf8
from emtests.conftest import skip_for_gap

TEXT = "Wasm heap, AVAST"
_PACKAGES = ("harfbuzzjs@1.6.4", "dejavu-fonts-ttf@2.37.3")
_READONLY = 1


class GlyphInfo(Struct):
    """hb_glyph_info_t"""

    codepoint: uint32
    mask: uint32
    cluster: uint32
    var1: uint32
    var2: uint32


class GlyphPosition(Struct):
    """hb_glyph_position_t"""

    x_advance: int32
    y_advance: int32
    x_offset: int32
    y_offset: int32
    var: uint32


class HarfBuzz:
    def __init__(self, heap: HeapManager, store: Any, exports: Any) -> None:
        self.heap = heap
        self._store = store
        self._exports = exports

    def call(self, name: str, *arguments: int) -> Any:
        return self._exports[f"hb_{name}"](self._store, *arguments)


@pytest.fixture(scope="module")
def packages() -> Path:
    if sys.platform == "emscripten" or importlib.util.find_spec("wasmtime") is None:
        skip_for_gap("HarfBuzz", "there is no wasmtime here")
    from pyodide_demo.environment import EnvironmentProblem, npm_install

    try:
        return npm_install("native-modules", _PACKAGES)
    except EnvironmentProblem as problem:
        skip_for_gap("HarfBuzz", str(problem).splitlines()[0])


@pytest.fixture
def harfbuzz(packages: Path) -> Iterator[HarfBuzz]:
    import wasmtime

    store = wasmtime.Store()
    file = packages / "harfbuzzjs" / "dist" / "harfbuzz.wasm"
    module = wasmtime.Module.from_file(store.engine, str(file))
    linker = wasmtime.Linker(store.engine)
    made: list[Any] = []

    def resize(wanted: int) -> int:
        memory = made[0]["memory"]
        memory.grow(store, -(-(wanted - memory.data_len(store)) // (1 << 16)))
        return 1

    word = wasmtime.ValType.i32()
    kind = wasmtime.FuncType([word], [word])
    linker.define_func("env", "emscripten_resize_heap", kind, resize)
    linker.define_unknown_imports_as_traps(module)
    instance = linker.instantiate(store, module)
    exports: Any = instance.exports(store)
    made.append(exports)
    start = exports.get("_initialize") or exports.get("__wasm_call_ctors")
    if start is not None:
        start(store)
    heap = emheap.wrap_wasm_instance(store, instance)
    yield HarfBuzz(heap, store, exports)
    assert heap.total_allocated_byte_size == 0


@pytest.mark.once
def test_the_glyphs_of_a_text_are_an_array_of_structures(
    harfbuzz: HarfBuzz, packages: Path
) -> None:
    heap, call = harfbuzz.heap, harfbuzz.call
    file = (packages / "dejavu-fonts-ttf" / "ttf" / "DejaVuSans.ttf").read_bytes()
    with heap.arena() as scratch:
        data, text = scratch.alloc_array(uint8, file), scratch.alloc(utf8, TEXT)
        blob = call("blob_create", data.address, len(data), _READONLY, 0, 0)
        face = call("face_create", blob, 0)
        font, buffer = call("font_create", face), call("buffer_create")
        call("buffer_add_utf8", buffer, text.address, -1, 0, -1)
        call("buffer_guess_segment_properties", buffer)
        call("shape", font, buffer, 0, 0)
        count = scratch.alloc(uint32)
        infos = heap.wrap_array(
            GlyphInfo, call("buffer_get_glyph_infos", buffer, count.address), count.value
        )
        positions = heap.wrap_array(
            GlyphPosition, call("buffer_get_glyph_positions", buffer, count.address), count.value
        )
        check_glyphs(infos, positions)
        first = scratch.alloc(Pointer[GlyphInfo], infos.address)
        assert first.value[2].cluster == infos[2].cluster
        for name, it in (("buffer", buffer), ("font", font), ("face", face), ("blob", blob)):
            call(f"{name}_destroy", it)


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
