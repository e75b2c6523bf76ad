"""The oldest wasmtime that the extra admits, and the newest: whichever way guests are called, what
comes of it is the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from emtests.conftest import skip_for_gap
from emtests.runtimes.extras import oldest
from pyodide_demo.environment import CHECKOUT, EnvironmentProblem, virtual_environment

_SECONDS = 120
_PROGRAM = """\
import json
from typing import Annotated
import emheap
from emheap import Function, Library, StringRef, c
from emheap.calls import wasmtime_call
from emtests.webassembly.guests import WasmtimeGuest

class Functions(Library):
    text_length: Function[[c.string], c.size_t]
    sum_float32: Function[[c.size_t, c.size_t], c.double]
    add_to_each: Function[[c.pointer[c.int], c.size_t, c.int], None]
    allocate_text: Function[[c.uint], Annotated[StringRef, c.owned("free")] | None]

wasmtime_call._direct = {direct}
outcomes = []
for name in ("guest32", "guest64"):
    heap = WasmtimeGuest(name).heap
    functions = heap.library(Functions)
    with heap.alloc_array(emheap.int32, range(1000)) as numbers:
        large = heap.alloc_array(emheap.uint8, 3_000_000)  # the memory grows
        functions.add_to_each(numbers, len(numbers), -2)
        outcomes.append([sum(numbers), functions.text_length("h\\u00e9llo"), sum(large[:])])
        large.free()
    owned = functions.allocate_text(5)
    outcomes.append(len(owned.value))
    owned.free()
    outcomes.append(heap.total_allocated_byte_size)
    try:
        functions.sum_float32(heap.memory.size - 4, 1000)
    except (emheap.ForeignTrapError, emheap.HeapError) as error:
        outcomes.append(type(error).__name__)
print(json.dumps([wasmtime_call.calls_directly(), outcomes]))
"""


def _outcomes(python: Path, direct: bool | None) -> Any:
    program = _PROGRAM.format(direct=direct)
    ended = subprocess.run(
        [python, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, timeout=_SECONDS
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("release", ["oldest", "newest"])
def test_both_ways_to_call_give_the_same(release: str) -> None:
    wanted = oldest("wasmtime") if release == "oldest" else "wasmtime"
    try:
        python = virtual_environment(f"wasmtime-{release}", [wanted])
    except EnvironmentProblem as problem:
        skip_for_gap(f"the {release} wasmtime", str(problem).splitlines()[0])
    chosen, outcomes = _outcomes(python, None)
    assert chosen is True  # the self-test found that the C API behaves as expected
    assert outcomes[:3] == [[497_500, 6, 0], 5, 0]
    assert outcomes[:4] == outcomes[4:]
    assert _outcomes(python, False) == [False, outcomes]
