"""libsodium: a secret box, opened again, and one that was changed."""

from __future__ import annotations

from emheap import Function, Library, c

KEY, NONCE, MAC = 32, 24, 16


class Sodium(Library):
    sodium_init: Function[[], c.int]
    randombytes_buf: Function[[c.buffer, c.size_t], None]
    crypto_secretbox_easy: Function[[c.buffer, c.data, c.ulonglong, c.data, c.data], c.int]
    crypto_secretbox_open_easy: Function[[c.buffer, c.data, c.ulonglong, c.data, c.data], c.int]


def seal(sodium: Sodium, message: bytes, nonce: bytes, key: bytes) -> bytes:
    """A message, encrypted and authenticated."""
    box = bytearray(MAC + len(message))
    assert sodium.crypto_secretbox_easy(box, message, len(message), nonce, key) == 0
    return bytes(box)


def unseal(sodium: Sodium, box: bytes, nonce: bytes, key: bytes) -> bytes | None:
    """The message, or None if it was changed."""
    message = bytearray(len(box) - MAC)
    if sodium.crypto_secretbox_open_easy(message, box, len(box), nonce, key):
        return None
    return bytes(message)


def random_bytes(sodium: Sodium, count: int) -> bytes:
    """Bytes that nobody knows."""
    made = bytearray(count)
    sodium.randombytes_buf(made, count)
    return bytes(made)
