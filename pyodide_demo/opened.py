"""A heap on the WebAssembly module that the visitor opened. It runs inside Pyodide only."""

from __future__ import annotations

from typing import Any

import emheap
from emheap import HeapManager
from pyodide_demo.prompt import scope_of

__all__ = ["open_heap", "scope"]


def open_heap(instance: Any, memory: Any) -> HeapManager:
    """A heap on an instance's memory, with its own allocator where it exports one."""
    return emheap.wrap_wasm_instance(instance, memory=memory, count_allocations=True)


def scope(instance: Any, heap: HeapManager | None) -> dict[str, Any]:
    """The names that the module's prompt starts with."""
    names = {} if heap is None else {"heap": heap}
    return scope_of(instance=instance, exports=instance.exports, **names)
