"""The same work as wasm-heap-manager's, which emheap's names come from, in Node.

It runs in a process of its own, in a module compiled by Emscripten, and is compiled to machine code
itself; nothing of it is slowed down by an interpreter. The fastest batches of each are compared.
"""

from __future__ import annotations
