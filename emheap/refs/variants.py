"""The classes behind a structure: one for each ABI, and for where its objects begin.

A user writes one class. What a heap makes are objects of classes derived from it, whose fields
are properties for the ABI and the memory at hand: of structures that have a block of their own,
of those that lie inside of one, and of these also for the case that they are not aligned.
"""

from __future__ import annotations

from typing import Any, NoReturn

from emheap.errors import NotAllocatedError
from emheap.memories.base import Memory
from emheap.memories.elements import Pin, pin
from emheap.refs.cells import is_direct
from emheap.refs.field_access import Place, make_property, make_whole
from emheap.refs.field_codecs import Codec, codec_of
from emheap.refs.lifetime import Owner
from emheap.types.abi import ABI
from emheap.types.structs import StructLayout, StructType

__all__ = ["Inside", "Variants", "variants_of"]


class Variants:
    """The classes of one structure for one ABI, for memories that are one memoryview or not."""

    def __init__(self, kind: Any, abi: ABI, direct: bool) -> None:
        self.kind = kind
        self.abi = abi
        self.direct = direct
        """Whether the memory is one memoryview."""
        self.codec: Codec = codec_of(kind, abi)
        self.layout: StructLayout = self.codec.layout
        self.single = self._derive((kind,), based=False, packed=False)
        """A structure that has a block, and owns nothing."""
        self.owning = StructType.derive(kind.__name__, (Owner, self.single), self._space())
        """One that owns its block."""
        self.inner = self._derive((Inside, kind), based=True, packed=False)
        """One inside of a block: an element, or a field of another structure."""
        self._packed: Any = None
        self.layout_of_values: Any = None
        """What lies in a block of a value, which is on no heap."""
        kind._declaration.look_up()

    @property
    def packed(self) -> Any:
        """One inside of a block at any address."""
        if self._packed is None:
            self._packed = self._derive((Inside, self.kind), based=True, packed=True)
        return self._packed

    def _derive(self, bases: tuple[Any, ...], *, based: bool, packed: bool) -> Any:
        place = Place(self.layout, self._nested, based, packed, self.direct)
        space = self._space()
        for entry in self.codec.entries:
            space[entry.name] = make_property(self.kind, entry, place)
        if self.codec.form is not None:
            whole = make_whole(self.kind, self.codec.form, place)
            space.update((name, whole[name]) for name in whole if not self._replaces(name))
        return StructType.derive(self.kind.__name__, bases, space)

    def _replaces(self, name: str) -> bool:
        """Whether the user's class has a method of its own in place of a structure's."""
        first = [each for each in self.kind.__mro__ if isinstance(each, StructType)][-1]
        return getattr(self.kind, name) is not getattr(first, name)

    def _space(self) -> dict[str, Any]:
        kind = self.kind
        return {
            "__slots__": (),
            "__doc__": kind.__doc__,
            "__module__": kind.__module__,
            "__qualname__": kind.__qualname__,
            "_variants": self,
        }

    def _nested(self, kind: Any, packed: bool) -> Any:
        variants = self.of(kind)
        return variants.packed if packed else variants.inner

    def of(self, kind: Any) -> Variants:
        """The classes of another structure, for the same memories."""
        return _variants_of(kind, self.abi, self.direct)


def variants_of(kind: Any, memory: Memory) -> Variants:
    """The classes of a structure for a memory; all with its ABI share them."""
    return _variants_of(kind, memory.abi, is_direct(memory))


def _variants_of(kind: Any, abi: ABI, direct: bool) -> Variants:
    known: dict[Any, Any] = kind._declaration.variants
    key = (abi, direct)
    if key not in known:
        known[key] = Variants(kind._declaration.owner, abi, direct)
    found: Variants = known[key]
    return found


class Inside:
    """A structure inside of a block: it lives as long as that, and cannot be freed alone."""

    __slots__ = ()

    _parent: Any
    _elements: Any

    @property
    def _block(self) -> Any:
        return self._parent._block

    @property
    def _holder(self) -> Any:
        return self._parent._holder

    # The elements are those of the block that this lies in. `resize` gives the array around this
    # another block, which this does not lie in.

    def _pin(self) -> tuple[Any, Pin]:
        block, elements = self._block, self._elements
        try:
            pinned = pin(elements) if block[0] is elements else None
        except ValueError:
            pinned = None
        if pinned is None:
            self._check_lost(block)
        return block, pinned

    def _check_lost(self, block: Any) -> NoReturn:
        self._find_again()
        table = block[2].table
        freed = table.freed.get(self._elements.address)
        if freed is not None and freed[0][0] is self._elements:
            block = freed[0]
        raise table.use_after_free(block) from None

    def _find_again(self) -> bool:
        # What is around this may be live again, where it could not be freed after all.
        self._parent._find_again()
        return False

    def _alone(self, what: str) -> NotAllocatedError:
        return NotAllocatedError(
            f"{self!r} lies inside of a block and cannot be {what} alone: "
            f"it lives as long as {self._parent!r:.80}"
        )

    def free(self) -> None:
        """Raise NotAllocatedError: a part of a block is not freed alone."""
        raise self._alone("freed")

    def _free_pooled(self, depth: int) -> bool:
        return False  # the block is not this one's

    def _free_at(self, site: Any) -> None:
        raise self._alone("freed")

    def detach(self) -> int:
        """Raise NotAllocatedError: a part of a block is not handed over alone."""
        raise self._alone("detached")

    def __exit__(self, *_: object) -> None:
        """Do nothing: the block is not this one's to free."""
