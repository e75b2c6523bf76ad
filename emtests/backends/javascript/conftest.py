"""Tests that need JavaScript around Python and, in `outside`, a machine around JavaScript."""

from __future__ import annotations

from emheap._util.platform import IN_PYODIDE

collect_ignore_glob = ["outside/*"] if IN_PYODIDE else ["test_*.py"]
