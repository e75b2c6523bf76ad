"""What structures and arrays of structures have in common: cells, and a base within them."""

from __future__ import annotations

from typing import Any, TypeVar

from emheap.blocks.block import Block, Layout, end_of
from emheap.memories.base import Loan
from emheap.refs.base import HeapRef
from emheap.refs.cells import Cells, borrowed_cells, cells_class
from emheap.refs.struct_dump import fields_in
from emheap.refs.variants import Variants
from emheap.types import Scalar, uint8

__all__ = ["StructureLayout", "StructuredRef"]

T = TypeVar("T")


class StructureLayout(Layout):
    """What lies in a block of structures."""

    __slots__ = ("stride", "variants")

    def __init__(
        self, table: Any, variants: Variants, count: int | None, byte_size: int, **options: Any
    ) -> None:
        super().__init__(table, variants.kind, count, byte_size, **options)
        self.variants = variants
        self.stride = variants.layout.size
        """Bytes from one element of an array to the next."""

    def open_elements(self, unit: Any, address: int, count: int) -> Cells:
        """The cells of a block."""
        if self.borrowed and self.variants.codec.has_pointers:
            return borrowed_cells(self.table, address, self.byte_size)
        memory = self.table.memory
        return cells_class(memory)(memory, address, self.byte_size)

    def show_fields(self, data: bytes, start: int, first: int, last: int) -> str:
        """The fields, with their values, that begin at the bytes from `first` to `last`."""
        variants = self.variants
        return fields_in(variants.kind, variants.abi, self.stride, data, start, first, last)

    def resized(self, count: int, byte_size: int, source: Any) -> StructureLayout:
        """What lies in a block of another length."""
        return StructureLayout(self.table, self.variants, count, byte_size, source=source)


class StructuredRef(HeapRef[T]):
    """A reference to structures, in a block of their own or inside of one."""

    __slots__ = ()

    _base: int
    _elements: Cells  # pyright: ignore[reportIncompatibleVariableOverride]
    _block: Block
    _variants: Variants

    @property
    def address(self) -> int:
        """The address of the first byte; it stays readable after the block was freed."""
        return self._elements.address + self._base

    @property
    def kind(self) -> Any:
        """The structure: the class that was declared."""
        return self._variants.kind

    @property
    def _unit(self) -> type[Scalar[Any]]:
        return uint8

    def _extent(self, block: Block) -> tuple[int, int]:
        return self.address, self.allocated_byte_size

    def _lend(self, scalar: type[Scalar[Any]], count: int, what: str = "view") -> Loan[Any]:
        return self._lend_part(self._block, scalar, self.address, count, what)

    def _lend_part(
        self,
        block: Block,
        scalar: type[Scalar[Any]],
        address: int,
        count: int,
        what: str,
        step: int = 1,
    ) -> Loan[Any]:
        """A view on every `step`-th of `count` numbers at an address inside of this. `block` was
        looked at before the address: `resize` replaces it."""
        self._check_alive()
        table, layout = self._table, block[2]
        loan: Loan[Any] = table.memory.lend(scalar, address, count)
        if step != 1:
            strided = loan.view[::step]
            loan.view.release()
            loan = Loan(strided, loan.exporter)
        size = count * scalar.size
        table.loans.add(address, size, loan, what)
        if self._is_gone(block) or (not layout.borrowed and address + size > end_of(block)):
            loan.view.release()  # another thread freed the block meanwhile, or resized it
            raise table.use_after_free(block)
        if table.options.enable_garbage_collection and not layout.borrowed:
            self._holder.attach(loan.exporter)
        return loan
