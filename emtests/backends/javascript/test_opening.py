"""Finding a module's memory and functions in whatever shape it comes."""

from __future__ import annotations

from typing import Any

import emtests_modules
import js
import pyodide_js
import pytest
from pyodide.code import run_js
from pyodide.ffi import JsException

import emheap
from emheap import ForeignTrapError, HeapManager, NotSupportedError, OutOfMemoryError, int32, uint8
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
    words = (
        r"^the module exports neither its memory nor a view of it \(wasmMemory, wasmExports, "
        r"HEAPU8 \.\.\.\); add HEAPU8,wasmMemory to the list of emcc -sEXPORTED_RUNTIME_METHODS "
        r"\(a second list replaces the first\), or give its factory the options of "
        r"emheap\.capture_memory\(\) and pass what that returned as memory=, or pass the "
        "WebAssembly.Memory itself, where only a getter shows it$"
    )
    with pytest.raises(NotSupportedError, match=words):
        wrap_module(js_object(_malloc=exports.malloc, _free=exports.free))
    for name, other in (("_malloc", "_free"), ("_free", "_malloc")):
        module = js_object(wasmMemory=exports.memory, **{other: exports.malloc})
        words = rf"not export {name}; add _malloc,_free to the list of emcc -sEXPORTED_FUNCTIONS \("
        with pytest.raises(NotSupportedError, match=words):
            wrap_module(module)


def test_what_is_no_module_is_told_what_to_do() -> None:
    for module, words in (
        (
            js.Promise.resolve(js.Object.new()),
            "is a Promise: await what its factory returned, and pass that; where that never ends, "
            "the module is an old one with a `then` of its own: call the factory in JavaScript, "
            "and delete that member there$",
        ),
        (run_js("() => 5"), "is a function: call its factory, and pass what that gives$"),
        (run_js("async () => 5"), "is a function: call its factory, and pass what that gives$"),
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
    words = (
        f"^the module aborted for want of {1 << 30} bytes, and is unusable now; link it with emcc "
        "-sALLOW_MEMORY_GROWTH, or -sABORTING_MALLOC=0 to have it refuse instead$"
    )
    with pytest.raises(OutOfMemoryError, match=words):
        heap.alloc_array(uint8, 1 << 30)
    assert heap.total_allocated_byte_size == 0


def test_a_module_that_throws_for_want_of_memory_and_goes_on(exports: Any) -> None:
    throw = "(size) => { throw new Error(`Failed to allocate ${size} bytes.`); }"  # sqlite.org's
    heap = wrap_module(js_object(memory=exports.memory, alloc=run_js(throw), dealloc=exports.free))
    with pytest.raises(OutOfMemoryError, match="no room for 5000 bytes"):
        heap.alloc_array(uint8, 5000)


def test_other_errors_of_malloc_are_no_want_of_memory(exports: Any) -> None:
    for thrown, closes in (
        ("unreachable", False),
        ("memory access out of bounds", False),
        ("Aborted(Assertion failed: heap is whole)", True),
    ):
        throw = f"(size) => {{ throw new WebAssembly.RuntimeError({thrown!r}); }}"
        module = js_object(wasmMemory=exports.memory, _malloc=run_js(throw), _free=exports.free)
        with pytest.raises(ForeignTrapError) as caught:
            wrap_module(module).alloc_array(uint8, 3000)
        assert caught.value.function == "_malloc"
        assert "the module's _malloc(3000), which the heap called" in str(caught.value)
        assert caught.value.reason.startswith(thrown)
        assert str(caught.value).endswith("make a new one, and open that") is closes
        assert isinstance(caught.value.__cause__, JsException)


def test_functions_can_be_others(exports: Any) -> None:
    freed: list[int] = []
    module = js_object(wasmMemory=exports.memory, grab=exports.malloc)
    heap = wrap_module(module, malloc="grab", free=freed.append)
    with heap.alloc_array(int32, range(1000)) as ref:
        address = ref.address
    assert freed == [address]
    # Each cure that the error names for a module with `_malloc` alone, tried.
    lonely = js_object(wasmMemory=exports.memory, _malloc=exports.malloc)
    words = "does not export _free; .*, or pass a function of your own, or pass wrap_only=True"
    with pytest.raises(NotSupportedError, match=words):
        wrap_module(lonely)
    check_heap(wrap_module(lonely, free=lambda address: None), exports.memory)
    only = wrap_module(lonely, wrap_only=True)
    only.write_int32(64, 7)
    with pytest.raises(NotSupportedError, match="opened to read, write and wrap"):
        only.alloc(int32)


def test_functions_that_take_something_else_are_refused(exports: Any) -> None:
    module = js_object(wasmMemory=exports.memory, _malloc=exports.malloc, _free=exports.sum_int64)
    with pytest.raises(
        NotSupportedError,
        match=r"_free' cannot be the module's free: it takes .'i32', 'i32'. and gives .'i64'",
    ):
        wrap_module(module)
    # A wrapper may take anything.
    wrapped = run_js("(f) => (...all) => f(...all)")
    module._free = wrapped(exports.free)
    check_heap(wrap_module(module), exports.memory)


def test_no_pages_are_added_to_a_modules_memory(exports: Any) -> None:
    module = js_object(wasmMemory=exports.memory, _malloc=exports.malloc, _free=exports.free)
    words = (
        "^an Emscripten module's allocator takes every page of its memory, so none can be added "
        "for a heap: pass wrap_only=True for a heap that allocates nothing$"
    )
    with pytest.raises(NotSupportedError, match=words):
        wrap_module(module, malloc=None, free=None)
    wrap_module(module, malloc=None, free=None, wrap_only=True).write_int32(64, 5)


OLD = """(e) => {
    const module = {wasmMemory: e.memory, ...functions(e), then(resolve) { resolve(module); }};
    return {module, factory: () => module};
}"""
"""A module of an older Emscripten, whose `then` says that it is ready, and by itself again."""


def test_a_module_with_a_then_of_its_own(exports: Any) -> None:
    module = shape(OLD, exports).module
    assert hasattr(type(module), "__await__")
    check_heap(wrap_module(module), exports.memory)
    captured = run_js("({module: {then(resolve) { resolve(5); }}})").module
    functions = {"malloc": exports.malloc, "free": exports.free}
    check_heap(wrap_module(captured, memory=exports.memory, **functions), exports.memory)
    with pytest.raises(TypeError, match="is a Promise: await what its factory returned"):
        wrap_module(captured)


def test_a_module_that_python_takes_for_a_promise(exports: Any) -> None:
    source = OLD.replace("resolve(module)", "setTimeout(() => { delete module.then; resolve(); })")
    old = shape(source, exports)
    promise = old.factory()  # Python would await it, and in `OLD` for ever
    words = "where that never ends, .* call the factory in JavaScript, and delete that member there"
    for memory in ({}, {"memory": exports.memory}):
        with pytest.raises(TypeError, match=words):
            wrap_module(promise, **memory)
    called = run_js("(factory) => { const made = factory(); delete made.then; return made; }")
    check_heap(wrap_module(called(shape(OLD, exports).factory)), exports.memory)


LOADING = """(exports) => {
    const Module = {HEAPU8: new Uint8Array(exports.memory.buffer)};
    const wrapper = (name) => function () {
        WRAPPER
        return (Module["_" + name] = Module["asm"][name]).apply(null, arguments);
    };
    Module.ready = () => { Module.asm = exports; runtimeInitialized = Module.calledRun = true; };
    Module.aborted = 0;
    let runtimeInitialized = false;
    const assert = (good, text) => { if (!good) { Module.aborted++; throw new Error(text); } };
    return Object.assign(Module, {_malloc: wrapper("malloc"), _free: wrapper("free")});
}"""
ASSERTION = 'assert(runtimeInitialized, "native function called before runtime initialization");'


@pytest.mark.parametrize("wrapper", ["", ASSERTION], ids=["plain", "assertions"])
def test_a_module_that_is_still_loading(exports: Any, wrapper: str) -> None:
    module = run_js(LOADING.replace("WRAPPER", wrapper))(exports)
    words = (
        "^the module is not ready: it is still loading its WebAssembly; await what its factory "
        r"returned, or wait until it says so \(Module.onRuntimeInitialized, or the 'ready' event "
        r"of libflacjs\), and open it then$"
    )
    with pytest.raises(NotSupportedError, match=words):
        wrap_module(module)
    assert not module.aborted  # which would end it before it has begun
    module.ready()
    with wrap_module(module).alloc(int32, 7) as number:
        assert number.value == 7


def test_a_module_inside_of_an_object(exports: Any) -> None:
    inner = shape(SHAPES["wasmMemory"], exports)
    check_heap(wrap_module(js_object(_module=inner, version="1.0")), exports.memory)
    two = js_object(first=inner, second=shape(SHAPES["asm"], exports))
    with pytest.raises(
        NotSupportedError, match=r"; its members first, second look like modules: pass one of them"
    ):
        wrap_module(two)
    check_heap(wrap_module(two.second), exports.memory)


def further_module(name: str) -> Any:
    found = getattr(emtests_modules, name)
    if found is None:
        skip_for_gap("modules from npm", f"the page does not bring {name}")
    return found


def test_the_object_of_sqlite_org() -> None:
    sqlite3 = further_module("sqlite3")
    for opened in (sqlite3, sqlite3.wasm):
        heap = wrap_module(opened)
        with heap.arena() as scratch:
            handle = scratch.alloc(emheap.pointer32)
            name = scratch.alloc(emheap.utf8, ":memory:")
            assert sqlite3.wasm.exports.sqlite3_open(name.address, handle.address) == 0
            assert handle.value
            assert sqlite3.wasm.exports.sqlite3_close_v2(handle.value) == 0
    exports = sqlite3.wasm.exports
    names = {"malloc": "sqlite3_malloc", "free": "sqlite3_free"}
    heap = wrap_instance(exports, memory=sqlite3.wasm.memory, **names)
    with heap.alloc(emheap.utf8, "text") as text:
        assert heap.read(emheap.utf8, text.address) == "text"


# Compiled to JavaScript: growth leaves the old buffer as it was


def test_growth_of_a_module_that_is_javascript() -> None:
    opus = further_module("opus")
    heaps = {
        "module": wrap_module(opus),
        "functions": emheap.create_wasm_heap_manager(
            lambda: opus.HEAPU8.buffer, opus._malloc, opus._free
        ),
        "debug": wrap_module(opus, debug=True),
    }
    kept = {
        name: (heap.alloc_array(int32, [1, 2, 3]), heap.alloc(emheap.utf8, "abc"))
        for name, heap in heaps.items()
    }
    shown = {name: numbers.js_view for name, (numbers, _) in kept.items()}
    before = opus.HEAPU8.buffer
    theirs = opus._malloc(before.byteLength)
    assert opus.HEAPU8.buffer != before
    assert before.byteLength  # it was not detached
    for name, heap in heaps.items():
        numbers, text = kept[name]
        opus.HEAP32[numbers.address >> 2] = 77
        assert numbers[0] == heap.read_int32(numbers.address) == numbers[:][0] == 77, name
        assert [*shown[name]] == [1, 2, 3]  # the old bytes
        assert [*numbers.js_view] == [77, 2, 3]
        numbers[1] = 78
        assert opus.HEAP32[(numbers.address >> 2) + 1] == 78, name
        text.value = "xyz"
        assert opus.HEAPU8[text.address] == ord("x"), name
        assert heap.memory.size == opus.HEAPU8.length
        heap.free_all()
    opus._free(theirs)


def test_a_module_whose_memory_webassembly_detaches_is_not_asked_at_each_access() -> None:
    # Its exports show no memory, but a function that is WebAssembly's.
    for module in (emtests_modules.pffft, emtests_modules.kissfft):
        memory: Any = wrap_module(module).memory
        assert not memory.polls_always
    opus = further_module("opus")
    assert wrap_module(opus).memory.polls_always
    assert not wrap_module(opus, polling_mode="never").memory.polls_always


# Plain WebAssembly


def test_names_of_exports(instance: Any) -> None:
    names: dict[str, Any] = {"memory": "memory", "malloc": "allocate_text", "free": "free"}
    heap = wrap_instance(instance, clear_allocated_regions=False, **names)
    # Its `malloc` fills what it gives with letters.
    with heap.alloc_array(uint8, 300) as ref:
        assert bytes(ref[:3]) == b"abc"
    for names, words in (
        (
            {"memory": "heap"},
            r"does not export 'heap', its memory; it exports .*memory.*; link it "
            r"without -Wl,--import-memory, name it as memory=, or pass the WebAssembly\.Memory "
            "itself where the module imports one$",
        ),
        (
            {"malloc": "new"},
            r"'new', its malloc; it exports .*; link it with -Wl,--export=new, name",
        ),
        ({"free": "delete"}, r"'delete', its free; .*link it with -Wl,--export=delete"),
        (
            {"malloc": "memory"},
            r"^the module exports a WebAssembly\.Memory as 'memory', its malloc",
        ),
        (
            {"free": "load_byte"},
            r"'load_byte' .* gives \['i32'\], and free takes .* and gives \[\]",
        ),
        ({"malloc": "free"}, r"'free' .* gives \[\], and malloc takes .* and gives \['i32'\]"),
        ({"malloc": "sum_records"}, r"it takes \['i32'\] and gives \['f64'\], and malloc"),
    ):
        with pytest.raises(NotSupportedError, match=words):
            wrap_instance(instance, **names)
    for names in ({"memory": 5}, {"malloc": 5}, {"free": None}, {"malloc": None}):
        words = "must be the name of an export( or a function)?, not"
        with pytest.raises(TypeError, match=words):
            wrap_instance(instance, **names)
    with pytest.raises(TypeError, match=r"must be a WebAssembly.Memory .*, not Function"):
        wrap_instance(instance, memory="malloc")


def test_a_memory_that_the_module_imports(instance: Any) -> None:
    memory = wasm_memory()
    importing = js.Object.new()  # the exports of a module that has no allocator
    heap = wrap_instance(importing, memory=memory, malloc=None, free=None)
    check_heap(heap, memory)
    with pytest.raises(NotSupportedError, match=r"for modules that never allocate, and this one"):
        wrap_instance(instance, memory=memory, malloc=None, free=None)


def test_a_bare_memory() -> None:
    memory = wasm_memory()
    check_heap(wrap_instance(memory), memory)


def test_what_is_no_instance(instance: Any) -> None:
    for wrong, words in (
        (
            js.Object.new(),
            "must be a WebAssembly.Instance, its exports or a bare Memory, not Object; "
            r"WebAssembly\.instantiate\(\) gives one as the member `instance` of its result$",
        ),
        (js.JSON, "not JSON"),
        (5, "not int"),
    ):
        with pytest.raises(TypeError, match=words):
            wrap_instance(wrong)
    with pytest.raises(TypeError, match=r"takes, in Pyodide, a WebAssembly\.Instance alone"):
        wrap_instance(instance, instance)


def test_pyodides_own_module_takes_functions_too() -> None:
    own = pyodide_js._module
    with emheap.open().alloc_array(int32, 2000) as room:
        freed: list[int] = []
        heap = wrap_module(own, malloc=lambda size: room.address, free=freed.append)
        with heap.alloc_array(int32, range(2000)) as ref:
            assert ref.address == room.address
            assert ref.view[2] == room[2] == 2
        assert freed == [room.address]
    for wrong, words in (
        ({"memory": wasm_memory()}, "has a memory of its own: leave out memory="),
        ({"malloc": 5}, "malloc must be the name of an export or a function, not 5"),
    ):
        with pytest.raises(TypeError, match=words):
            wrap_module(own, **wrong)
    with pytest.raises(NotSupportedError, match=r"be the module's free: .* leave out s"):
        wrap_module(own, malloc=lambda size: 0, sized_free=True)
    with pytest.raises(NotSupportedError, match="the module does not export _unknown"):
        wrap_module(own, malloc="_unknown")


def test_exports_are_an_instance(instance: Any) -> None:
    check_heap(wrap_instance(instance.exports), instance.exports.memory)
    with pytest.raises(NotSupportedError, match="does not export 'malloc', its malloc"):
        wrap_instance(js_object(memory=wasm_memory()))
    check_heap(
        wrap_instance(js_object(memory=instance.exports.memory), malloc=None, free=None),
        instance.exports.memory,
    )


def test_functions_of_an_instance(instance: Any) -> None:
    exports = instance.exports
    for malloc, free in (
        (exports.malloc, exports.free),
        (lambda size: exports.malloc(size), lambda address: exports.free(address)),
        ("malloc", exports.free),
    ):
        check_heap(wrap_instance(instance, malloc=malloc, free=free), exports.memory)
    with pytest.raises(
        NotSupportedError,
        match=r"cannot be the module's free: it takes .'i32', 'i32'. and gives .'i64'",
    ):
        wrap_instance(instance, free=exports.sum_int64)


def test_a_captured_memory_serves_an_instance() -> None:
    code = (FIXTURES / "guest32.wasm").read_bytes()
    capture = emheap.capture_memory(code)
    words = (
        "^no module was made with these options: pass them to the module's factory, as in await "
        r"factory\(capture\.options\), before asking for its memory$"
    )
    with pytest.raises(NotSupportedError, match=words):
        wrap_instance(js.Object.new(), memory=capture)
    capture.options.instantiateWasm(js.Object.new(), lambda *_: None)
    instance = capture.instance
    instance.exports._initialize()
    check_heap(wrap_instance(instance, memory=capture), capture.memory)


def test_the_shape_of_a_module_built_by_go() -> None:
    run = run_js("() => () => 0")
    functions = {name: run() for name in ("run", "resume", "getsp")}
    exports = js_object(mem=wasm_memory(), **functions)
    with pytest.raises(NotSupportedError, match="this one exports resume, getsp: many alloc"):
        wrap_instance(exports, memory="mem", malloc=None, free=None)
    wrap_instance(exports, memory="mem", wrap_only=True).write_int32(64, 5)


def test_an_address_that_javascript_made_negative(instance: Any) -> None:
    heap = wrap_instance(instance)
    with pytest.raises(emheap.OutOfBoundsError, match=r"above 2 GiB.*add 2\*\*32.* 0xfffffff0"):
        heap.read_int32(-16)


def test_pages_run_out_in_words(instance: Any) -> None:
    memory = wasm_memory(1, 3)
    heap = wrap_instance(memory)
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
    assert wrap_module(module, memory=narrow, wrap_only=True).pointer_size == 4
    assert narrow.buffer == before
    assert before.byteLength == 65536
    for maximum in (1 << 18, None):
        wide = memory_of_64_bits(maximum)
        kept = wide.buffer
        assert wrap_module(module, memory=wide, wrap_only=True).pointer_size == 8
        assert wide.buffer == kept
        assert kept.byteLength == 65536
        with pytest.raises(NotSupportedError, match=r"and malloc takes \['i64'\]"):
            wrap_module(module, memory=wide)


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
    heap = wrap_instance(memory)
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
    words = "more than the 2147483647 bytes that a block can"
    for make in (heap.alloc_array, lambda kind, size: heap.view(kind, 16, size)):
        with pytest.raises(emheap.ValueOutOfRangeError, match=words):
            make(uint8, 2**31)
