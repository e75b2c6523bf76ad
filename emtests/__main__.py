"""`python -m emtests`: run the tests in every runtime that this machine has or can be given."""

from __future__ import annotations

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - words are better than a traceback
    sys.exit(
        f"emheap needs Python 3.10 or newer; this is {sys.version.split()[0]} ({sys.executable})"
    )

from emtests.runtimes.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
