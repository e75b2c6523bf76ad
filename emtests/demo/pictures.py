"""Small pictures to try things on, and a PNG writer that is not the one under test."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

SERVED = 48, 36
"""The size of the picture that the page starts with in tests."""


def served_pixels() -> bytes:
    """The pixels of that picture."""
    return opaque(noise(*SERVED, seed=5))


def noise(width: int, height: int, *, seed: int = 1, extreme: bool = False) -> bytes:
    """RGBA pixels of all levels, or of nothing between black and full."""
    numbers = random.Random(seed)
    levels = (0, 255) if extreme else range(256)
    return bytes(numbers.choice(levels) for _ in range(width * height * 4))


def opaque(pixels: bytes) -> bytes:
    """The pixels with full alpha: a canvas keeps no other pixels exactly."""
    changed = bytearray(pixels)
    changed[3::4] = b"\xff" * (len(pixels) // 4)
    return bytes(changed)


def greys(*levels: int) -> bytes:
    """Opaque grey pixels."""
    return b"".join(bytes((level, level, level, 255)) for level in levels)


def write_png(path: Path, width: int, height: int, pixels: bytes) -> None:
    """Write RGBA pixels as the simplest PNG there is."""
    stride = width * 4
    lines = b"".join(b"\0" + pixels[row * stride : (row + 1) * stride] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks))


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
