"""``python -m emheap``: which backends work on this machine, and what the others need."""

from __future__ import annotations

import sys

import emheap
from emheap.backends.report import describe_backends

if __name__ == "__main__":
    text, works = describe_backends(emheap.__version__)
    print(text)
    sys.exit(0 if works else 1)
