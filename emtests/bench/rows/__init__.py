"""The rows of the table."""

from __future__ import annotations

from emtests.bench.rows.access import ACCESS_ROWS
from emtests.bench.rows.arrays import ARRAY_ROWS
from emtests.bench.rows.bare import BARE_ROWS
from emtests.bench.rows.bare_blocks import BARE_BLOCK_ROWS
from emtests.bench.rows.base import NATIVE as NATIVE
from emtests.bench.rows.base import PYODIDE as PYODIDE
from emtests.bench.rows.base import Row as Row
from emtests.bench.rows.blocks import BLOCK_ROWS
from emtests.bench.rows.calls import CALL_ROWS
from emtests.bench.rows.debug_heap import DEBUG_ROWS
from emtests.bench.rows.flat import FLAT_ROWS
from emtests.bench.rows.javascript_heap import JAVASCRIPT_ROWS
from emtests.bench.rows.javascript_refs import JAVASCRIPT_REF_ROWS
from emtests.bench.rows.lifetimes import LIFETIME_ROWS
from emtests.bench.rows.scalars import SCALAR_ROWS
from emtests.bench.rows.structures import STRUCTURE_ROWS
from emtests.bench.rows.texts import TEXT_ROWS
from emtests.bench.rows.wasmtime_heap import WASMTIME_ROWS

ROWS: list[Row] = [
    *SCALAR_ROWS,
    *BLOCK_ROWS,
    *FLAT_ROWS,
    *LIFETIME_ROWS,
    *ARRAY_ROWS,
    *TEXT_ROWS,
    *ACCESS_ROWS,
    *STRUCTURE_ROWS,
    *JAVASCRIPT_ROWS,
    *JAVASCRIPT_REF_ROWS,
    *WASMTIME_ROWS,
    *CALL_ROWS,
    *DEBUG_ROWS,
    *BARE_ROWS,
    *BARE_BLOCK_ROWS,
]
"""All that one process can measure by itself."""
