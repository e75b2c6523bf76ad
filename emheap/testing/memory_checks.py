"""What every memory must do."""

from __future__ import annotations

import struct
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from emheap._util.messages import count_of, format_address
from emheap.errors import NullPointerError, OutOfBoundsError, UnterminatedStringError
from emheap.memories.base import Memory
from emheap.types import Scalar, Text, as_wide, scalar_types, text_types, uint8, wide_types
from emheap.types.scalars import BYTE_ORDER, FloatingPoint, Integer

__all__ = ["ROOM", "check_memory"]

ROOM = 8192
"""The bytes from the address on that `check_memory` overwrites."""

_GUARD = 0xA5


def check_memory(
    factory: Callable[[], tuple[Memory, int]], *, grow: Callable[[Memory], object] | None = None
) -> None:
    """Check that a memory keeps the contract of `emheap.memories.base.Memory`.

    ``factory()`` gives a memory and an address in it, a multiple of 64, from which on `ROOM`
    bytes may be overwritten; each check calls it again. ``grow(memory)`` makes the memory grow,
    and move if it can. Raises AssertionError.
    """
    for check in _MEMORY_CHECKS:
        memory, address = factory()
        assert address % 64 == 0, f"the factory's address {address} is no multiple of 64"
        check(memory, address)
    if grow is not None:
        memory, address = factory()
        _check_growth(memory, address, grow)


def _check_facts(memory: Memory, address: int) -> None:
    assert memory.name, f"{memory!r} has no name for messages"
    assert memory.pointer_size in (4, 8), f"pointer_size is {memory.pointer_size}, not 4 or 8"
    assert memory.lowest_address >= 1, f"lowest_address is {memory.lowest_address}: 0 is null"
    assert memory.size >= address + ROOM, (
        f"size is {memory.size}, but the factory offers bytes up to {address + ROOM}"
    )


def _check_bytes(memory: Memory, address: int) -> None:
    for offset in range(8):
        for size in (0, 1, 2, 7, 64, 65, 4096):
            _guard(memory, address)
            data = bytes((offset + index) % 251 for index in range(size))
            place = address + 64 + offset
            memory.write_bytes(place, memoryview(data) if offset % 2 else data)
            read = memory.read_bytes(place, size)
            assert type(read) is bytes, f"read_bytes gave {type(read).__name__}, not bytes"
            assert read == data, _differ(
                f"{count_of(size, 'byte')} written at {format_address(place)}", read
            )
            _check_around(memory, address, place, size, f"write_bytes of {count_of(size, 'byte')}")


def _check_fill(memory: Memory, address: int) -> None:
    for byte, size in ((0, 1), (7, 100), (255, 4096), (0, 5000), (3, 0)):
        _guard(memory, address)
        memory.fill(address + 65, size, byte)
        read = memory.read_bytes(address + 65, size)
        assert read == bytes([byte]) * size, _differ(
            f"fill of {count_of(size, 'byte')} with {byte}", read
        )
        _check_around(memory, address, address + 65, size, f"fill of {count_of(size, 'byte')}")


def _check_scalars(memory: Memory, address: int) -> None:
    for scalar in (*scalar_types, *wide_types):
        read, write = memory.reader(scalar), memory.writer(scalar)
        for offset in range(8):
            for value in _values(scalar):
                _guard(memory, address)
                place = address + 128 + offset
                write(place, value)
                what = f"{scalar.name} {value!r} written at {format_address(place)}"
                stored = memory.read_bytes(place, scalar.size)
                assert stored == _encoded(scalar, value), _differ(what, stored)
                _check_around(memory, address, place, scalar.size, what)
                got = read(place)
                assert type(got) is type(value), f"{what} was read as {got!r}"
                assert _encoded(scalar, got) == stored, f"{what} was read as {got!r}"


def _check_refused_values(memory: Memory, address: int) -> None:
    _guard(memory, address)
    for scalar in (*scalar_types, *wide_types):
        wrong: list[tuple[Any, type[Exception]]] = [("1", TypeError), (None, TypeError)]
        if issubclass(scalar, Integer) and scalar.name != "clamped_uint8":
            wrong += [(scalar.maximum + 1, OverflowError), (scalar.minimum - 1, OverflowError)]
            wrong += [(1.5, TypeError)]
        if scalar.name == "float32":
            wrong += [(1e39, OverflowError)]
        elements = memory.elements(scalar, address + 128, 2)
        for value, error in wrong:
            what = f"{scalar.name} {value!r:.40}"
            _refuses(error, f"the writer took {what}", memory.writer(scalar), address, value)
            if not scalar.encodes:  # references encode what is stored through elements
                problem = f"elements took {what}"
                _refuses((error, ValueError), problem, elements.__setitem__, 0, value)
    _check_around(memory, address, address, 0, "a refused value")


def _check_bounds(memory: Memory, address: int) -> None:
    end = memory.size
    for scalar in (*scalar_types, *wide_types):
        read, write = memory.reader(scalar), memory.writer(scalar)
        value = _values(scalar)[0]
        for place, error in _bad_places(memory, scalar.size, end):
            where = f"{scalar.name} at {place!r}"
            _refuses(error, f"a read took {where}", read, place)
            _refuses(error, f"a write took {where}", write, place, value)
            _refuses(error, f"elements took {where}", memory.elements, scalar, place, 1)
            if scalar.format:
                _refuses(error, f"lend took {where}", memory.lend, scalar, place, 1)
    for place, error in _bad_places(memory, 2, end):
        _refuses(error, f"read_bytes took {place!r}", memory.read_bytes, place, 2)
        _refuses(error, f"write_bytes took {place!r}", memory.write_bytes, place, b"ab")
        _refuses(error, f"fill took {place!r}", memory.fill, place, 2)
        _refuses(error, f"check_extent took {place!r}", memory.check_extent, place, 2)


def _bad_places(memory: Memory, size: int, end: int) -> list[tuple[Any, type[Exception]]]:
    below = [(memory.lowest_address - 1, OutOfBoundsError)] if memory.lowest_address > 1 else []
    return [
        (0, NullPointerError),
        (-1, OutOfBoundsError),
        (end - size + 1, OutOfBoundsError),
        (end, OutOfBoundsError),
        (1 << 64, OutOfBoundsError),
        (1.0, TypeError),
        (True, TypeError),
        (None, NullPointerError),
        *below,
    ]


def _check_elements(memory: Memory, address: int) -> None:
    for scalar in (*scalar_types, *wide_types):
        values = _values(scalar)
        count = len(values)
        _guard(memory, address)
        place = address + 64
        elements = memory.elements(scalar, place, count)
        what = f"elements of {scalar.name}"
        assert len(elements) == count, f"{count} {what} have the length {len(elements)}"
        for index, value in enumerate(values):
            # Wide integers and pointers are checked before; see the types' `encodes`.
            elements[index - count if index % 2 else index] = value
        stored = memory.read_bytes(place, count * scalar.size)
        wanted = b"".join(_encoded(scalar, value) for value in values)
        assert stored == wanted, _differ(f"{what} set to {values}", stored)
        _check_around(memory, address, place, count * scalar.size, what)
        for index, value in enumerate(values):
            got = elements[index]
            assert _encoded(scalar, got) == _encoded(scalar, value), (
                f"{what}: {value!r} at index {index} was read as {got!r}"
            )
        for index in (count, -count - 1):
            _refuses(IndexError, f"{what} took index {index}", elements.__getitem__, index)
        elements.release()
        _refuses(ValueError, f"released {what} have a length", elements.__len__)
        _refuses(ValueError, f"released {what} could be read", elements.__getitem__, 0)
        assert len(memory.elements(scalar, place, 0)) == 0, f"no {what} have a length"


def _check_views(memory: Memory, address: int) -> None:
    for scalar in scalar_types:
        _guard(memory, address)
        loan = memory.lend(scalar, address + 64, 4)
        view, exporter = loan.view, weakref.ref(loan.exporter)
        del loan
        what = f"a view of {scalar.name}"
        assert len(view) == 4, f"{what} of 4 elements has the length {len(view)}"
        value = _values(scalar)[1]
        view[2] = value
        stored = memory.read_bytes(address + 64 + 2 * scalar.size, scalar.size)
        assert stored == _encoded(scalar, value), _differ(f"{what} set to {value!r}", stored)
        memory.write_bytes(address + 64, stored * 4)
        assert view.tobytes() == stored * 4, f"{what} does not show what was stored beside it"
        view[1] = _values(scalar)[0]
        part = view[1:3]
        assert part.tolist() == [view[1], view[2]], f"a slice of {what} shows other elements"
        view.release()
        _refuses(ValueError, f"released {what} could be used", view.__getitem__, 0)
        assert exporter() is not None, f"the exporter of {what} died before a slice of it did"
        del view, part
        assert exporter() is None, f"the exporter of {what} outlives all that uses it"


def _check_texts(memory: Memory, address: int) -> None:
    for text in text_types:
        for length in (0, 1, 63, 64, 65, 1000):
            _guard(memory, address)
            sample = ("ab" if text.name == "ascii" else "aé" if text.size == 1 else "aĀ") * length
            place = address + 64
            count = memory.text_writer(text)(place, sample)
            what = f"{text.name} text of {count_of(len(sample), 'character')}"
            got = memory.text_reader(text)(place)
            assert got == sample, _differ(what, got.encode("utf-8", "surrogatepass"))
            assert count == memory.count_elements(place, text.size), f"{what}: wrong length"
            _check_around(memory, address, place, (count + 1) * text.size, what)
            _check_text_limits(memory, text, place, count, what)


def _check_text_limits(memory: Memory, text: type[Text], place: int, count: int, what: str) -> None:
    found = memory.find_null(place, text.size, count + 1)
    assert found == count, f"{what}: find_null gave {found}, not {count}"
    found = memory.find_null(place, text.size, count)
    assert found is None, f"{what}: find_null looked beyond its limit, at element {found}"
    if count:
        problem = f"{what} was read with room for one element less"
        read = memory.text_reader(text)
        _refuses(UnterminatedStringError, problem, read, place, count - 1)


def _check_growth(memory: Memory, address: int, grow: Callable[[Memory], object]) -> None:
    before = memory.size
    read, write = memory.reader(uint8), memory.writer(uint8)
    elements = memory.elements(uint8, address, ROOM)
    memory.write_bytes(address, bytes(index % 251 for index in range(ROOM)))
    grow(memory)
    assert memory.size > before, f"size is {memory.size} after growing, as it was before"
    elements[1] = 77
    write(address + 2, 78)
    for index, value in ((0, 0), (1, 77), (2, 78), (ROOM - 1, (ROOM - 1) % 251)):
        got = (read(address + index), elements[index], memory.read_bytes(address + index, 1)[0])
        assert got == (value,) * 3, f"byte {index} is {value}, but after growing it is read {got}"
    # What there was no room for when the reader and the writer were made.
    write(memory.size - 1, 79)
    got_last = read(memory.size - 1)
    assert got_last == 79, f"the last byte of the grown memory was set to 79 and is {got_last}"


_MEMORY_CHECKS = (
    _check_facts,
    _check_bytes,
    _check_fill,
    _check_scalars,
    _check_refused_values,
    _check_bounds,
    _check_elements,
    _check_views,
    _check_texts,
)


# Values, and what is around them


def _values(scalar: type[Scalar[Any]]) -> list[Any]:
    if issubclass(scalar, FloatingPoint):
        largest = 3.4028234663852886e38 if scalar.size == 4 else 1.7976931348623157e308
        return [1.5, -0.0, 0.0, largest, float("inf"), float("nan"), 2.0]
    assert issubclass(scalar, Integer)
    pattern = int.from_bytes(bytes(range(1, scalar.size + 1)), "big") & scalar.maximum
    return [scalar.maximum, pattern, scalar.minimum, 0, 1]


def _encoded(scalar: type[Scalar[Any]], value: Any) -> bytes:
    wide = as_wide(scalar)
    return wide.encode_bytes(value) if wide else struct.pack(BYTE_ORDER + scalar.format, value)


def _guard(memory: Memory, address: int) -> None:
    memory.write_bytes(address, bytes([_GUARD]) * ROOM)


def _check_around(memory: Memory, address: int, place: int, size: int, what: str) -> None:
    changed = list(_changed(memory.read_bytes(address, ROOM), place - address, size))
    assert not changed, f"{what} at {format_address(place)} changed bytes beside it: {changed[:8]}"


def _changed(room: bytes, start: int, size: int) -> Iterator[int]:
    whole = bytes([_GUARD]) * ROOM
    if room[:start] != whole[:start] or room[start + size :] != whole[start + size :]:
        for offset, byte in enumerate(room):
            if byte != _GUARD and not start <= offset < start + size:
                yield offset - start


def _differ(what: str, got: bytes) -> str:
    return f"{what}, and then there was {got[:40].hex(' ')}{' ...' if len(got) > 40 else ''}"


def _refuses(
    errors: type[Exception] | tuple[type[Exception], ...],
    problem: str,
    function: Callable[..., Any],
    *arguments: Any,
) -> None:
    named = errors.__name__ if isinstance(errors, type) else " or ".join(e.__name__ for e in errors)
    try:
        result = function(*arguments)
    except errors:
        return
    except Exception as error:
        raise AssertionError(f"{problem}: it raised {error!r}, not {named}") from error
    raise AssertionError(f"{problem} and gave {result!r:.60}, instead of raising {named}")
