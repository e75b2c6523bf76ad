from __future__ import annotations

import ctypes

# Where addresses have 32 bits there is nothing beyond.
collect_ignore_glob = ["test_*"] if ctypes.sizeof(ctypes.c_void_p) == 4 else []
