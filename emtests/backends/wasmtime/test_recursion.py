"""Calls with the last frames that Python has: no callback ends the process for want of room."""

from __future__ import annotations

import pytest

from emtests.processes import run_program

_PROGRAM = """
import ctypes, sys
from collections.abc import Callable
import wasmtime
import emheap
from emheap import Function, Library, c

def double(number):
    return 2 * number

IMPORT = '(import "host" "double" (func $double (param i32) (result i32)))'
CALL = '(func (export "import") (param i32) (result i32) (call $double (local.get 0)))'
# A module that imports nothing calls Python as well, once it is given a callback.
imports = {"double": double} if "METHOD" == "import" else {}
TEXT = f'''(module
  {IMPORT if imports else ""}
  (memory (export "memory") 2)
  (table (export "table") 4 funcref)
  (global (export "__stack_pointer") (mut i32) (i32.const 65536))
  (type $step (func (param i32) (result i32)))
  {CALL if imports else ""}
  (func (export "apply") (param i32 i32) (result i32)
    (call_indirect (type $step) (local.get 1) (local.get 0))))'''

class Calling(Library, lazy=True):
    import_: Function[[c.int], c.int]
    apply: Function[[c.callback[Callable[[c.int], c.int]], c.int], c.int]

binary = bytes(wasmtime.wat2wasm(TEXT))
heap = emheap.load_wasm(binary, imports, wrap_only=True)
library = heap.library(Calling)
by_apply, by_import = lambda: library.apply(double, 5), lambda: library.import_(5)
call = by_METHOD
assert call() == 10
# What wasmtime-py cannot delete for want of frames, it reports.
sys.unraisablehook = lambda _: None

def at_depth(count):
    return at_depth(count - 1) if count else call()

outcomes = []
limit = sys.getrecursionlimit()
sys.setrecursionlimit(300)
for depth in range(200, 310):
    try:
        outcomes.append(at_depth(depth))
    except (RecursionError, ctypes.ArgumentError) as error:
        outcomes.append("recursion" in str(error))
sys.setrecursionlimit(limit)
assert outcomes[0] == 10 and outcomes[-1] is True, outcomes
assert set(outcomes) == {10, True}, outcomes
assert not library.is_closed and library._services.state.pending == []
assert call() == 10
print("done")
"""


@pytest.mark.parametrize("by", ["apply", "import"])
def test_a_callback_in_the_last_frames_raises(by: str) -> None:
    assert run_program(_PROGRAM.replace("METHOD", by)) == "done\n"
