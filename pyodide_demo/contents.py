"""What a file of the site is made of."""

from __future__ import annotations

from pathlib import Path

Content = Path | bytes
"""A file to be copied, or the bytes themselves."""


def size_of(content: Content) -> int:
    """Its bytes."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size
