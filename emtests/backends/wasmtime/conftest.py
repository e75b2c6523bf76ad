from __future__ import annotations

from emheap._util.platform import IN_PYODIDE

# wasmtime runs native code.
collect_ignore_glob = ["test_*"] if IN_PYODIDE else []
