from __future__ import annotations

import sys

# The pages are tested in Pyodide too; to build them needs processes.
collect_ignore_glob = ["test_browser.py", "test_build.py"] if sys.platform == "emscripten" else []
