"""Finding a module's memory and functions in whatever shape it comes."""

from __future__ import annotations

from typing import Any

import js
import pytest
from pyodide.code import run_js

import emheap
from emheap import HeapManager, NotSupportedError, OutOfMemoryError, int32, uint8
from emheap.backends.javascript import make_grow
from emheap.javascript.bridge import big_int
from emtests.backends.javascript.buffers import js_object, memory64, wasm_memory
from emtests.backends.javascript.instances import instantiate
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import FIXTURES, MISSING

wrap_module: Any = emheap.wrap_emscripten_module_heap
wrap_instance: Any = emheap.wrap_wasm_instance


@pytest.fixture
def instance() -> Any:
    return instantiate(FIXTURES / "guest32.wasm")


@pytest.fixture
def exports(instance: Any) -> Any:
    return instance.exports


def check_heap(heap: HeapManager, memory: Any) -> None:
    with heap.alloc_array(int32, [1, -2, 3]) as ref:
        seen = js.Int32Array.new(memory.buffer, ref.address, 3)
        assert list(seen) == [1, -2, 3]
        memory.grow(1)
        ref[1] = 7
        assert list(js.Int32Array.new(memory.buffer, ref.address, 3)) == [1, 7, 3]


# Where the memory is. Each is a JavaScript function that makes a module of a guest's exports.

SHAPES = {
    "wasmMemory": "(e) => ({wasmMemory: e.memory, ...functions(e)})",
    "memory": "(e) => ({memory: e.memory, ...functions(e)})",
    "wasmExports": "(e) => ({wasmExports: e, ...functions(e)})",
    "minified exports": "(e) => ({wasmExports: {a: 5, b: e.malloc, c: e.memory}, ...functions(e)})",
    "asm": "(e) => ({asm: {memory: e.memory}, ...functions(e)})",
    "inherited": "(e) => Object.create({wasmMemory: e.memory, ...functions(e)})",
    "no prototype": """(e) =>
        Object.assign(Object.create(null), {memory: e.memory, ...functions(e)})""",
    "a getter beside it": """(e) => Object.defineProperty(
        {HEAPU8: 5, wasmExports: {memory: e.memory}, ...functions(e)},
        'wasmMemory', {get() { throw new WebAssembly.RuntimeError('Aborted'); }})""",
    "views": """(e) => {
        const module = {...functions(e)};
        const refresh = () => { module.HEAPU8 = new Uint8Array(e.memory.buffer); };
        refresh();
        const grow = e.memory.grow.bind(e.memory);
        e.memory.grow = (pages) => { const before = grow(pages); refresh(); return before; };
        return module; }""",
    "one view": """(e) => {
        const module = {...functions(e)};
        const refresh = () => { module.HEAPF32 = new Float32Array(e.memory.buffer); };
        refresh();
        const grow = e.memory.grow.bind(e.memory);
        e.memory.grow = (pages) => { const before = grow(pages); refresh(); return before; };
        return module; }""",
}


def shape(source: str, exports: Any) -> Any:
    functions = "const functions = (e) => ({_malloc: e.malloc, _free: e.free});"
    return run_js(f"(() => {{ {functions} return {source}; }})()")(exports)


@pytest.mark.parametrize("name", SHAPES)
def test_the_memory_is_found(exports: Any, name: str) -> None:
    check_heap(wrap_module(shape(SHAPES[name], exports)), exports.memory)


def test_a_namespace_of_an_es_module_is_a_module(exports: Any) -> None:
    # Its properties are as good as data, and it has no prototype.
    module = js.Object.freeze(shape(SHAPES["no prototype"], exports))
    check_heap(wrap_module(module), exports.memory)


def test_a_memory_can_be_given(exports: Any) -> None:
    module = js_object(_malloc=exports.malloc, _free=exports.free)
    check_heap(wrap_module(module, memory=exports.memory), exports.memory)
    with pytest.raises(TypeError, match=r"or what emheap\.capture_memory\(\) returned, not int"):
        wrap_module(module, memory=5)
    with pytest.raises(TypeError, match="not ArrayBuffer"):
        wrap_module(module, memory=exports.memory.buffer)


def test_what_is_missing_is_named_with_the_flag(exports: Any) -> None:
    with pytest.raises(NotSupportedError, match=r"neither its memory nor.*METHODS=HEAPU8,wasmMem"):
        wrap_module(js_object(_malloc=exports.malloc, _free=exports.free))
    for name, other in (("_malloc", "_free"), ("_free", "_malloc")):
        module = js_object(wasmMemory=exports.memory, **{other: exports.malloc})
        words = rf"does not export {name}; link it with emcc -sEXPORTED_FUNCTIONS=_malloc,_free"
        with pytest.raises(NotSupportedError, match=words):
            wrap_module(module)


def test_what_is_no_module_is_told_what_to_do() -> None:
    for module, words in (
        (js.Promise.resolve(js.Object.new()), "is a Promise: await what its factory returned"),
        (run_js("() => 5"), "is a function: call its factory"),
        (run_js("async () => 5"), "is a function: call its factory"),
        ("module", "must be a JavaScript object, not str 'module'"),
        (None, "must be a JavaScript object, not NoneType"),
    ):
        with pytest.raises(TypeError, match=words):
            wrap_module(module)


@pytest.mark.parametrize(
    "message", ["Aborted(OOM)", "Aborted(Cannot enlarge memory arrays to size 1 bytes)"]
)
def test_a_module_that_aborts_for_want_of_memory(exports: Any, message: str) -> None:
    abort = f"(size) => {{ throw new WebAssembly.RuntimeError({message!r}); }}"
    module = js_object(wasmMemory=exports.memory, _malloc=run_js(abort), _free=exports.free)
    heap = wrap_module(module)
    with pytest.raises(OutOfMemoryError, match=r"unusable now.*-sABORTING_MALLOC=0"):
        heap.alloc_array(uint8, 1 << 30)
    assert heap.total_allocated_byte_size == 0


def test_other_errors_of_malloc_are_passed_on(exports: Any) -> None:
    broken = run_js("(size) => { throw new WebAssembly.RuntimeError('unreachable'); }")
    heap = wrap_module(js_object(wasmMemory=exports.memory, _malloc=broken, _free=exports.free))
    with pytest.raises(Exception, match="unreachable"):
        heap.alloc(int32)


# Plain WebAssembly


def test_names_of_exports(instance: Any) -> None:
    names: dict[str, Any] = {"memory": "memory", "malloc": "allocate_text", "free": "load_byte"}
    heap = wrap_instance(instance, clear_allocated_regions=False, **names)
    # Its `malloc` fills what it gives with letters, and its `free` reads a byte.
    with heap.alloc_array(uint8, 300) as ref:
        assert bytes(ref[:3]) == b"abc"
    for names, words in (
        (
            {"memory": "heap"},
            r"does not export 'heap', its memory; it exports .*memory.*--export-m",
        ),
        (
            {"malloc": "new"},
            r"'new', its malloc; it exports .*; link it with -Wl,--export=new, name",
        ),
        ({"free": "delete"}, r"'delete', its free; .*link it with -Wl,--export=delete"),
        ({"malloc": "memory"}, r"exports a WebAssembly\.Memory as 'memory', its malloc"),
    ):
        with pytest.raises(NotSupportedError, match=words):
            wrap_instance(instance, **names)
    for names in ({"memory": 5}, {"malloc": 5}, {"free": None}, {"malloc": None}):
        with pytest.raises(TypeError, match="must be the name of an export, not"):
            wrap_instance(instance, **names)
    with pytest.raises(TypeError, match=r"must be a WebAssembly.Memory .*, not Function"):
        wrap_instance(instance, memory="malloc")


def test_a_memory_that_the_module_imports(instance: Any) -> None:
    memory = wasm_memory()
    heap = wrap_instance(instance, memory=memory, malloc=None, free=None)
    check_heap(heap, memory)


def test_a_bare_memory() -> None:
    memory = wasm_memory()
    check_heap(wrap_instance(memory), memory)


def test_what_is_no_instance(instance: Any) -> None:
    for wrong, words in (
        (js.Object.new(), "must be a WebAssembly.Instance or a bare Memory, not Object"),
        (instance.exports, "not Object"),
        (5, "not int"),
    ):
        with pytest.raises(TypeError, match=words):
            wrap_instance(wrong)
    with pytest.raises(TypeError, match=r"takes, in Pyodide, a WebAssembly\.Instance alone"):
        wrap_instance(instance, instance)


def test_pages_run_out_in_words(instance: Any) -> None:
    memory = wasm_memory(1, 3)
    heap = wrap_instance(instance, memory=memory, malloc=None, free=None)
    with heap.alloc_array(uint8, 100000) as ref:
        assert ref.address >= 65536
        with pytest.raises(OutOfMemoryError, match="no room for 100000 bytes: 100000 bytes are"):
            heap.alloc_array(uint8, 100000)
    assert memory.buffer.byteLength == 3 * 65536


# 64 bits


def memory_of_64_bits(maximum: int | None = 1 << 18) -> Any:
    if MISSING["guest64"]:
        skip_for_gap("memory64", MISSING["guest64"])
    return memory64(1, maximum)


def test_addresses_of_64_bits_are_found_out_and_nothing_grows(exports: Any) -> None:
    narrow = wasm_memory()
    before = narrow.buffer
    module = js_object(_malloc=exports.malloc, _free=exports.free)
    assert wrap_module(module, memory=narrow).pointer_size == 4
    assert narrow.buffer == before
    assert before.byteLength == 65536
    for maximum in (1 << 18, None):
        wide = memory_of_64_bits(maximum)
        kept = wide.buffer
        assert wrap_module(module, memory=wide).pointer_size == 8
        assert wide.buffer == kept
        assert kept.byteLength == 65536


@pytest.mark.parametrize("maximum", [1 << 18, None])
def test_more_pages_than_there_can_be(maximum: int | None) -> None:
    memory = memory_of_64_bits(maximum)
    allocator = emheap.PageAllocator(make_grow(memory))
    for size in (1 << 62, 1 << 48):
        assert allocator.allocate(size) == 0
    address = allocator.allocate(100_000)
    assert address
    assert address + 100_000 <= memory.buffer.byteLength


def test_a_module_of_64_bits(exports: Any) -> None:
    memory_of_64_bits()
    guest = instantiate(FIXTURES / "guest64.wasm").exports
    raw = js_object(wasmMemory=guest.memory, _malloc=guest.malloc, _free=guest.free)
    wrapped = run_js(
        "(e) => ({wasmMemory: e.memory, _malloc: (size) => Number(e.malloc(BigInt(size))),"
        " _free: (address) => e.free(BigInt(address))})"
    )(guest)
    for module in (raw, wrapped):  # as clang makes them, and as Emscripten does
        heap = wrap_module(module)
        for _ in range(3):
            with heap.alloc_array(uint8, b"abc" * 200) as ref:
                assert type(ref.address) is int
                assert bytes(ref) == b"abc" * 200


def test_beyond_4_gib(exports: Any) -> None:
    memory = memory_of_64_bits()
    heap = wrap_instance(
        instantiate(FIXTURES / "guest64.wasm"), memory=memory, malloc=None, free=None
    )
    memory.grow(big_int((5 << 30) // 65536))
    with heap.arena() as scratch:
        ref = scratch.alloc_array(int32, range(1000))
        assert ref.address > 5 << 30
        pointer = scratch.alloc(emheap.pointer53, ref.address)
        assert pointer.value == ref.address
        assert heap.wrap_array(int32, pointer.value, 1000) == ref
        heap.write(emheap.utf8, ref.address, "far")
        assert heap.read(emheap.utf8, ref.address) == "far"
        heap.write_float64(ref.address + 1, -0.0)
        assert str(heap.read_float64(ref.address + 1)) == "-0.0"
        heap.write_int64_atomic(ref.address, -5)
        assert heap.read_int64_atomic(ref.address) == heap.read_int64(ref.address) == -5
        assert ref.js_view.byteOffset == ref.address
        heap.copy_to(heap, ref, 65536 + 16)
        assert heap.read_int64(65536 + 16) == -5
        view = ref.view
        view[3] = 77
        assert view[2:5].tolist() == ref[2:5]
        view.release()
    with pytest.raises(emheap.OutOfBoundsError):
        heap.read_int32(heap.memory.size)
