"""The oldest releases that the extras of the project admit."""

from __future__ import annotations

import re

from pyodide_demo.environment import CHECKOUT

__all__ = ["oldest"]


def oldest(name: str) -> str:
    """A requirement of the oldest major version of a package that its extra admits."""
    table = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    (version,) = re.findall(rf'^{name} = \["{name}>=(\d+)"\]$', table, re.MULTILINE)
    return f"{name}=={version}.*"
