"""Start the command: `python -m pyodide_demo`."""

import io
import sys

from pyodide_demo.command_line import main

if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A caption or a file's name may hold what an old code page cannot show.
            stream.reconfigure(errors="replace")
    sys.exit(main())
