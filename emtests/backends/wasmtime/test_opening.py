"""What `wrap_wasm_instance` takes, and what it says of what it does not take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import wasmtime

import emheap
from emheap import NotSupportedError, PageAllocator, PoolAllocator, int32, uint8
from emtests.backends.wasmtime.running import Running, make_store, run_module
from emtests.conftest import skip_for_gap
from emtests.processes import run_program
from emtests.webassembly.engines import has_setting
from emtests.webassembly.guests import WasmtimeGuest

BUMP = """
(module
  (memory (export "{memory}") 1)
  (global $next (mut i32) (i32.const 1024))
  (func (export "{malloc}") (param i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (i32.and (i32.add (local.get 0) (i32.const 15))
                                                           (i32.const -16)))))
  (func (export "{free}") (param i32)))
"""
NAMES = {"memory": "memory", "malloc": "malloc", "free": "free"}


def open_running(running: Running, **names: Any) -> emheap.HeapManager:
    return emheap.wrap_wasm_instance(running.store, running.instance, **names)


def test_the_names_of_the_exports_are_the_users() -> None:
    names = {"memory": "mem", "malloc": "alloc", "free": "dealloc"}
    heap = open_running(run_module(BUMP.format(**names)), **names)
    with heap.alloc_array(int32, [1, 2, 3]) as ref:
        assert ref.address == 1024
        assert ref[:] == [1, 2, 3]


@pytest.mark.parametrize(
    ("missing", "cure"),
    [
        ("memory", "modules that import their memory need it passed, as memory=the_memory"),
        ("malloc", "link it with -Wl,--export=malloc, name another function as malloc= (its free"),
        ("free", "link it with -Wl,--export=free, name another function as free= (its malloc"),
    ],
)
def test_a_missing_export_is_named_with_the_cure(missing: str, cure: str) -> None:
    running = run_module(BUMP.format(**{**NAMES, missing: "other"}))
    with pytest.raises(NotSupportedError) as caught:
        open_running(running)
    message = str(caught.value)
    assert f"the module does not export '{missing}', its {missing}" in message
    assert "it exports " in message
    assert "other" in message
    assert cure in message


def test_a_module_without_exports() -> None:
    with pytest.raises(NotSupportedError, match="it exports nothing; modules that import"):
        open_running(run_module("(module)"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"memory": "malloc"}, "exports a Func as 'malloc', its memory"),
        ({"malloc": "memory"}, "exports a Memory as 'memory', its malloc"),
        ({"malloc": "free"}, r"'free' cannot be the module's malloc: it takes \['i32'\] and gives"),
        (
            {"free": "malloc"},
            r"cannot be the module's free: .* free takes \['i32'\] and gives \[\]",
        ),
    ],
)
def test_an_export_of_another_kind(names: dict[str, str], message: str) -> None:
    with pytest.raises(NotSupportedError, match=message):
        open_running(run_module(BUMP.format(**NAMES)), **names)


def test_functions_of_the_other_width() -> None:
    text = BUMP.format(**NAMES).replace("(memory (export", "(memory i64 (export")
    text = text.replace('"memory") 1', '"memory") i64 1').replace("memory i64 (", "memory (")
    with pytest.raises(NotSupportedError, match=r"takes \['i32'\] .* malloc takes \['i64'\]"):
        open_running(run_module(text))


@pytest.mark.parametrize("name", ["malloc", "free", "memory"])
@pytest.mark.parametrize("value", [5, b"malloc", object(), True])
def test_a_name_that_is_none(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"{name} must be the name of an export(, not| or a fun)"):
        open_running(run_module(BUMP.format(**NAMES)), **{name: value})


def test_half_an_allocator() -> None:
    running = run_module(BUMP.format(**NAMES))
    for names in ({"malloc": None}, {"free": None}):
        with pytest.raises(
            TypeError, match="must be the name of an export or a function, not None"
        ):
            open_running(running, **names)


def test_what_is_no_store_and_no_instance() -> None:
    running = run_module(BUMP.format(**NAMES))
    wild: Any = emheap.wrap_wasm_instance
    with pytest.raises(TypeError, match=r"store must be a wasmtime.Store, not <wasmtime"):
        wild(running.instance, running.store)
    with pytest.raises(TypeError, match=r"store must be a wasmtime.Store, not None"):
        wild(None, running.instance)
    with pytest.raises(
        TypeError,
        match=r"instance must be a wasmtime\.Instance, its exports or a bare Memory, not 'x'",
    ):
        wild(running.store, "x")
    for arguments in ((), (running.store,), (running.store, running.instance, 1)):
        words = r"takes a wasmtime store and an instance, or a Caller alone"
        with pytest.raises(TypeError, match=words):
            wild(*arguments)
    with pytest.raises(TypeError, match="unknown option 'memroy'"):
        open_running(running, memroy="memory")


def test_a_store_of_another_instance() -> None:
    running = run_module(BUMP.format(**NAMES))
    other = run_module(BUMP.format(**NAMES), store=wasmtime.Store(running.store.engine))
    with pytest.raises(ValueError, match="the instance belongs to another store than the one giv"):
        emheap.wrap_wasm_instance(other.store, running.instance)
    with pytest.raises(ValueError, match="the memory belongs to another store"):
        open_running(running, memory=other.exports["memory"])


def test_a_closed_store() -> None:
    running = run_module(BUMP.format(**NAMES))
    running.store.close()
    with pytest.raises(ValueError, match="already closed"):
        open_running(running)


def test_a_bare_memory() -> None:
    store = make_store()
    memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, 5)))
    heap = emheap.wrap_wasm_instance(store, memory)
    with heap.alloc_array(int32, [1, 2, 3]) as ref:
        assert ref.address >= 65536
        assert memory.read(store, ref.address, ref.address + 4) == b"\1\0\0\0"
    with pytest.raises(ValueError, match="the memory belongs to another store"):
        emheap.wrap_wasm_instance(make_store(), memory)


def test_exports_in_the_place_of_the_instance() -> None:
    running = run_module(BUMP.format(**NAMES))
    heap = emheap.wrap_wasm_instance(running.store, running.exports)
    with heap.alloc_array(int32, [1, 2, 3]) as ref:
        assert ref.address == 1024
    other = make_store()
    with pytest.raises(ValueError, match="the memory belongs to another store"):
        emheap.wrap_wasm_instance(other, running.exports)


def test_functions_in_the_place_of_names() -> None:
    running = run_module(BUMP.format(**NAMES))
    asked: list[int] = []
    malloc = running.exports["malloc"]
    heap = open_running(running, malloc=malloc, free=asked.append)
    with heap.alloc_array(int32, range(1000)) as ref:
        address = ref.address
    assert asked == [address]
    other = run_module(BUMP.format(**NAMES))
    with pytest.raises(ValueError, match="the function given as malloc belongs to another store"):
        open_running(running, malloc=other.exports["malloc"])
    with pytest.raises(NotSupportedError, match=r"'free' cannot be the module's free: it takes"):
        open_running(running, malloc=malloc, free=malloc)


# A Caller: the store, for the time of one call


def call_back(function: Any, exports: str = BUMP.format(**NAMES)) -> Running:
    """Run a module whose function `run` calls a Python function, which gets the Caller."""
    store = make_store()
    kind = wasmtime.FuncType([wasmtime.ValType.i32()], [])
    imported = wasmtime.Func(store, kind, function, access_caller=True)
    inside = exports.strip().removeprefix("(module").removesuffix(")")
    text = f"""
    (module (import "" "f" (func $f (param i32)))
      {inside}
      (data (i32.const 16) "gr\\c3\\bc\\c3\\9fe\\00")
      (func (export "run") (call $f (i32.const 16))))
    """
    running = run_module(text, imported, store=store)
    running.exports["run"](store)
    return running


def test_a_caller_opens_its_modules_heap_for_the_call() -> None:
    kept: list[Any] = []

    def called(caller: Any, address: int) -> None:
        heap = emheap.wrap_wasm_instance(caller)
        assert heap.read(emheap.utf8, address) == "grüße"
        heap.write(emheap.utf8, address, "hello")
        with heap.alloc_array(int32, [1, 2, 3]) as ref:
            assert ref.address == 1024
            assert sum(ref.view) == 6
        text = heap.wrap(emheap.utf8, address)
        assert text.value == "hello"
        kept.extend([heap, text, heap.view(uint8, address, 5)])

    running = call_back(called)
    memory = running.exports["memory"]
    assert memory.read(running.store, 16, 22) == b"hello\0"
    heap, text, view = kept
    uses: tuple[Callable[[], Any], ...] = (
        lambda: heap.read(emheap.utf8, 16),
        lambda: heap.read_int32(16),
        lambda: heap.write_int32(16, 1),
        lambda: heap.view(uint8, 16, 1),
        lambda: text.value,
        lambda: text.write("x"),
        lambda: view[0],
        lambda: view.tolist(),
    )
    for use in uses:
        words = (
            "this heap was opened on a wasmtime Caller, and the call that it stood for has ended: "
            "open a heap in each call, or on the store and the instance$"
        )
        with pytest.raises(emheap.UseAfterFreeError, match=words):
            use()
    # As the error says: a heap on the store and the instance outlives the call.
    after = emheap.wrap_wasm_instance(running.store, running.instance)
    assert after.read(emheap.utf8, 16) == "hello"


def test_a_caller_with_the_instance_or_a_memory() -> None:
    seen: list[str] = []

    def called(caller: Any, address: int) -> None:
        memory = caller["memory"]
        for parts in ((caller, memory), (caller, {"memory": memory})):
            heap = emheap.wrap_wasm_instance(*parts, wrap_only=True)
            seen.append(heap.read(emheap.utf8, address))
        with pytest.raises(NotSupportedError, match="cannot be given pages of its own"):
            emheap.wrap_wasm_instance(caller, malloc=None, free=None)
        with pytest.raises(NotSupportedError, match=r"does not export 'alloc', its malloc; link"):
            emheap.wrap_wasm_instance(caller, malloc="alloc")

    call_back(called)
    assert seen == ["grüße"] * 2


def test_growth_during_a_callers_heap() -> None:
    def called(caller: Any, address: int) -> None:
        heap = emheap.wrap_wasm_instance(caller)
        caller["memory"].grow(caller, 300)
        heap.write_int32(300 * 65536, 7)
        assert heap.read_int32(300 * 65536) == 7
        assert heap.read(emheap.utf8, address) == "grüße"

    call_back(called)


# A memory that the module was given


def test_an_imported_memory() -> None:
    store = make_store()
    kind = wasmtime.MemoryType(wasmtime.Limits(2, 5))
    memory = wasmtime.Memory(store, kind)
    text = """
    (module
      (import "env" "memory" (memory 1))
      (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))
    """
    running = run_module(text, memory, store=store)
    heap = open_running(running, memory=memory, malloc=None, free=None)
    with heap.alloc(int32, 77) as number:
        assert number.address >= 2 * 65536
        assert running.exports["load"](store, number.address) == 77


# Blocks in pages that the heap adds


def test_pages_of_our_own_leave_the_modules_bytes_alone() -> None:
    guest = WasmtimeGuest("guest32", pages=True)
    heap = guest.heap
    pool = heap.allocator
    assert isinstance(pool, PoolAllocator)
    assert isinstance(pool._allocator, PageAllocator)
    before = heap.memory.size
    held = heap.memory.read_bytes(1, before - 1)
    refs = [heap.alloc_array(uint8, bytes([255]) * 5000) for _ in range(50)]
    assert all(ref.address >= before for ref in refs)
    assert heap.memory.read_bytes(1, before - 1) == held
    theirs = heap.memory.size
    guest.call("grow", 1)
    more = [heap.alloc_array(uint8, bytes([254]) * 70_000) for _ in range(5)]
    assert not any(theirs - 70_000 < ref.address < theirs + 65536 for ref in more)
    assert heap.memory.read_bytes(theirs, 65536) == bytes(65536)
    assert all(ref[:] == [255] * 5000 for ref in refs)
    for ref in refs + more:
        ref.free()


def test_pages_run_out() -> None:
    running = run_module('(module (memory (export "memory") 1 3))')
    heap = open_running(running, malloc=None, free=None)
    with pytest.raises(emheap.OutOfMemoryError, match="no room for 200000 bytes: 0 bytes are live"):
        heap.alloc_array(uint8, 200_000)
    with heap.alloc_array(uint8, 2 * 65536) as ref:
        assert ref.address == 65536
        with pytest.raises(emheap.OutOfMemoryError):
            heap.alloc(int32)
    with heap.alloc(int32, 5):
        assert heap.memory.size == 3 * 65536


def test_an_empty_memory() -> None:
    heap = open_running(run_module('(module (memory (export "memory") 0))'), malloc=None, free=None)
    assert heap.memory.size == 0
    with pytest.raises(emheap.OutOfBoundsError):
        heap.read(uint8, 1)
    with heap.alloc_array(uint8, 65536) as ref:
        assert ref.address == 16
        ref[65535] = 9
        assert heap.read(uint8, 16 + 65535) == 9


@pytest.mark.parametrize("size", [0, 13, 64])
def test_pages_of_a_single_byte(size: int) -> None:
    text = f"""
    (module
      (memory (export "memory") {size} 20000 (pagesize 1))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
    """
    if not has_setting("wasm_custom_page_sizes"):
        skip_for_gap("pages of a single byte", "this release of wasmtime has none")
    running = run_module(text, store=make_store(wasm_custom_page_sizes=True))
    heap = open_running(running, malloc=None, free=None)
    refs = [heap.alloc_array(uint8, bytes([5]) * count) for count in (1000, 1, 700)]
    theirs = running.exports["grow"](running.store, 5)
    refs += [heap.alloc_array(uint8, bytes([6]) * count) for count in (900, 800, 700)]
    # An empty memory's first 16 bytes stay unused, at most 30 on either side of the module's, and
    # what the pool asks for beforehand: as many small blocks again as there are.
    blocks = sum(-(-len(ref) // 16) * 16 for ref in refs)
    assert heap.memory.size <= size + 16 + 5 + 60 + 2 * blocks
    assert all(ref.address >= size for ref in refs)
    assert heap.memory.read_bytes(theirs, 5) == bytes(5)
    assert [set(ref[:]) for ref in refs] == [{5}] * 3 + [{6}] * 3
    with pytest.raises(emheap.OutOfMemoryError):
        heap.alloc_array(uint8, 20_000)
    refs.append(heap.alloc_array(uint8, 20_000 - heap.memory.size - 16))
    assert 20_000 - 16 <= heap.memory.size <= 20_000
    for ref in refs:
        ref.free()


ALLOCATORS = (
    "malloc", "my_alloc", "allocateBytes", "cabi_realloc", "__libc_free", "free", "_sbrk",
    "__wbindgen_export_0", "__unpin", "go_scheduler",
)  # fmt: skip


@pytest.mark.parametrize("name", ALLOCATORS)
def test_no_pages_are_added_beside_what_looks_like_an_allocator(name: str) -> None:
    running = run_module(f'(module (memory (export "memory") 1) (func (export "{name}")))')
    words = rf"for modules that never allocate, and this one exports {name}: .*wrap_only=True"
    with pytest.raises(NotSupportedError, match=words):
        open_running(running, malloc=None, free=None)
    assert open_running(running, wrap_only=True).read_int32(64) == 0


@pytest.mark.parametrize("name", ["freeze", "local", "wbindgen", "news"])
def test_pages_are_added_beside_functions_of_other_names(name: str) -> None:
    running = run_module(f'(module (memory (export "memory") 1) (func (export "{name}")))')
    with open_running(running, malloc=None, free=None).alloc(int32, 5) as number:
        assert number.address >= 65536


# Addresses


def test_addresses_above_2_gib_are_unsigned() -> None:
    guest = WasmtimeGuest("guest32")
    heap = guest.heap
    low = heap.alloc(int32, 1)
    filler = guest.call("malloc", 0x7FFF0000)
    assert filler != 0
    with heap.alloc_array(int32, range(1000)) as high, heap.alloc(int32, -5) as number:
        assert high.address > 1 << 31
        assert number.address > 1 << 31
        assert guest.call("load_byte", high.address + 4 * 77) == 77
        high.view[3] = 7
        assert heap.read_int32(high.address + 12) == 7
        negative = high.address + 12 - 2**32  # as the module's functions return it
        words = (
            "WebAssembly returns addresses above 2 GiB as negative numbers: "
            rf"add 2\*\*32, which gives {high.address + 12:#x}$"
        )
        with pytest.raises(emheap.OutOfBoundsError, match=words):
            heap.read_int32(negative)
        assert heap.read_int32(negative + 2**32) == 7
        with pytest.raises(emheap.NotAllocatedError, match=r"add 2\*\*32, which gives 0x"):
            heap.free(negative)
        assert sum(high) == sum(range(1000)) + 4
    assert low.value == 1
    low.free()
    guest.call("free", filler)


def test_sizes_of_nearly_4_gib_are_not_cut() -> None:
    guest = WasmtimeGuest("guest32")
    guest.call("malloc", 0x7FFF0000)
    for size in ((1 << 32) - 65536, 1 << 31):
        with pytest.raises(emheap.OutOfMemoryError, match=f"no room for {size + 8191} bytes"):
            guest.heap.alloc_array(uint8, size, align=8192)
    with pytest.raises(emheap.ValueOutOfRangeError, match="more than the 4294967296 bytes"):
        guest.heap.alloc_array(uint8, (1 << 32) + 16)


# Without wasmtime


def test_without_wasmtime_the_error_says_what_to_install() -> None:
    printed = run_program(
        """
        import sys
        sys.modules["wasmtime"] = None
        import emheap
        try:
            emheap.wrap_wasm_instance(1, 2)
        except ImportError as error:
            print(error)
        """
    )
    assert "pip install wasmtime" in printed


def test_wasmtime_is_imported_when_it_is_needed() -> None:
    printed = run_program(
        """
        import sys, emheap
        emheap.open()
        print([name for name in sys.modules if name.startswith("wasmtime")])
        """
    )
    assert printed == "[]\n"
