"""Calling one function for each element of arrays, without going back to Python in between.

In WebAssembly the loop is WebAssembly, too (see `loops`): a crossing from Python costs as much as a
hundred of its rounds. Natively it is Python's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from typing import Any

from emheap.calls.conversions import Conversions
from emheap.calls.kinds import VOID, Kind, Number, Signature, Void
from emheap.calls.linker import Wire
from emheap.calls.lowering import compile_call, wire_of
from emheap.refs import ArrayRef
from emheap.types import stored_types
from emheap.types.arrays import encode_elements

__all__ = ["make_map"]


def make_map(
    name: str,
    signature: Signature,
    symbol: Any,
    function: Callable[..., Any],
    services: Conversions,
) -> Callable[..., Any]:
    """The method ``map`` of one function of a library."""
    wire = wire_of(signature, services)
    taken = all(_is_element(kind, services) for kind in signature.params)
    given = isinstance(signature.result, Void) or _is_element(signature.result, services)
    if not (taken and given) or not wire.params or wire.variadic:
        return _refusal(name, signature)
    loop = services.linker.loop_over(symbol, wire)
    if loop is None:
        return _Mapping(name, wire, function, services).call_each
    count = len(wire.params) + bool(wire.result) + 1
    taking = Signature((Number("size_t", "N"),) * count, VOID)
    run = compile_call(f"{name}_map", taking, loop, services)
    return _Mapping(name, wire, run, services).call_loop


def _is_element(kind: Kind, services: Conversions) -> bool:
    return isinstance(kind, Number) and services.convention.letter(kind.format) in stored_types


def _refusal(name: str, signature: Signature) -> Callable[..., Any]:
    def map(*_: Any, **__: Any) -> Any:  # noqa: A001 (as it is called)
        raise TypeError(
            f"{name}{signature} cannot be mapped: it takes or gives more than numbers of up to 8 "
            "bytes"
        )

    return map


class _Mapping:
    def __init__(
        self, name: str, wire: Wire, function: Callable[..., Any], services: Conversions
    ) -> None:
        self._name = name
        self._function = function
        self._table = services.arguments.table
        self._temporaries = services.temporaries
        self._params: list[Any] = [stored_types[letter] for letter in wire.params]
        self._result: Any = stored_types[wire.result] if wire.result else None

    def call_each(self, *arrays: Any, out: Any = None) -> Any:
        """By a loop in Python, where C is as near as that."""
        self._check_count(arrays)
        columns = [self._column(array) for array in arrays]
        self._check_out(out, _one_length(self._name, columns))
        results = list(map(self._function, *columns))
        if out is None:
            return None if self._result is None else results
        out[:] = results
        return out

    def call_loop(self, *arrays: Any, out: Any = None) -> Any:
        """By a loop in WebAssembly."""
        # All that may run the user's code comes before any block is looked at. What is looked at is
        # pinned until the loop is over, which may call back.
        self._check_count(arrays)
        columns = [
            array if self._is_ours(scalar, array) else _Encoded(scalar, self._column(array))
            for scalar, array in zip(self._params, arrays, strict=True)
        ]
        held: list[Any] = []
        try:
            places = [self._place(column, held) for column in columns]
            count = _one_length(self._name, columns)
            self._check_out(out, count)
            return self._run(places, out, count, held)
        finally:
            for temporary in held:
                temporary.release()

    def _place(self, column: Any, held: list[Any]) -> int:
        """Where the elements are, or a copy of them."""
        if isinstance(column, _Encoded):
            held.append(self._temporaries.store(column.data))
            return int(held[-1].address)
        block, pinned = column._pin()
        held.append(pinned)
        return int(block[1])

    def _run(self, places: list[int], out: Any, count: int, held: list[Any]) -> Any:
        scalar = self._result
        if scalar is None:
            self._function(*places, count)
            return None
        if out is not None:
            place = self._place(out, held)
            self._check_out(out, count)  # which another thread may have resized until it was pinned
            self._function(*places, place, count)
            return out
        held.append(self._temporaries.reserve(max(count, 1) * scalar.size))
        address = held[-1].address
        self._function(*places, address, count)
        data = self._temporaries.memory.read_bytes(address, count * scalar.size) if count else b""
        return memoryview(data).cast(scalar.format).tolist()

    def _is_ours(self, scalar: Any, array: Any) -> bool:
        if not isinstance(array, ArrayRef):
            return False
        placement = array._block[2]
        kind: Any = placement.kind
        return placement.table is self._table and bool(kind.format == scalar.format)

    def _check_out(self, out: Any, count: int) -> None:
        scalar = self._result
        if out is None:
            return
        if scalar is None:
            raise TypeError(f"{self._name}.map() has no results to store in out")
        if not self._is_ours(scalar, out) or len(out) != count:
            raise TypeError(f"out must be an array of {count} {scalar.name} on the library's heap")
        out._check_alive()

    def _check_count(self, arrays: tuple[Any, ...]) -> None:
        if len(arrays) != len(self._params):
            raise TypeError(
                f"{self._name}.map() takes {len(self._params)} arrays, not {len(arrays)}"
            )

    def _column(self, array: Any) -> Any:
        """What was given for a parameter, as something that has a length."""
        if isinstance(array, Sized):
            return array
        if isinstance(array, Iterable):
            return list(array)
        raise TypeError(
            f"{self._name}.map() takes an array or an iterable for each parameter, not "
            f"{type(array).__name__} {array!r:.60}"
        )


class _Encoded:
    """The elements of what is no array of the library's heap."""

    def __init__(self, scalar: Any, column: Any) -> None:
        self.data = bytes(encode_elements(scalar, column))
        self._count: int = len(self.data) // scalar.size

    def __len__(self) -> int:
        return self._count


def _one_length(name: str, columns: list[Any]) -> int:
    """The length of all columns, of which there is one at least."""
    counts = [len(column) for column in columns]
    if counts.count(counts[0]) != len(counts):
        raise ValueError(f"{name}.map() takes arrays of one length, not of {sorted({*counts})}")
    return counts[0]
