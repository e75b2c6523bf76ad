"""What is recorded of a block, and what messages say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from emheap._util.messages import count_of, format_address
from emheap._util.platform import HAS_GIL
from emheap._util.sites import Origin, Site, describe_site
from emheap.allocators.adopted import AdoptedAllocator
from emheap.allocators.base import MOST_SPARE, Allocator, most_spare
from emheap.blocks.loans import LoanTable
from emheap.blocks.region import Region
from emheap.blocks.views import ViewTable
from emheap.memories.base import Elements, Memory
from emheap.types import Scalar, Text, Type

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = ["Block", "Layout", "describe_block", "describe_freed", "end_of"]

Block: TypeAlias = "tuple[Elements, int, Layout, Origin, int]"
"""Elements, address, layout, and the site of the allocation (its two halves)."""


class _Table(Protocol):
    """What a layout takes from the table of its heap."""

    allocator: Allocator
    freed: dict[int, tuple[Block, Origin, int]]
    loans: LoanTable
    memory: Memory
    mixed: dict[int, Block]
    tracked: bool
    views: ViewTable


class Layout:
    """What lies in a block. Blocks with the same contents may share one."""

    __slots__ = (
        "blocks",
        "borrowed",
        "byte_size",
        "count",
        "freed",
        "kind",
        "loans",
        "most_spare",
        "source",
        "spare",
        "table",
        "tracked",
        "views",
    )

    def __init__(
        self,
        table: _Table,
        kind: type[Type[Any]],
        count: int | None,
        byte_size: int,
        *,
        blocks: dict[int, Block] | None = None,
        borrowed: bool = False,
        source: Allocator | None = None,
    ) -> None:
        region = source if isinstance(source, Region) else None
        self.table: Any = table
        """The BlockTable of the heap, whose module imports this one."""
        self.kind = kind
        self.count = count
        """Elements of an array or a string with its terminator; None for a scalar."""
        self.byte_size = byte_size
        self.borrowed = borrowed
        """Whether other code allocated the block, and frees it."""
        if blocks is None:
            blocks = table.mixed if region is None else region.blocks
        self.blocks = blocks
        """The table that a live block with this layout is in."""
        self.tracked = region is not None or table.tracked
        """Whether it is in any."""
        self.source = table.allocator if source is None else source
        """Where the block comes from and goes to."""
        self.freed = table.freed
        self.loans = table.loans.entries
        self.views = table.views.latest
        """To be appended to where a view is made; see `ViewTable`."""
        self.spare: list[int] | None = None
        """The list that such blocks come from and go to, where the short cuts may use it."""
        self.most_spare = MOST_SPARE if byte_size <= 64 else most_spare(byte_size)
        """How long that may get before it is shortened."""

    def find_spare(self) -> None:
        """Let the short cuts use the allocator's list of free blocks, where it has one."""
        if HAS_GIL:
            self.spare = self.source.spare(self.byte_size or 1)

    def describe(self) -> str:
        """The kind of contents: ``int32``, ``float64 array``, ``utf8 string``."""
        name = self.kind.__name__  # a structure's `name` may be a field
        if self.count is None:
            return name
        return f"{name} {'string' if issubclass(self.kind, Text) else 'array'}"

    def is_mapped(self, address: int, size: int) -> bool:
        """Whether a part of a live block can be shown to those who did not ask for its bytes, as
        debuggers are. What was wrapped, or adopted, may be no memory at all: reading it would end
        the program.
        """
        ours = not self.borrowed and not isinstance(self.source, AdoptedAllocator)
        mapped: bool = ours or self.table.raw_memory.is_mapped(address, size)
        return mapped

    def show_fields(self, data: bytes, start: int, first: int, last: int) -> str | None:
        """For a dump of structures: the fields that begin at the bytes from `first` to `last` of a
        block, of which `data` are those from `start` on. None for what has no fields."""
        return None

    def open_elements(self, unit: type[Scalar[Any]], address: int, count: int) -> Elements:
        """The inside of a block with this layout."""
        elements: Elements = self.table.memory.elements(unit, address, count)
        return elements

    def resized(self, count: int, byte_size: int, source: Allocator) -> Layout:
        """The layout of a block of the same kind and another length."""
        return Layout(self.table, self.kind, count, byte_size, source=source)


def describe_block(block: Block) -> str:
    """A block as messages name it, with where it was allocated."""
    _, address, layout, code, offset = block
    size = count_of(layout.byte_size, "byte")
    named = f"the {layout.describe()} of {size} at {format_address(address)}"
    if layout.borrowed or code is None:
        return named
    return f"{named}, allocated at {describe_site((code, offset))}"


def describe_freed(block: Block, site: Site) -> str:
    """A freed block as messages name it, with where it was allocated and freed."""
    return f"{describe_block(block)}, freed at {describe_site(site)}"


def end_of(block: Block) -> int:
    """The address after the last byte of a block."""
    _, address, layout, _, _ = block
    return address + layout.byte_size
