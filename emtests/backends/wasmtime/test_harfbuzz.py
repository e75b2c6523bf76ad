"""A module that others wrote: HarfBuzz, as npm brings it to web pages, run natively."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import wasmtime

import emheap
from emheap import HeapManager, uint8, uint32
from emtests.backends.wasmtime.running import make_store
from emtests.conftest import skip_for_gap
from pyodide_demo.environment import EnvironmentProblem, npm_install

TEXT = "Ĥeap of wasm"
_PACKAGES = ("harfbuzzjs@1.6.4", "dejavu-fonts-ttf@2.37.3")
_DUPLICATE = 0  # HB_MEMORY_MODE_DUPLICATE


class HarfBuzz(NamedTuple):
    heap: HeapManager
    store: wasmtime.Store
    exports: Any

    def call(self, name: str, *arguments: int) -> Any:
        return self.exports[f"hb_{name}"](self.store, *arguments)


@pytest.fixture(scope="module")
def packages() -> Path:
    try:
        return npm_install("native-modules", _PACKAGES)
    except EnvironmentProblem as problem:
        skip_for_gap("HarfBuzz", str(problem).splitlines()[0])


@pytest.fixture
def harfbuzz(packages: Path) -> Iterator[HarfBuzz]:
    store = make_store()
    file = packages / "harfbuzzjs" / "dist" / "harfbuzz-subset.wasm"
    module = wasmtime.Module.from_file(store.engine, str(file))
    instance = wasmtime.Instance(store, module, [])
    exports: Any = instance.exports(store)
    exports["_initialize"](store)
    heap = emheap.wrap_wasm_instance(store, instance)
    yield HarfBuzz(heap, store, exports)
    assert heap.total_allocated_byte_size == 0


def test_subsetting_a_font(harfbuzz: HarfBuzz, packages: Path) -> None:
    font = (packages / "dejavu-fonts-ttf" / "ttf" / "DejaVuSans.ttf").read_bytes()
    subset = subset_font(harfbuzz, font, TEXT)
    assert len(subset) < len(font) / 20
    # Every font's words add up to this number; HarfBuzz computed what is missing to it.
    padded = subset + bytes(-len(subset) % 4)
    assert sum(struct.unpack(f">{len(padded) // 4}I", padded)) % 2**32 == 0xB1B0AFBA
    assert characters(subset) == {*TEXT}
    assert len(characters(font)) > 5000


def subset_font(harfbuzz: HarfBuzz, font: bytes, text: str) -> bytes:
    heap, call = harfbuzz.heap, harfbuzz.call
    with heap.arena() as scratch:
        source = scratch.alloc_array(uint8, font)
        blob = call("blob_create", source.address, len(source), _DUPLICATE, 0, 0)
        source.free()
        face = call("face_create", blob, 0)
        wanted = call("subset_input_create_or_fail")
        characters = call("subset_input_unicode_set", wanted)
        for character in text:
            call("set_add", characters, ord(character))
        made = call("subset_or_fail", face, wanted)
        assert made != 0
        result = call("face_reference_blob", made)
        length = scratch.alloc(uint32)
        data = call("blob_get_data", result, length.address)
        subset = heap.view(uint8, data, length.value).tobytes()
        for kind, address in (("blob", result), ("face", made), ("face", face), ("blob", blob)):
            call(f"{kind}_destroy", address)
        call("subset_input_destroy", wanted)
    return subset


def characters(font: bytes) -> set[str]:
    """The characters that a font says it has, read from its table ``cmap``."""
    count = struct.unpack_from(">H", font, 4)[0]
    entries = [struct.unpack_from(">4sIII", font, 12 + 16 * index) for index in range(count)]
    start, size = next((offset, size) for tag, _, offset, size in entries if tag == b"cmap")
    cmap = font[start : start + size]
    subtables = struct.unpack_from(">H", cmap, 2)[0]
    found: set[str] = set()
    for index in range(subtables):
        _, _, offset = struct.unpack_from(">HHI", cmap, 4 + 8 * index)
        if struct.unpack_from(">H", cmap, offset)[0] == 4:
            found |= {chr(code) for code in _format4(cmap[offset:])}
    return found


def _format4(table: bytes) -> Iterator[int]:
    count = struct.unpack_from(">H", table, 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", table, 14)
    starts = struct.unpack_from(f">{count}H", table, 16 + 2 * count)
    for first, last in zip(starts, ends, strict=True):
        if first != 0xFFFF:
            yield from range(first, last + 1)


def test_a_memory_of_fixed_size_is_full_at_some_point(harfbuzz: HarfBuzz) -> None:
    heap = harfbuzz.heap
    assert heap.memory.zero_copy
    size = heap.memory.size
    with pytest.raises(emheap.OutOfMemoryError, match=f"no room for {size} bytes"):
        heap.alloc_array(uint8, size)
    with heap.alloc_array(uint8, size // 4) as block:
        assert bytes(block.view[-4:]) == bytes(4)
