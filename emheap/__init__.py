"""Typed, memory-safe access to a WebAssembly or native heap: numbers, strings and arrays.

>>> import emheap
>>> heap = emheap.open()
>>> with heap.arena() as scratch:
...     samples = scratch.alloc_array(emheap.float32, [0.5, 1.5])
...     sum(samples)
2.0
"""

# Imports run one way, and a test holds them to it:
#
#   errors -> _util -> javascript -> types -> memories -> allocators -> blocks -> refs
#   -> calls -> c -> diagnosis -> heap -> backends -> testing -> pytest_plugin
#
# What only a browser has (js, pyodide.ffi, pyodide_js) is imported in the few files that exist
# for JavaScript, and there only inside Pyodide.

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emheap.allocators.base import Allocator
    from emheap.allocators.bump import BumpAllocator
    from emheap.allocators.counting import CountingAllocator
    from emheap.allocators.debug import DebugAllocator
    from emheap.allocators.failing import FailingAllocator
    from emheap.allocators.freelist import FreeListAllocator
    from emheap.allocators.functions import FunctionsAllocator
    from emheap.allocators.libc import LibcAllocator
    from emheap.allocators.pages import PageAllocator
    from emheap.allocators.pool import PoolAllocator
    from emheap.allocators.quota import QuotaAllocator
    from emheap.allocators.wrapping import WrappingAllocator
    from emheap.backends.buffer import wrap_buffer
    from emheap.backends.modules import (
        create_wasm_heap_manager,
        wrap_emscripten_module_heap,
        wrap_wasm_instance,
    )
    from emheap.backends.process import open as open  # noqa: A004 (used as emheap.open)
    from emheap.backends.wasm_file import load_wasm
    from emheap.calls.library import Function, Library
    from emheap.diagnosis.heap_map import HeapMap
    from emheap.diagnosis.hexdump import hexdump
    from emheap.diagnosis.reports import (
        Change,
        Counts,
        LiveBlock,
        LiveBlocks,
        Snapshot,
        Statistics,
        Usage,
    )
    from emheap.errors import (
        AlreadyOwnedError,
        BufferInUseError,
        CapacityError,
        DoubleFreeError,
        EmbeddedNullError,
        ForeignTrapError,
        HeapCorruptionError,
        HeapError,
        LeakError,
        MisalignedError,
        NotAllocatedError,
        NotSupportedError,
        NullPointerError,
        OutOfBoundsError,
        OutOfMemoryError,
        ShapeError,
        UnterminatedStringError,
        UseAfterFreeError,
        ValueOutOfRangeError,
    )
    from emheap.heap.arena import Arena
    from emheap.heap.manager import HeapManager
    from emheap.javascript.capture import CapturedMemory, capture_memory
    from emheap.memories.base import Memory
    from emheap.memories.heap_view import HeapView
    from emheap.refs import ArrayRef, HeapRef, ScalarRef, StringRef
    from emheap.refs.atomic import Atomic
    from emheap.refs.pointer import Pointer
    from emheap.refs.struct import Array, Struct, Union
    from emheap.refs.struct_array import StructArrayRef
    from emheap.types import (
        Scalar,
        Text,
        Type,
        boolean,
        char,
        clamped_uint8,
        float16,
        float32,
        float64,
        int8,
        int16,
        int32,
        int64,
        intptr,
        long,
        pointer32,
        pointer53,
        pointer64,
        short,
        size_t,
        ssize_t,
        uint8,
        uint16,
        uint32,
        uint64,
        uint128,
        uint256,
        uintptr,
        ulong,
        ushort,
        utf8,
        utf16,
        utf32,
        wchar,
    )
    from emheap.types import ascii as ascii  # noqa: A004 (used as emheap.ascii)
    from emheap.types.fields import Field
    from emheap.types.struct_fields import array, bits, field, stored
    from emheap.types.structs import StructLayout
    from emheap.types.text import text

__version__ = "0.1.0"

__all__ = [
    "Allocator",
    "AlreadyOwnedError",
    "Arena",
    "Array",
    "ArrayRef",
    "Atomic",
    "BufferInUseError",
    "BumpAllocator",
    "CapacityError",
    "CapturedMemory",
    "Change",
    "CountingAllocator",
    "Counts",
    "DebugAllocator",
    "DoubleFreeError",
    "EmbeddedNullError",
    "FailingAllocator",
    "Field",
    "ForeignTrapError",
    "FreeListAllocator",
    "Function",
    "FunctionsAllocator",
    "HeapCorruptionError",
    "HeapError",
    "HeapManager",
    "HeapMap",
    "HeapRef",
    "HeapView",
    "LeakError",
    "LibcAllocator",
    "Library",
    "LiveBlock",
    "LiveBlocks",
    "Memory",
    "MisalignedError",
    "NotAllocatedError",
    "NotSupportedError",
    "NullPointerError",
    "OutOfBoundsError",
    "OutOfMemoryError",
    "PageAllocator",
    "Pointer",
    "PoolAllocator",
    "QuotaAllocator",
    "Scalar",
    "ScalarRef",
    "ShapeError",
    "Snapshot",
    "Statistics",
    "StringRef",
    "Struct",
    "StructArrayRef",
    "StructLayout",
    "Text",
    "Type",
    "Union",
    "UnterminatedStringError",
    "Usage",
    "UseAfterFreeError",
    "ValueOutOfRangeError",
    "WrappingAllocator",
    "__version__",
    "array",
    "bits",
    "boolean",
    "capture_memory",
    "char",
    "clamped_uint8",
    "create_wasm_heap_manager",
    "field",
    "float16",
    "float32",
    "float64",
    "hexdump",
    "int8",
    "int16",
    "int32",
    "int64",
    "intptr",
    "load_wasm",
    "long",
    "pointer32",
    "pointer53",
    "pointer64",
    "short",
    "size_t",
    "ssize_t",
    "stored",
    "text",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "uint128",
    "uint256",
    "uintptr",
    "ulong",
    "ushort",
    "utf8",
    "utf16",
    "utf32",
    "wchar",
    "wrap_buffer",
    "wrap_emscripten_module_heap",
    "wrap_wasm_instance",
]
"""Without `open` and `ascii`: a star import must not hide builtins."""

_NAMES_OF = {
    "allocators.base": "Allocator",
    "allocators.bump": "BumpAllocator",
    "allocators.counting": "CountingAllocator",
    "allocators.debug": "DebugAllocator",
    "allocators.failing": "FailingAllocator",
    "allocators.freelist": "FreeListAllocator",
    "allocators.functions": "FunctionsAllocator",
    "allocators.libc": "LibcAllocator",
    "allocators.pages": "PageAllocator",
    "allocators.pool": "PoolAllocator",
    "allocators.quota": "QuotaAllocator",
    "allocators.wrapping": "WrappingAllocator",
    "backends.buffer": "wrap_buffer",
    "backends.modules": "create_wasm_heap_manager wrap_emscripten_module_heap wrap_wasm_instance",
    "backends.process": "open",
    "backends.wasm_file": "load_wasm",
    "calls.library": "Function Library",
    "diagnosis.heap_map": "HeapMap",
    "diagnosis.hexdump": "hexdump",
    "diagnosis.reports": "Change Counts LiveBlock LiveBlocks Snapshot Statistics Usage",
    "errors": (
        "AlreadyOwnedError BufferInUseError CapacityError DoubleFreeError EmbeddedNullError "
        "ForeignTrapError HeapCorruptionError HeapError LeakError MisalignedError "
        "NotAllocatedError NotSupportedError NullPointerError OutOfBoundsError "
        "OutOfMemoryError ShapeError UnterminatedStringError UseAfterFreeError "
        "ValueOutOfRangeError"
    ),
    "heap.arena": "Arena",
    "heap.manager": "HeapManager",
    "javascript.capture": "CapturedMemory capture_memory",
    "memories.base": "Memory",
    "memories.heap_view": "HeapView",
    "refs": "ArrayRef HeapRef ScalarRef StringRef",
    "refs.atomic": "Atomic",
    "refs.pointer": "Pointer",
    "refs.struct": "Array Struct Union",
    "refs.struct_array": "StructArrayRef",
    "types": (
        "Scalar Text Type ascii boolean char clamped_uint8 float16 float32 float64 int16 "
        "int32 int64 int8 intptr long pointer32 pointer53 pointer64 short size_t ssize_t "
        "uint128 uint16 uint256 uint32 uint64 uint8 uintptr ulong ushort utf16 utf32 utf8 "
        "wchar"
    ),
    "types.fields": "Field",
    "types.struct_fields": "array bits field stored",
    "types.structs": "StructLayout",
    "types.text": "text",
}
"""The names that each module defines, as declared above for type checkers."""

_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names.split()}
"""A module is imported when one of its names is first used: importing them all takes 15 times as
long as importing ctypes does, and hardly a program needs more than half."""


if not TYPE_CHECKING:  # or a misspelt name would pass every type checker

    def __getattr__(name: str) -> Any:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        # Threads that come here together find one module, and with that one object.
        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
