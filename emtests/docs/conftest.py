from __future__ import annotations

import sys

# The pages are tested in Pyodide too; to build them needs processes.
_PROCESSES = ["test_browser.py", "test_build.py", "test_policies.py", "test_statements.py"]
collect_ignore_glob = _PROCESSES if sys.platform == "emscripten" else []
