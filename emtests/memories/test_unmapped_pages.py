"""A string that ends where the mapped memory ends is read to there and no further; what reads
further, by a raw address, ends the process."""

from __future__ import annotations

import ctypes
import mmap
import subprocess
import sys
from collections.abc import Iterator

import pytest

import emheap
from emheap import Text
from emheap.types import text_types
from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE
from emtests.processes import CHECKOUT, SECONDS


@pytest.fixture
def page_end() -> Iterator[int]:
    """The address of the first byte behind a mapped page; touching it ends the process."""
    if sys.platform in ("emscripten", "win32"):
        skip_for_gap("unmapped pages", "there is no mprotect on this platform")
    libc = ctypes.CDLL(None, use_errno=True)
    protect = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, use_errno=True
    )(("mprotect", libc))
    size = mmap.PAGESIZE
    with mmap.mmap(-1, 2 * size) as pages:
        first = ctypes.c_ubyte.from_buffer(pages)
        end = ctypes.addressof(first) + size
        assert protect(end, size, 0) == 0
        yield end
        assert protect(end, size, mmap.PROT_READ | mmap.PROT_WRITE) == 0
        del first


@pytest.mark.parametrize("text", text_types, ids=lambda kind: kind.name)
def test_no_byte_behind_the_terminator_is_read(page_end: int, text: type[Text]) -> None:
    heap = emheap.open()
    for length in (*range(130), 700):
        value = "x" * length
        address = page_end - (length + 1) * text.size
        assert heap.write(text, address, value) == length
        assert heap.read(text, address) == value
        assert heap.read(text, address, length) == value
        assert heap.wrap(text, address).value == value
        assert heap.get_element_count_of_null_terminated_string(address, text.size) == length
        # Without a terminator, the scan stops at the limit it is given.
        heap.write(text.unit, page_end - text.size, 1)
        with pytest.raises(emheap.UnterminatedStringError, match=f"within {length} elements?"):
            heap.read(text, address, length)


READS = {
    "emheap": "import emheap; emheap.open().read_int32(address)",
    "ctypes": "ctypes.c_int32.from_address(address).value",
    "C": (
        "import emheap; from emheap import Function, Library, c\n"
        "class Libc(Library): strlen: Function[[c.address], c.size_t]\n"
        "emheap.open().library(Libc).strlen(address)"
    ),
}
PROGRAM = """
import ctypes, mmap
room = mmap.mmap(-1, 1 << 26)
array = (ctypes.c_char * len(room)).from_buffer(room)
address = ctypes.addressof(array) + (1 << 25)
del array
room.close()
{}
print("it went on")
"""


@pytest.mark.once
@pytest.mark.parametrize("name", READS)
def test_an_address_that_is_not_mapped_ends_the_process(name: str) -> None:
    if IN_PYODIDE:
        skip_for_gap("a page that is not mapped", "a WebAssembly memory has none before its end")
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(READS[name])],
        cwd=CHECKOUT,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    # By a signal, or Windows' fault, and not by an exception, which would be a 1.
    assert ended.returncode not in (0, 1), ended.stderr
    assert not ended.stdout + ended.stderr
