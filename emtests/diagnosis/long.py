"""Whether the long forms of tests were asked for: ``EMHEAP_LONG=1``."""

from __future__ import annotations

import os

__all__ = ["LONG"]

LONG = "EMHEAP_LONG" in os.environ
