"""Whether the long forms of tests were asked for: ``EMHEAP_LONG=1``."""

from __future__ import annotations

import os
import sys

__all__ = ["LONG", "report"]

LONG = "EMHEAP_LONG" in os.environ


def report(figures: str) -> None:
    """Tell what a test measured; pytest shows it with ``-s``, or ``-rP``."""
    sys.stdout.write(f"{figures}\n")
