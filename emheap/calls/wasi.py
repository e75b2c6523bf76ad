"""What a library needs of WASI preview 1: to print, to tell the time, to get random numbers.

Standard output and error go to Python's, whatever those are at that moment, as bytes in the order
in which they were written. There are no files: what would open one finds no folder. Everything else
answers that it does not exist (ENOSYS); stubs that answer 0 send some libraries round in circles.
"""

from __future__ import annotations

import codecs
import os
import struct
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emheap.calls.traps import ProgramExitError
from emheap.calls.verifying import FunctionType
from emheap.memories.base import Memory

__all__ = ["WASI_MODULES", "Wasi"]

WASI_MODULES = ("wasi_snapshot_preview1", "wasi_unstable")

_SUCCESS, _BAD_FILE, _INVALID, _NO_SUCH_FUNCTION, _NOT_SEEKABLE = 0, 8, 28, 52, 70
_CHARACTER_DEVICE = 2
_CLOCKS = {0: time.time_ns, 1: time.monotonic_ns, 2: time.process_time_ns, 3: time.process_time_ns}


class _Stream:
    """Bytes on their way to a text stream of Python's."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: bytes) -> None:
        """Print bytes; a character that is split over two writes comes whole."""
        stream = getattr(sys, self._name)
        if stream is not None:  # as under pythonw
            stream.write(self._decoder.decode(data))


class Wasi:
    """The functions of WASI for one module."""

    def __init__(
        self, arguments: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> None:
        self._arguments = [text.encode() + b"\0" for text in arguments]
        pairs = (environ or {}).items()
        self._environ = [f"{name}={value}".encode() + b"\0" for name, value in pairs]
        self._streams = {1: _Stream("stdout"), 2: _Stream("stderr")}
        self._memory: Callable[[], Memory | None] = lambda: None

    def attach(self, memory: Memory) -> None:
        """Say what memory the module has, which it has only once it exists.

        The module has these functions, and these the memory only weakly: or none of the three could
        go before JavaScript looks for proxies that nothing uses, which no synchronous program sees.
        """
        self._memory = weakref.ref(memory)

    def configure(self, configuration: Any) -> None:
        """Give the arguments and the environment to a ``wasmtime.WasiConfig``."""
        configuration.argv = [text[:-1].decode() for text in self._arguments]
        configuration.env = [text[:-1].decode().split("=", 1) for text in self._environ]

    def writing(self, write_file: Callable[..., int]) -> Callable[..., int]:
        """``fd_write`` that prints, and leaves files to another one."""

        def write(file: int, pieces: int, count: int, place: int) -> int:
            memory = self._memory()
            if file in self._streams and memory is not None:
                return self._fd_write(memory, file, pieces, count, place)
            return write_file(file, pieces, count, place)

        return write

    def function(self, name: str, kind: FunctionType) -> Callable[..., Any]:
        """The function of this name, of the type that the module has for it."""
        found = getattr(self, f"_{name}", None)
        if name == "proc_exit":
            return self._proc_exit
        if found is None:
            return (lambda *_: _NO_SUCH_FUNCTION) if kind[1] else (lambda *_: None)

        def call(*arguments: int) -> int:
            memory = self._memory()
            if memory is None:
                return _NO_SUCH_FUNCTION
            return found(memory, *arguments)  # type: ignore[no-any-return]

        return call

    def _proc_exit(self, status: int) -> None:
        raise ProgramExitError(status)

    # Arguments and environment

    def _args_sizes_get(self, memory: Memory, count: int, size: int) -> int:
        return _store_sizes(memory, self._arguments, count, size)

    def _args_get(self, memory: Memory, pointers: int, data: int) -> int:
        return _store_texts(memory, self._arguments, pointers, data)

    def _environ_sizes_get(self, memory: Memory, count: int, size: int) -> int:
        return _store_sizes(memory, self._environ, count, size)

    def _environ_get(self, memory: Memory, pointers: int, data: int) -> int:
        return _store_texts(memory, self._environ, pointers, data)

    # Time and chance

    def _clock_res_get(self, memory: Memory, clock: int, place: int) -> int:
        if clock not in _CLOCKS:
            return _INVALID
        return _store(memory, place, "<Q", 1000)

    def _clock_time_get(self, memory: Memory, clock: int, _: int, place: int) -> int:
        if clock not in _CLOCKS:
            return _INVALID
        return _store(memory, place, "<Q", _CLOCKS[clock]())

    def _random_get(self, memory: Memory, place: int, size: int) -> int:
        start, count = _address(place), _address(size)
        memory.check_extent(start, count, "write")  # before there are as many bytes
        memory.write_bytes(start, os.urandom(count))
        return _SUCCESS

    def _sched_yield(self, _: Memory) -> int:
        return _SUCCESS

    # The three streams

    def _fd_write(self, memory: Memory, file: int, pieces: int, count: int, place: int) -> int:
        stream = self._streams.get(file)
        if stream is None:
            return _BAD_FILE
        written = self.write(memory, stream, pieces, count)
        return _store(memory, place, "<I", written)

    def write(self, memory: Memory, stream: _Stream, pieces: int, count: int) -> int:
        """Print what an array of pieces holds; give the number of bytes."""
        table = memory.read_bytes(_address(pieces), 8 * _address(count)) if count else b""
        data = b"".join(
            memory.read_bytes(start, size)
            for start, size in struct.iter_unpack("<II", table)
            if size
        )
        stream.write(data)
        return len(data)

    def _fd_read(self, memory: Memory, file: int, _: int, __: int, place: int) -> int:
        return _store(memory, place, "<I", 0) if file == 0 else _BAD_FILE  # the end of the file

    def _fd_close(self, _: Memory, file: int) -> int:
        return _SUCCESS if 0 <= file <= 2 else _BAD_FILE

    def _fd_seek(self, _: Memory, file: int, *__: int) -> int:
        return _NOT_SEEKABLE if 0 <= file <= 2 else _BAD_FILE

    def _fd_fdstat_get(self, memory: Memory, file: int, place: int) -> int:
        if not 0 <= file <= 2:
            return _BAD_FILE
        return _store(memory, place, "<BxHxxxxQQ", _CHARACTER_DEVICE, 0, (1 << 64) - 1, 0)

    def _fd_fdstat_set_flags(self, _: Memory, file: int, __: int) -> int:
        return _SUCCESS if 0 <= file <= 2 else _BAD_FILE

    def _fd_prestat_get(self, _: Memory, *__: int) -> int:
        return _BAD_FILE  # there is no folder to begin with

    _fd_prestat_dir_name = _path_open = _fd_filestat_get = _fd_prestat_get


def _address(value: int) -> int:
    """A number of 32 bits as what it is in C, unsigned."""
    return value & 0xFFFFFFFF


def _store(memory: Memory, place: int, layout: str, *values: int) -> int:
    memory.write_bytes(_address(place), struct.pack(layout, *values))
    return _SUCCESS


def _store_sizes(memory: Memory, texts: list[bytes], count: int, size: int) -> int:
    _store(memory, count, "<I", len(texts))
    return _store(memory, size, "<I", sum(map(len, texts)))


def _store_texts(memory: Memory, texts: list[bytes], pointers: int, data: int) -> int:
    for text in texts:
        _store(memory, pointers, "<I", _address(data))
        memory.write_bytes(_address(data), text)
        pointers, data = pointers + 4, data + len(text)
    return _SUCCESS
