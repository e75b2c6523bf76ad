from __future__ import annotations

from emheap._util.platform import IN_PYODIDE

# There are no processes in a page. Workers that share a SharedArrayBuffer have tests of their own.
collect_ignore_glob = ["test_*"] if IN_PYODIDE else []
