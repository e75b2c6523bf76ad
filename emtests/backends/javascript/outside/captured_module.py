"""A program that opens a database in a module that exports no memory at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from emtests_surroundings import load

import emheap
from emheap import NotSupportedError, int32, pointer32, utf8

ROWS = 1000
SQLITE_ROW, SQLITE_DONE = 100, 101


async def run() -> str:
    """Create a table and read it back, by SQLite's C functions; gives a sum and a text."""
    factory = (await load("sql.js/dist/sql-wasm.js")).default
    wasm = Path("/modules/sql.js/dist/sql-wasm.wasm").read_bytes()
    capture = emheap.capture_memory(wasm, {"noInitialRun": False})
    assert "await factory(capture.options)" in refusal(lambda: capture.memory)
    module = await factory(capture.options)
    # Were its memory exported by now, another module would have to be used here.
    assert "emheap.capture_memory()" in refusal(lambda: emheap.wrap_emscripten_module_heap(module))
    return use(module, emheap.wrap_emscripten_module_heap(module, memory=capture))


def refusal(action: Callable[[], Any]) -> str:
    try:
        action()
    except NotSupportedError as error:
        return str(error)
    return ""


def use(module: Any, heap: emheap.HeapManager) -> str:
    with heap.arena() as scratch:
        name = scratch.alloc(utf8, ":memory:")
        handle = scratch.alloc(pointer32)
        assert module._sqlite3_open(name.address, handle.address) == 0
        database = handle.value
        query = scratch.alloc(
            utf8,
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < "
            f"{ROWS}) select sum(i), 'grüße' from n",
        )
        statement = scratch.alloc(pointer32)
        used = module._sqlite3_prepare_v2(database, query.address, -1, statement.address, 0)
        assert used == 0, used
        assert module._sqlite3_step(statement.value) == SQLITE_ROW
        total = module._sqlite3_column_double(statement.value, 0)
        text = heap.read(utf8, module._sqlite3_column_text(statement.value, 1))
        assert module._sqlite3_step(statement.value) == SQLITE_DONE
        module._sqlite3_finalize(statement.value)
        module._sqlite3_close_v2(database)
        scratch.alloc_array(int32, 100_000)  # makes the memory grow
    return f"{total} {text} {heap.total_allocated_byte_size}"
