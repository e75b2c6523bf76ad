"""Places of a heap, by their address: what pointers and fields open references with."""

from __future__ import annotations

from typing import Any

from emheap._util.checks import check_aligned
from emheap._util.messages import count_of, format_address
from emheap._util.pointers import Pinned
from emheap._util.released import is_released
from emheap.blocks.block import Block, Layout, describe_block, end_of
from emheap.blocks.table import BlockTable
from emheap.errors import OutOfBoundsError
from emheap.refs import make, struct_make
from emheap.refs.array import ArrayRef, EncodingArrayRef
from emheap.refs.cells import Cells
from emheap.refs.classes import array_ref_class
from emheap.refs.lifetime import make_ref
from emheap.refs.pointees import Pointees
from emheap.refs.pointer import Pointer, PointerArrayRef, address_of, pointer_at
from emheap.refs.shaped import Shaped
from emheap.refs.structured import StructureLayout
from emheap.refs.variants import variants_of
from emheap.types import Scalar, Text
from emheap.types.pointers import PointerScalar, PointerTo, name_of
from emheap.types.structs import StructType, size_and_alignment

__all__ = ["Places"]


class Places:
    """Opens references at addresses of one heap. The modules of pointers and of structures, which
    the ones here are built on, find it at the table of blocks."""

    def __init__(self, table: BlockTable) -> None:
        self._table = table
        self._layouts: dict[tuple[Any, int], Layout] = {}
        self._sizes: dict[Any, int] = {}
        self.pointees = Pointees()

    def ref_of(self, block: Block) -> Any:
        """A further reference to a live block."""
        if not isinstance(block[2], StructureLayout):
            return make.ref_of(block)
        ref = struct_make.reference_to(block)
        holder = self._table.holders.get(id(block))
        if holder is not None:
            ref._holder = holder
        return ref

    def size_of(self, kind: Any) -> int:
        """The bytes of one value of a kind."""
        known = self._sizes.get(kind)
        if known is not None:
            return known
        _check_not_void(kind)
        if isinstance(kind, (StructType, PointerTo)):  # which would be kept alive
            return size_and_alignment(kind, self._table.memory.abi)[0]
        size: int = kind.size
        if not issubclass(kind, Text):
            size = size_and_alignment(kind, self._table.memory.abi)[0]
        return self._sizes.setdefault(kind, size)

    def read_at(self, kind: Any, address: int, block: Block | None) -> Any:
        """What lies at an address: a number, a string, a pointer, or a reference to a
        structure. `block` is the one that it lies in, if that is known."""
        _check_not_void(kind)
        if isinstance(kind, StructType):
            return self._struct_at(kind, address, block)
        if block is not None:
            _check_inside(block, address, self.size_of(kind))
        memory = self._table.raw_memory
        if isinstance(kind, PointerTo):
            return self.read_pointer(kind, address, block)
        if issubclass(kind, Text):
            return memory.cached_text_reader(kind)(address)
        return memory.cached_reader(kind.for_abi(memory.abi))(address)

    def write_at(self, kind: Any, address: int, value: Any, pointer: Pointer[Any]) -> None:
        """Store a value of a kind at an address that lies where a pointer points to."""
        _check_not_void(kind)
        table, block = self._table, pointer._block
        memory = table.raw_memory
        if block is not None:
            _check_inside(block, address, self.size_of(kind))
        if isinstance(kind, StructType):
            struct_make.write_struct(table, kind, address, value, pointer)
        elif isinstance(kind, PointerTo):
            self.write_pointer(kind, address, value, pointer)
        elif issubclass(kind, Text):
            raise TypeError(f"what a {name_of(PointerTo(kind))} points to is not replaced in place")
        else:
            stored, number = memory.encoded(kind.for_abi(memory.abi), value)
            with Pinned(pointer):
                memory.cached_writer(stored)(address, number)

    def array_at(self, kind: Any, address: int, count: Any, block: Block | None) -> Any:
        """A reference to several values of a kind."""
        _check_not_void(kind)
        table = self._table
        made: Any
        abi = table.memory.abi
        if isinstance(kind, StructType):
            made = struct_make.wrap_struct_array(table, kind, address, count)
        elif isinstance(kind, PointerTo):
            made = make.wrap_array(table, kind.scalar(abi), address, count)
            if block is not None:
                made._noted = block[0], address - block[1]
        else:
            made = make.wrap_array(table, kind.for_abi(abi), address, count)
        if block is not None:
            _check_lent(block, made)
        return made

    # Pointers by their address

    def read_pointer(self, kind: PointerTo, address: int, block: Block | None = None) -> Any:
        """The pointer at an address. `block` is the one that it lies in, if that is known."""
        memory = self._table.raw_memory
        if type(address) is not int:
            with Pinned(address):
                return self.read_pointer(kind, memory.address_of(address), block)
        stored = memory.cached_reader(kind.scalar(memory.abi))(address)
        around = block or self._table.find(address)
        known = None if around is None else self.pointees.find(around[0], address - around[1])
        return pointer_at(self._table, kind, stored, known)

    def write_pointer(
        self, kind: PointerTo, address: Any, value: Any, inside: Pointer[Any] | None = None
    ) -> None:
        """Store a pointer at an address, which may be one that a pointer points to."""
        table, memory = self._table, self._table.raw_memory
        scalar = kind.scalar(memory.abi)
        target, known = address_of(value, kind, table, scalar.name, scalar.maximum)
        with Pinned(address if inside is None else inside):
            place = memory.address_of(address)
            memory.cached_writer(scalar)(place, target)
            known_block = None if inside is None else inside._block
            around = known_block or table.find(place) or table.owner_of(place)
            if around is not None:
                self.pointees.note(around[0], place - around[1], known)

    def _struct_at(self, kind: Any, address: int, block: Block | None) -> Any:
        table = self._table
        found = block if block is not None else table.find(address)
        layout: Any = None if found is None else found[2]
        if (
            found is None
            or layout.borrowed
            or is_released(found[0])
            or not isinstance(found[0], Cells)
        ):
            made = struct_make.wrap_struct(table, kind, address)
            if block is not None:
                _check_lent(block, made)
            return made
        parent = self.ref_of(found)
        if layout.kind is kind and layout.count is None and address == found[1]:
            return parent
        variants = variants_of(kind, table.memory)
        _check_inside(found, address, variants.layout.size)
        check_aligned(address, variants.layout.alignment, f"a {kind.__name__}")
        made = object.__new__(variants.inner)
        made._elements, made._base, made._parent = found[0], address - found[1], parent
        return made

    # Parts of a structure

    def number_inside(self, cells: Cells, scalar: type[Scalar[Any]], offset: int) -> Any:
        """A reference to a number or a pointer inside of a block, which ends with it. Whether the
        block is there is for the caller to check, and not before: see `Struct._check_around`."""
        ref: Any = make.wrap_scalar(self._table, scalar, cells.address + offset)
        if issubclass(scalar, PointerScalar):
            ref._noted = cells, offset
        return ref

    def string_inside(self, text: type[Text], address: int, count: int) -> Any:
        """A reference to a string inside of a structure, with room for so many elements."""
        return make.wrap_text(self._table, text, address, count - 1)

    def array_inside(
        self,
        cells: Cells,
        scalar: type[Scalar[Any]],
        address: int,
        count: int,
        shape: tuple[int, ...] | None,
    ) -> Any:
        """A reference to an array inside of a structure's block, which ends with it."""
        table = self._table
        layout = self._layouts.get((scalar, count))
        if layout is None:
            size = count * scalar.size
            layout = Layout(table, scalar, count, size, borrowed=True)
            if len(self._layouts) < 1000:
                self._layouts[scalar, count] = layout
        elements = table.memory.elements(scalar, address, count)
        table.loans.add_elements(address, layout.byte_size, elements)
        block: Block = (elements, address, layout, None, 0)
        made = make_ref(_class_of(scalar, shape), block)
        if issubclass(scalar, PointerScalar):
            made._noted = cells, address - cells.address
        if shape is not None and len(shape) > 1:
            made._shape = shape
        return made


def _class_of(scalar: type[Scalar[Any]], shape: tuple[int, ...] | None) -> Any:
    """The class of an array inside of a structure."""
    if shape is None or len(shape) < 2:
        return array_ref_class(scalar, False)
    if issubclass(scalar, PointerScalar):
        return ShapedPointerArrayRef
    return ShapedEncodingArrayRef if scalar.encodes else ShapedArrayRef


def _check_lent(block: Block, made: Any) -> None:
    """Raise UseAfterFreeError or OutOfBoundsError if the block that a pointer is known to point
    into was freed while a reference to its bytes was made, or has not got all of them. Who frees it
    from now on ends the reference."""
    if is_released(block[0]):
        raise block[2].table.use_after_free(block)
    _check_inside(block, made.address, made.allocated_byte_size)


def _check_inside(block: Block, address: int, size: int) -> None:
    """Raise OutOfBoundsError if the block that a pointer is known to point into has not got these
    bytes."""
    if not block[2].borrowed and not block[1] <= address <= end_of(block) - size:
        raise OutOfBoundsError(
            f"{count_of(size, 'byte')} at {format_address(address)} are not inside of "
            f"{describe_block(block)}, which the pointer points to; use another index, or allocate "
            "more"
        )


def _check_not_void(kind: Any) -> None:
    if kind is None or kind is Any:
        raise TypeError("a pointer to anything: say what it points to, by pointer.cast(kind)")


class ShapedArrayRef(Shaped, ArrayRef[Any]):
    """An array of several dimensions inside of a structure."""

    __slots__ = ("_shape",)
    __hash__ = None


class ShapedEncodingArrayRef(Shaped, EncodingArrayRef[Any]):
    __slots__ = ("_shape",)
    __hash__ = None


class ShapedPointerArrayRef(Shaped, PointerArrayRef):
    __slots__ = ("_shape",)
    __hash__ = None
