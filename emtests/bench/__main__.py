"""`python -m emtests.bench`."""

from __future__ import annotations

import sys

from emtests.bench.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
