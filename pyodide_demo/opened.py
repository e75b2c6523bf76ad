"""A heap on the WebAssembly module that the visitor opened. It runs inside Pyodide only."""

from __future__ import annotations

from typing import Any, NamedTuple

import emheap
from emheap import HeapManager, NotSupportedError
from pyodide_demo.prompt import scope_of

__all__ = ["Opened", "open_heap", "scope"]


class Opened(NamedTuple):
    """A heap, and why it allocates nothing, where it does not."""

    heap: HeapManager
    problem: str


def open_heap(instance: Any, memory: Any) -> Opened:
    """A heap on an instance's memory, with its own allocator where it exports one."""
    try:
        heap = emheap.wrap_wasm_instance(instance, memory=memory, count_allocations=True)
    except NotSupportedError as problem:
        heap = emheap.wrap_wasm_instance(instance, memory=memory, wrap_only=True)
        cause = str(problem).partition(";")[0]
        words = f"The heap reads, writes and wraps what is there, and allocates nothing: {cause}."
        return Opened(heap, f"{words} emheap.wrap_wasm_instance takes the names of others.")
    return Opened(heap, "")


def scope(instance: Any, heap: HeapManager | None) -> dict[str, Any]:
    """The names that the module's prompt starts with."""
    names = {} if heap is None else {"heap": heap}
    return scope_of(instance=instance, exports=instance.exports, **names)
