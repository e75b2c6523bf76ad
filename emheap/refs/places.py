"""Places of a heap, by their address: what pointers and fields open references with."""

from __future__ import annotations

from typing import Any

from emheap._util.checks import check_aligned, check_integer
from emheap.blocks.block import Block, Layout, is_released
from emheap.blocks.table import BlockTable
from emheap.errors import OutOfBoundsError
from emheap.refs import make, struct_make
from emheap.refs.array import ArrayRef, EncodingArrayRef
from emheap.refs.cells import Cells
from emheap.refs.lifetime import make_ref
from emheap.refs.pointer import Pointer, array_ref_class
from emheap.refs.structured import StructureLayout
from emheap.refs.variants import variants_of
from emheap.types import Scalar, Text
from emheap.types.pointers import PointerTo, name_of
from emheap.types.structs import StructType, size_and_alignment

__all__ = ["Places"]


class Places:
    """Opens references at addresses of one heap. The modules of pointers and of structures, which
    the ones here are built on, find it at the table of blocks."""

    def __init__(self, table: BlockTable) -> None:
        self._table = table
        self._layouts: dict[tuple[Any, int], Layout] = {}

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
        _check_not_void(kind)
        if isinstance(kind, type) and not isinstance(kind, StructType) and issubclass(kind, Text):
            return kind.size
        return size_and_alignment(kind, self._table.memory.abi)[0]

    def read_at(self, kind: Any, address: int, block: Block | None) -> Any:
        """What lies at an address: a number, a string, a pointer, or a reference to a
        structure. `block` is the one that it lies in, if that is known."""
        _check_not_void(kind)
        if isinstance(kind, StructType):
            return self._struct_at(kind, address, block)
        memory = self._table.raw_memory
        if isinstance(kind, PointerTo):
            stored = memory.cached_reader(kind.scalar(memory.abi))(address)
            return Pointer(self._table, kind, stored)
        if issubclass(kind, Text):
            return memory.cached_text_reader(kind)(address)
        return memory.cached_reader(kind.for_abi(memory.abi))(address)

    def write_at(self, kind: Any, address: int, value: Any) -> None:
        """Store a value of a kind at an address."""
        _check_not_void(kind)
        table = self._table
        memory = table.raw_memory
        if isinstance(kind, StructType):
            struct_make.write_struct(table, kind, address, value)
        elif isinstance(kind, PointerTo):
            make.wrap_scalar(table, kind.scalar(memory.abi), address).value = value
        elif issubclass(kind, Text):
            raise TypeError(f"what a {name_of(PointerTo(kind))} points to is not replaced in place")
        else:
            memory.cached_writer(kind.for_abi(memory.abi))(address, value)

    def array_at(self, kind: Any, address: int, count: Any, block: Block | None) -> Any:
        """A reference to several values of a kind."""
        _check_not_void(kind)
        table = self._table
        if isinstance(kind, StructType):
            return struct_make.wrap_struct_array(table, kind, address, count)
        abi = table.memory.abi
        scalar = kind.scalar(abi) if isinstance(kind, PointerTo) else kind.for_abi(abi)
        return make.wrap_array(table, scalar, address, count)

    def _struct_at(self, kind: Any, address: int, block: Block | None) -> Any:
        table = self._table
        found = block if block is not None else table.find(address)
        if found is None or found[2].borrowed or is_released(found[0]):
            return struct_make.wrap_struct(table, kind, address)
        layout: Any = found[2]
        if not isinstance(found[0], Cells):
            return struct_make.wrap_struct(table, kind, address)
        parent = self.ref_of(found)
        if layout.kind is kind and layout.count is None and address == found[1]:
            return parent
        variants = variants_of(kind, table.memory)
        check_aligned(address, variants.layout.alignment, f"a {kind.__name__}")
        made = object.__new__(variants.inner)
        made._elements, made._base, made._parent = found[0], address - found[1], parent
        return made

    # Parts of a structure

    def wrap(self, scalar: type[Scalar[Any]], address: int) -> Any:
        """A reference to a number inside of a block, which ends with it."""
        return make.wrap_scalar(self._table, scalar, address)

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
        len(cells)  # raises if the block was freed meanwhile
        block: Block = (elements, address, layout, None, 0)
        if shape is None or len(shape) < 2:
            return make_ref(array_ref_class(scalar, False), block)
        made = make_ref(ShapedEncodingArrayRef if scalar.encodes else ShapedArrayRef, block)
        made._shape = shape
        return made


def _check_not_void(kind: Any) -> None:
    if kind is None or kind is Any:
        raise TypeError("a pointer to anything: say what it points to, by pointer.cast(kind)")


class _Shaped:
    """Elements of several dimensions, in C's order: ``matrix[1, 2]``."""

    __slots__ = ()

    _shape: tuple[int, ...]

    def _flat(self, index: tuple[Any, ...]) -> int:
        shape = self._shape
        if len(index) != len(shape):
            raise TypeError(f"an array of {len(shape)} dimensions takes as many indices")
        flat = 0
        for position, length in zip(index, shape, strict=True):
            number = check_integer(position, "index")
            if not -length <= number < length:
                raise OutOfBoundsError(f"index {number} is outside of a dimension of {length}")
            flat = flat * length + number % length
        return flat

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dimension."""
        return self._shape


class ShapedArrayRef(_Shaped, ArrayRef[Any]):
    """An array of several dimensions inside of a structure."""

    __slots__ = ("_shape",)
    __hash__ = None

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(self._flat(index) if type(index) is tuple else index)

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(self._flat(index) if type(index) is tuple else index, value)


class ShapedEncodingArrayRef(_Shaped, EncodingArrayRef[Any]):
    __slots__ = ("_shape",)
    __hash__ = None

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(self._flat(index) if type(index) is tuple else index)

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(self._flat(index) if type(index) is tuple else index, value)


ShapedArrayRef._borrowed_class = ShapedArrayRef
ShapedEncodingArrayRef._borrowed_class = ShapedEncodingArrayRef
ShapedArrayRef.__name__ = ShapedEncodingArrayRef.__name__ = ArrayRef.__name__
