"""Modules from npm that single tests load: codecs compiled by Emscripten, and a program in Go."""

from __future__ import annotations

import math
from typing import Any

import emtests_modules
import pytest
from pyodide.code import run_js
from pyodide.ffi import create_proxy, to_js

import emheap
from emheap import (
    Function,
    Library,
    NotSupportedError,
    c,
    int32,
    pointer32,
    uint8,
    utf8,
)
from emtests.conftest import skip_for_gap


def member(name: str) -> Any:
    """A member of what JavaScript brings along."""
    found = getattr(emtests_modules, name)
    if found is None:
        skip_for_gap("large modules from npm", "the page brings none")
    return found


class Encoder(Library, prefix="FLAC__stream_encoder_"):
    get_verify: Function[[c.address], c.int]
    process_interleaved: Function[[c.address, c.buffer, c.uint], c.int]


def test_libflac_encodes_samples_of_its_own_heap() -> None:
    flac = member("libflac")  # compiled to JavaScript
    heap = emheap.wrap_emscripten_module_heap(flac)
    library = heap.library(Encoder)
    samples = [round(9000 * math.sin(n / 20)) for n in range(8192)]
    stream = bytearray()
    write = create_proxy(lambda chunk, *_: stream.extend(chunk.to_bytes()))
    encoder = flac.create_libflac_encoder(44100, 1, 16, 5, 0, 1)  # verifies what it encodes
    assert library.get_verify(encoder) == 1
    assert flac.init_encoder_stream(encoder, write) == 0
    with heap.alloc_array(int32, samples) as block:
        assert library.process_interleaved(encoder, block, len(samples)) == 1
        assert flac.FLAC__stream_encoder_finish(encoder)
        assert block[:] == samples
    flac.FLAC__stream_encoder_delete(encoder)
    write.destroy()
    assert stream[:4] == b"fLaC"
    assert 100 < len(stream) < len(samples)
    assert heap.total_allocated_byte_size == 0


class Heif(Library, prefix="heif_"):
    get_version: Function[[], c.text]
    has_compatible_brand: Function[[c.buffer, c.int, c.string], c.int]


@pytest.mark.parametrize("file", ["libheif-js", "libheif-js/wasm-bundle"])
def test_libheif_reads_what_python_stores(file: str) -> None:
    heap = emheap.wrap_emscripten_module_heap(member("requireMore")(file))
    library = heap.library(Heif)
    assert library.get_version() == "1.23.2"
    has_brand = library.has_compatible_brand
    box = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    with heap.alloc_array(uint8, box) as head, heap.alloc(utf8, "mif1") as brand:
        assert bytes(head) == box
        assert has_brand(head, len(head), brand) == 1
        brand.value = "avif"
        assert has_brand(head, len(head), brand) == 0
        head[20:24] = b"avif"
        assert has_brand(head, len(head), brand) == 1
    assert heap.total_allocated_byte_size == 0


GO = """(require) => {
  const outer = { fs: globalThis.fs, path: globalThis.path };
  globalThis.fs = globalThis.path = undefined;
  require("esbuild-wasm/wasm_exec.js");
  const { fs, path } = globalThis;
  Object.assign(globalThis, outer);
  let printed = "";
  fs.writeSync = (_, bytes) => ((printed += new TextDecoder().decode(bytes)), bytes.length);
  const code = require("node:fs").readFileSync(require.resolve("esbuild-wasm/esbuild.wasm"));
  const go = new Go();
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code), go.importObject);
  function start(args, whenStarted) {
    const { mem, run, resume, getsp } = instance.exports;
    const started = (count, addresses) => (whenStarted(count, addresses), run(count, addresses));
    Object.assign(globalThis, { fs, path });
    go.argv = args;
    go.exit = () => {};
    const exports = { value: { mem, run: started, resume, getsp } };
    go.run(Object.create(WebAssembly.Instance.prototype, { exports }));
    Object.assign(globalThis, outer);
    return printed;
  }
  return { instance, start };
}"""
"""A program compiled by Go, with the JavaScript that Go brings; it runs until it waits or ends."""


def test_a_program_in_go_is_opened_as_the_errors_advise() -> None:
    program = run_js(GO)(member("requireMore"))
    instance = program.instance
    with pytest.raises(NotSupportedError, match=r"'memory', its memory; it exports .*mem\b"):
        emheap.wrap_wasm_instance(instance)
    with pytest.raises(NotSupportedError, match=r"'malloc'.*resume, getsp.*or pass wrap_only=True"):
        emheap.wrap_wasm_instance(instance, memory="mem")
    with pytest.raises(NotSupportedError, match=r"resume, getsp: .*or pass wrap_only=True"):
        emheap.wrap_wasm_instance(instance, memory="mem", malloc=None, free=None)
    heap = emheap.wrap_wasm_instance(instance, memory="mem", wrap_only=True)
    size = heap.memory.size
    words: list[str] = []

    def change_the_arguments(count: int, addresses: int) -> None:
        pointers = heap.wrap_array(pointer32, addresses, 2 * count)[::2]  # Go's are of 64 bits
        words.extend(heap.read(utf8, address) for address in pointers)
        heap.write(utf8, pointers[1], "--version")

    printed = program.start(to_js(["esbuild", "--nothing"]), change_the_arguments)
    assert words == ["esbuild", "--nothing"]
    assert printed == "0.28.2\n"
    assert heap.memory.size > size
    with pytest.raises(NotSupportedError, match="opened to read, write and wrap"):
        heap.alloc(uint8)
