"""The references: what allocating and wrapping return."""

from __future__ import annotations

from emheap._util.platform import IN_PYODIDE
from emheap.refs.array import ArrayRef as ArrayRef
from emheap.refs.base import HeapRef as HeapRef
from emheap.refs.scalar import ScalarRef as ScalarRef
from emheap.refs.string import StringRef as StringRef

if IN_PYODIDE:
    from emheap.javascript.conversion import pass_addresses

    pass_addresses()
