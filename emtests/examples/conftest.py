"""The example packages are built and run by programs of their own."""

from __future__ import annotations

from emheap._util.platform import IN_PYODIDE

# Pyodide has no processes.
collect_ignore_glob = ["test_*"] if IN_PYODIDE else []
