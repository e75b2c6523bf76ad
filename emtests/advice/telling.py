"""What an error must say."""

from __future__ import annotations

import re
from typing import Any

import pytest

__all__ = ["advised"]


def advised(*texts: str) -> Any:
    """The body of the ``with`` block must raise an error whose message has these texts."""
    return pytest.raises(Exception, match="(?s)" + ".*".join(map(re.escape, texts)))
