"""Structures that are on no heap of a program's: values.

They lie in the memory of the process, in blocks that are freed with the last reference, so all
that structures do works on them, and C code of this process can be given their address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emheap._util.sites import Site, caller_site
from emheap.allocators.libc import LibcAllocator
from emheap.allocators.pool import PoolAllocator
from emheap.blocks.block import Block
from emheap.blocks.options import Options
from emheap.blocks.table import BlockTable
from emheap.memories.process import ProcessMemory
from emheap.refs import struct_make
from emheap.refs.field_codecs import Notes, codec_of
from emheap.refs.places import Places
from emheap.types.abi import native_abi

__all__ = ["ValueTable", "check_defaults", "make_value"]


class ValueTable(BlockTable):
    """The blocks of all values."""

    for_values = True

    def record_freed(self, block: Block, site: Site) -> None:
        """Remember what was freed by hand. What was collected nobody asks for, and it would keep
        the structure's class."""
        if site[0] is not None:
            super().record_freed(block, site)


_tables: list[ValueTable] = []


def _table() -> ValueTable:
    if not _tables:
        options = Options(enable_garbage_collection=True)
        table = ValueTable(ProcessMemory(), PoolAllocator(LibcAllocator()), options)
        table.open_places = Places
        _tables.append(table)
    return _tables[0]


def make_value(kind: Any, source: Any) -> Any:
    """A structure on no heap, of the fields given or like another one."""
    table = _table()
    if isinstance(source, Mapping):
        made = struct_make.allocate_struct(table, kind, source, caller_site(), value=True)
    else:
        made = struct_make.allocate_copy(table, kind, source, caller_site())
        made._elements.origin = source._table
    return made


def check_defaults(kind: Any) -> None:
    """Raise, naming the field, for a default that does not fit it."""
    codec_of(kind, native_abi()).encode_fields({}, Notes(_table()), partly=True)
