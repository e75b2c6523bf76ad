"""What C compilers decide for each machine: sizes, alignments, and the rules for bit-fields.

Only what differs between the machines that emheap reaches is here. Everywhere a ``char`` is one
byte, a ``short`` two, an ``int`` and a ``float`` four, a ``long long`` and a ``double`` eight, and
a type of up to four bytes is aligned to its size.
"""

from __future__ import annotations

import os
import struct
import sys

__all__ = ["ABI", "ABIS", "WASM32", "WASM64", "native_abi", "target_of"]


class ABI:
    """An application binary interface, as far as the layout of data goes."""

    __slots__ = (
        "eight_byte_alignment",
        "long_size",
        "microsoft",
        "name",
        "pointer_size",
        "unnamed_bits_align",
        "wchar_size",
    )

    def __init__(
        self,
        name: str,
        *,
        pointer_size: int = 8,
        long_size: int = 8,
        wchar_size: int = 4,
        eight_byte_alignment: int = 8,
        unnamed_bits_align: bool = False,
        microsoft: bool = False,
    ) -> None:
        self.name = name
        self.pointer_size = pointer_size
        """Bytes of a pointer, of ``size_t`` and of ``intptr_t``."""
        self.long_size = long_size
        self.wchar_size = wchar_size
        self.eight_byte_alignment = eight_byte_alignment
        """The alignment, inside of structures, of ``long long`` and ``double``."""
        self.unnamed_bits_align = unnamed_bits_align
        """Whether an unnamed bit-field takes part in the alignment of its structure."""
        self.microsoft = microsoft
        """Whether structures are laid out as Microsoft's compiler does, or as all others do."""

    def alignment(self, natural: int) -> int:
        """The alignment inside of structures of a scalar whose natural one is `natural`."""
        return self.eight_byte_alignment if natural == 8 else natural

    def __repr__(self) -> str:
        return f"<ABI {self.name}>"


WASM32 = ABI("wasm32", pointer_size=4, long_size=4)
"""WebAssembly with 32-bit addresses: Emscripten, WASI, and Pyodide itself."""
WASM64 = ABI("wasm64")

ABIS: dict[str, ABI] = {
    "x86_64-linux-gnu": ABI("x86-64 (System V)"),
    "aarch64-linux-gnu": ABI("AArch64", unnamed_bits_align=True),
    "arm64-apple-macos": ABI("Apple arm64"),
    "wasm32-unknown-unknown": WASM32,
    "wasm64-unknown-unknown": WASM64,
    "i386-linux-gnu": ABI("i386 (System V)", pointer_size=4, long_size=4, eight_byte_alignment=4),
    "armv7-linux-gnueabihf": ABI("Arm", pointer_size=4, long_size=4, unnamed_bits_align=True),
    "x86_64-pc-windows-msvc": ABI("Windows x64", long_size=4, wchar_size=2, microsoft=True),
    "i386-pc-windows-msvc": ABI(
        "Windows x86", pointer_size=4, long_size=4, wchar_size=2, microsoft=True
    ),
    "aarch64-pc-windows-msvc": ABI("Windows arm64", long_size=4, wchar_size=2, microsoft=True),
}
"""The known ABIs by the name that clang has for the machine (its target triple)."""


def target_of(system: str, machine: str, pointer_size: int, eight_byte_alignment: int) -> str:
    """The target triple of a machine, or of a known one that lays out data the same way.

    `system` is `sys.platform`, `machine` what ``uname -m`` says.
    """
    narrow = pointer_size == 4
    if system in ("emscripten", "wasi"):
        return "wasm32-unknown-unknown" if narrow else "wasm64-unknown-unknown"
    if system == "win32":
        return "i386-pc-windows-msvc" if narrow else "x86_64-pc-windows-msvc"
    if system == "darwin":
        return "arm64-apple-macos"  # of the kinds that emheap has, as on x86-64
    if machine.startswith(("aarch64", "arm")):
        return "armv7-linux-gnueabihf" if narrow else "aarch64-linux-gnu"
    if eight_byte_alignment == 4:
        return "i386-linux-gnu"
    return "wasm32-unknown-unknown" if narrow else "x86_64-linux-gnu"


_machine = os.uname().machine if hasattr(os, "uname") else ""
_native = ABIS[target_of(sys.platform, _machine, struct.calcsize("P"), struct.calcsize("@bq") - 8)]


def native_abi() -> ABI:
    """The ABI of the C code in this process.

    >>> import ctypes
    >>> native_abi().pointer_size == ctypes.sizeof(ctypes.c_void_p)
    True
    """
    return _native
