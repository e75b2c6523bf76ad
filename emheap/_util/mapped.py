"""Whether addresses of this process can be read at all, found out without reading them."""

from __future__ import annotations

import ctypes
import os
from itertools import chain

__all__ = ["is_mapped"]

_PAGE = 4096
"""The smallest pages that systems have: larger ones are whole numbers of these."""


def is_mapped(address: int, size: int) -> bool:
    """Whether `size` bytes at an address can be read.

    The system is asked to copy one byte of each page into a pipe. Where a program that reads
    would end, the system answers with an error. (What maps the pages of a process differs from
    system to system, ``/dev/null`` takes bytes without a look at them, and ``msync`` finds pages
    in order that nobody may read.) Where no pipe can be had the answer is no.
    """
    end = address + max(size, 1)
    try:
        reader, writer = os.pipe()
    except OSError:
        return False
    try:
        for place in chain((address,), range((address // _PAGE + 1) * _PAGE, end, _PAGE)):
            os.write(writer, ctypes.c_ubyte.from_address(place))
            os.read(reader, 1)
    except OSError:
        return False
    finally:
        os.close(reader)
        os.close(writer)
    return True
