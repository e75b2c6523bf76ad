"""What every allocator must do."""

from __future__ import annotations

import random
from collections.abc import Callable

from emheap._util.messages import count_of, format_address
from emheap.allocators.base import Allocator
from emheap.errors import OutOfBoundsError
from emheap.memories.base import Memory

__all__ = ["check_allocator"]


def check_allocator(
    factory: Callable[[], tuple[Allocator, Memory]],
    *,
    reuse: bool = True,
    operations: int = 2000,
    seed: int = 0,
) -> None:
    """Check that an allocator keeps the contract of `emheap.allocators.base.Allocator`.

    ``factory()`` gives an allocator and the memory that its addresses lie in. With ``reuse=False``
    freed bytes need not come back. `operations` random ones are tried, the same for each `seed`.
    Raises AssertionError.
    """
    _check_one_block(*factory())
    _check_no_room(*factory())
    if reuse:
        _check_reuse(*factory())
    _check_random_blocks(*factory(), operations, random.Random(seed))


def _check_one_block(allocator: Allocator, memory: Memory) -> None:
    alignment = allocator.alignment
    assert alignment in [1 << power for power in range(31)], f"alignment is {alignment}"
    for size in (1, 8, 100, 5000):
        address = _allocate(allocator, memory, size)
        memory.write_bytes(address, b"\xa5" * size)
        allocator.free(address)
        zeroed = allocator.allocate_zeroed(size)
        if zeroed is not None:
            _check_block(allocator, memory, zeroed, size)
            held = memory.read_bytes(zeroed, size)
            assert held == bytes(size), f"allocate_zeroed({size}) gave a block that is not zero"
            allocator.free(zeroed)
        allocator.free_sized(_allocate(allocator, memory, size), size)


def _check_no_room(allocator: Allocator, memory: Memory) -> None:
    # Nearly the whole address space: no memory has so much to give.
    size = (1 << 32) - (1 << 16) if memory.pointer_size == 4 else 1 << 62
    address = allocator.allocate(size)
    assert address == 0, f"allocate({size}) gave {format_address(address)}; 0 says there is no room"
    allocator.free(_allocate(allocator, memory, 8))


def _check_reuse(allocator: Allocator, memory: Memory) -> None:
    # Eight live at a time, freed in mixed order. An allocator that others use as well may scatter
    # them (Python's objects and the heap's blocks share one malloc in Pyodide), and has them come
    # back all the same: looking at how far the addresses reach failed there, and 25 rounds
    # were too few: a scattering malloc met 102 addresses in them.
    size = 1024
    rounds = 100
    used: set[int] = set()
    for _ in range(rounds):
        addresses = [_allocate(allocator, memory, size) for _ in range(8)]
        used.update(addresses)
        for address in addresses[::2]:
            allocator.free(address)
        for address in addresses[1::2]:
            allocator.free_sized(address, size)
    assert len(used) <= 8 * rounds // 2, (
        f"{8 * rounds} blocks of {count_of(size, 'byte')}, at most 8 of them live, took "
        f"{len(used)} addresses: what is freed does not come back"
    )


def _check_random_blocks(
    allocator: Allocator, memory: Memory, operations: int, choice: random.Random
) -> None:
    """Hold many blocks at once, each filled with a pattern of its own."""
    live: dict[int, bytes] = {}
    for _ in range(operations):
        if live and (len(live) >= 40 or choice.random() < 0.45):
            address = choice.choice(list(live))
            _check_content(memory, address, live.pop(address))
            allocator.free(address)
            continue
        size = choice.choice((1, 3, 8, 17, 64, 100, 257))
        address = allocator.allocate(size)
        if address == 0:
            continue  # a small memory may be full
        _check_block(allocator, memory, address, size)
        for other, data in live.items():
            assert address + size <= other or other + len(data) <= address, (
                f"a block of {count_of(size, 'byte')} at {format_address(address)} overlaps the "
                f"one of {count_of(len(data), 'byte')} at {format_address(other)}, which is live"
            )
        live[address] = choice.randbytes(size)
        memory.write_bytes(address, live[address])
    for address, data in live.items():
        _check_content(memory, address, data)
        allocator.free(address)


def _allocate(allocator: Allocator, memory: Memory, size: int) -> int:
    address = allocator.allocate(size)
    assert type(address) is int, f"allocate({size}) gave {address!r:.60}, not an int"
    assert address != 0, f"allocate({size}) gave 0, though nearly nothing is live"
    _check_block(allocator, memory, address, size)
    return address


def _check_block(allocator: Allocator, memory: Memory, address: int, size: int) -> None:
    assert address % allocator.alignment == 0, (
        f"allocate({size}) gave {format_address(address)}, no multiple of the alignment "
        f"{allocator.alignment}"
    )
    try:
        memory.check_extent(address, size)
    except OutOfBoundsError as error:
        raise AssertionError(f"allocate({size}) gave a block outside the memory: {error}") from None


def _check_content(memory: Memory, address: int, data: bytes) -> None:
    held = memory.read_bytes(address, len(data))
    assert held == data, (
        f"the block of {count_of(len(data), 'byte')} at {format_address(address)} changed while "
        "it was live"
    )
