"""Unsigned integers of 16 and 32 bytes, little-endian on every machine."""

from __future__ import annotations

from typing import Any

from emheap.types.scalars import Integer

__all__ = ["WideInteger", "as_wide", "uint128", "uint256", "wide_types"]


class WideInteger(Integer):
    """An unsigned integer that is stored as bytes: neither ``struct`` nor JavaScript has one."""

    encodes = True
    decodes = True

    def __init_subclass__(cls, bits: int = 0, **_: Any) -> None:
        super().__init_subclass__()
        cls.name = cls.__name__
        cls.size = bits // 8
        cls.alignment = 8
        cls.minimum = 0
        cls.maximum = (1 << bits) - 1

    @classmethod
    def encode_bytes(cls, value: Any) -> bytes:
        """The bytes to store for `value`."""
        return cls.encode(value).to_bytes(cls.size, "little")

    @classmethod
    def decode_bytes(cls, stored: bytes) -> int:
        """The value of `size` bytes."""
        return int.from_bytes(stored, "little")


def as_wide(kind: type[Any]) -> type[WideInteger] | None:
    """`kind` if it is one of these types, else None."""
    return kind if issubclass(kind, WideInteger) else None


class uint128(WideInteger, bits=128):
    """An unsigned integer of 16 bytes, little-endian."""


class uint256(WideInteger, bits=256):
    """An unsigned integer of 32 bytes, little-endian."""


wide_types: tuple[type[WideInteger], ...] = (uint128, uint256)
