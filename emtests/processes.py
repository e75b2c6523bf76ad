"""Programs in processes of their own, for what would take the tests down with it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
SECONDS = 120


def run_program(source: str, *arguments: str) -> str:
    """Run a Python program; return what it printed. Fails unless it ends with exit code 0.

    A program that crashes leaves the stack it had, by faulthandler.
    """
    ended = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(source), *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        check=False,
    )
    assert ended.returncode == 0, f"exit code {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout
