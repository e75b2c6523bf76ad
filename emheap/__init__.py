"""Typed, safe hold of a WebAssembly or native heap: numbers, strings and arrays, at an address.

>>> import emheap
>>> heap = emheap.open()
>>> with heap.arena() as scratch:
...     samples = scratch.alloc_array(emheap.float32, [0.5, 1.5])
...     sum(samples)
2.0
"""

# Imports run one way, and a test holds them to it:
#
#   errors, home, checks, sites, options, exit_report -> types -> memories, allocators, atomics
#   -> records, loans, blocks -> ownership, guarding -> refs -> allocation
#   -> names, maps, reports, diagnosis -> inspection, notebook -> arena, manager -> opening
#
# What only a browser has (js, pyodide.ffi, pyodide_js) is imported in memories/own_module.py
# and the few files that exist for JavaScript, and there only inside Pyodide.

from __future__ import annotations

from emheap.allocators.base import Allocator as Allocator
from emheap.allocators.bump import BumpAllocator as BumpAllocator
from emheap.allocators.counting import CountingAllocator as CountingAllocator
from emheap.allocators.debug import DebugAllocator as DebugAllocator
from emheap.allocators.failing import FailingAllocator as FailingAllocator
from emheap.allocators.freelist import FreeListAllocator as FreeListAllocator
from emheap.allocators.functions import FunctionsAllocator as FunctionsAllocator
from emheap.allocators.libc import LibcAllocator as LibcAllocator
from emheap.allocators.pages import PageAllocator as PageAllocator
from emheap.allocators.pool import PoolAllocator as PoolAllocator
from emheap.allocators.quota import QuotaAllocator as QuotaAllocator
from emheap.arena import Arena as Arena
from emheap.capturing import CapturedMemory as CapturedMemory
from emheap.capturing import capture_memory as capture_memory
from emheap.errors import AlreadyOwnedError as AlreadyOwnedError
from emheap.errors import BufferInUseError as BufferInUseError
from emheap.errors import CapacityError as CapacityError
from emheap.errors import DoubleFreeError as DoubleFreeError
from emheap.errors import HeapCorruptionError as HeapCorruptionError
from emheap.errors import HeapError as HeapError
from emheap.errors import LeakError as LeakError
from emheap.errors import MisalignedError as MisalignedError
from emheap.errors import NotAllocatedError as NotAllocatedError
from emheap.errors import NotSupportedError as NotSupportedError
from emheap.errors import NullPointerError as NullPointerError
from emheap.errors import OutOfBoundsError as OutOfBoundsError
from emheap.errors import OutOfMemoryError as OutOfMemoryError
from emheap.errors import UnterminatedStringError as UnterminatedStringError
from emheap.errors import UseAfterFreeError as UseAfterFreeError
from emheap.errors import ValueOutOfRangeError as ValueOutOfRangeError
from emheap.inspection import hexdump as hexdump
from emheap.manager import HeapManager as HeapManager
from emheap.memories.base import Memory as Memory
from emheap.memories.views import HeapView as HeapView
from emheap.opening import create_wasm_heap_manager as create_wasm_heap_manager
from emheap.opening import open as open  # noqa: A004
from emheap.opening import wrap_buffer as wrap_buffer
from emheap.opening import wrap_emscripten_module_heap as wrap_emscripten_module_heap
from emheap.opening import wrap_wasm_instance as wrap_wasm_instance
from emheap.refs import ArrayRef as ArrayRef
from emheap.refs import HeapRef as HeapRef
from emheap.refs import ScalarRef as ScalarRef
from emheap.refs import StringRef as StringRef
from emheap.types import Scalar as Scalar
from emheap.types import Text as Text
from emheap.types import Type as Type
from emheap.types import ascii as ascii  # noqa: A004
from emheap.types import clamped_uint8 as clamped_uint8
from emheap.types import float32 as float32
from emheap.types import float64 as float64
from emheap.types import int8 as int8
from emheap.types import int16 as int16
from emheap.types import int32 as int32
from emheap.types import int64 as int64
from emheap.types import pointer32 as pointer32
from emheap.types import pointer53 as pointer53
from emheap.types import pointer64 as pointer64
from emheap.types import uint8 as uint8
from emheap.types import uint16 as uint16
from emheap.types import uint32 as uint32
from emheap.types import uint64 as uint64
from emheap.types import uint128 as uint128
from emheap.types import uint256 as uint256
from emheap.types import utf8 as utf8
from emheap.types import utf16 as utf16
from emheap.types import utf32 as utf32

__version__ = "0.1.0"
