"""Calling one function for each element of arrays, without going back to Python in between.

In WebAssembly the loop is WebAssembly, too (see `loops`): a crossing from Python costs as much as a
hundred of its rounds. Natively it is Python's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emheap.calls.conversions import Conversions
from emheap.calls.kinds import VOID, Number, Signature, Void
from emheap.calls.linker import Wire
from emheap.calls.lowering import compile_call, wire_of
from emheap.refs import ArrayRef
from emheap.types import (
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from emheap.types.arrays import encode_elements

__all__ = ["make_map"]

_SCALARS: dict[str, Any] = {
    "b": int8,
    "B": uint8,
    "h": int16,
    "H": uint16,
    "i": int32,
    "I": uint32,
    "q": int64,
    "Q": uint64,
    "f": float32,
    "d": float64,
}


def make_map(
    name: str,
    signature: Signature,
    symbol: Any,
    function: Callable[..., Any],
    services: Conversions,
) -> Callable[..., Any]:
    """The method ``map`` of one function of a library."""
    wire = wire_of(signature, services)
    numbers = all(isinstance(kind, Number) for kind in signature.params)
    numbers = numbers and isinstance(signature.result, (Number, Void))
    if not numbers or "?" in (*wire.params, wire.result) or not wire.params or wire.variadic:
        return _refusal(name, signature)
    loop = services.linker.loop_over(symbol, wire)
    if loop is None:
        return _Mapping(name, wire, function, services).call_each
    count = len(wire.params) + bool(wire.result) + 1
    taking = Signature((Number("size_t", "N"),) * count, VOID)
    run = compile_call(f"{name}_map", taking, loop, services)
    return _Mapping(name, wire, run, services).call_loop


def _refusal(name: str, signature: Signature) -> Callable[..., Any]:
    def map(*_: Any, **__: Any) -> Any:  # noqa: A001 (as it is called)
        raise TypeError(f"{name}{signature} cannot be mapped: it takes or gives more than numbers")

    return map


class _Mapping:
    def __init__(
        self, name: str, wire: Wire, function: Callable[..., Any], services: Conversions
    ) -> None:
        self._name = name
        self._function = function
        self._table = services.arguments.table
        self._temporaries = services.temporaries
        self._params = [_SCALARS[letter] for letter in wire.params]
        self._result = _SCALARS[wire.result] if wire.result else None

    def call_each(self, *arrays: Any, out: Any = None) -> Any:
        """By a loop in Python, where C is as near as that."""
        self._count(arrays)
        results = list(map(self._function, *arrays))
        if out is None:
            return None if self._result is None else results
        out[:] = results
        return out

    def call_loop(self, *arrays: Any, out: Any = None) -> Any:
        """By a loop in WebAssembly."""
        count = self._count(arrays)
        held: list[Any] = []
        try:
            places = [
                self._place(scalar, array, held)
                for scalar, array in zip(self._params, arrays, strict=True)
            ]
            return self._run(places, out, count, held)
        finally:
            for temporary in held:
                temporary.release()

    def _place(self, scalar: Any, array: Any, held: list[Any]) -> int:
        """Where the elements are, or a copy of them."""
        if self._is_ours(scalar, array):
            array._check_alive()
            return int(array.address)
        held.append(self._temporaries.store(encode_elements(scalar, array)))
        return int(held[-1].address)

    def _run(self, places: list[int], out: Any, count: int, held: list[Any]) -> Any:
        scalar = self._result
        if scalar is None:
            self._function(*places, count)
            return None
        if out is not None:
            if not self._is_ours(scalar, out) or len(out) != count:
                raise TypeError(
                    f"out must be an array of {count} {scalar.name} on the library's heap"
                )
            self._function(*places, self._place(scalar, out, held), count)
            return out
        held.append(self._temporaries.reserve(max(count, 1) * scalar.size))
        address = held[-1].address
        self._function(*places, address, count)
        data = self._temporaries.memory.read_bytes(address, count * scalar.size) if count else b""
        return memoryview(data).cast(scalar.format).tolist()

    def _is_ours(self, scalar: Any, array: Any) -> bool:
        if not isinstance(array, ArrayRef) or array._block[2].table is not self._table:
            return False
        kind: Any = array.kind
        return bool(kind.format == scalar.format)

    def _count(self, arrays: tuple[Any, ...]) -> int:
        if len(arrays) != len(self._params):
            raise TypeError(
                f"{self._name}.map() takes {len(self._params)} arrays, not {len(arrays)}"
            )
        counts = {len(array) for array in arrays}
        if len(counts) != 1:
            raise ValueError(
                f"{self._name}.map() takes arrays of one length, not of {sorted(counts)}"
            )
        return counts.pop()
