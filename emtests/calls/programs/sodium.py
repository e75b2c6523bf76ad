"""libsodium: a secret box, opened again, and one that was changed; and a stream of messages."""

from __future__ import annotations

from emheap import Array, Function, HeapManager, Library, Struct, array, c, uint8

KEY, NONCE, MAC = 32, 24, 16
HEADER, OVERHEAD = 24, 17
MESSAGE, LAST = 0, 3
"""The tags of messages: more follow, or none."""


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


class StreamState(Struct):
    """``crypto_secretstream_xchacha20poly1305_state``: what both ends of a stream remember."""

    key: Array[uint8] = array(KEY)
    nonce: Array[uint8] = array(12)
    padding: Array[uint8] = array(8)


class SecretStream(Library, prefix="crypto_secretstream_xchacha20poly1305_"):
    statebytes: Function[[], c.size_t]
    init_push: Function[[c.ref[StreamState], c.buffer, c.data], c.int]
    push: Function[
        [c.ref[StreamState], c.buffer, c.buffer, c.data, c.ulonglong, c.data, c.ulonglong, c.uchar],
        c.int,
    ]
    init_pull: Function[[c.ref[StreamState], c.data, c.data], c.int]
    pull: Function[
        [
            c.ref[StreamState],
            c.buffer,
            c.buffer,
            c.out[c.uchar],
            c.data,
            c.ulonglong,
            c.data,
            c.ulonglong,
        ],
        c.int,
    ]


def seal_stream(
    heap: HeapManager, stream: SecretStream, messages: list[bytes], key: bytes
) -> list[bytes]:
    """The header of a stream, and its messages, encrypted and authenticated."""
    header, boxes = bytearray(HEADER), []
    with heap.alloc(StreamState) as state:
        assert stream.init_push(state, header, key) == 0
        for message in messages:
            box = bytearray(len(message) + OVERHEAD)
            tag = LAST if message is messages[-1] else MESSAGE
            done = stream.push(state, box, None, message, len(message), None, 0, tag)
            assert done == 0
            boxes.append(bytes(box))
    return [bytes(header), *boxes]


def unseal_stream(
    heap: HeapManager, stream: SecretStream, sealed: list[bytes], key: bytes
) -> list[bytes]:
    """The messages of a stream; those before the first that was changed, left out or moved."""
    header, *boxes = sealed
    messages: list[bytes] = []
    with heap.alloc(StreamState) as state, heap.alloc(uint8) as tag:
        assert stream.init_pull(state, header, key) == 0
        for box in boxes:
            message = bytearray(len(box) - OVERHEAD)
            if stream.pull(state, message, None, tag, box, len(box), None, 0):
                break
            messages.append(bytes(message))
    return messages
