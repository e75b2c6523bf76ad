"""A picture on a heap, and room for what its filters need meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from emheap import clamped_uint8, utf8

if TYPE_CHECKING:
    from types import TracebackType

    from emheap import Arena, ArrayRef, HeapManager, Scalar

__all__ = ["HeapUse", "Picture", "Scratch", "is_whole"]

CHANNELS = 4  # red, green, blue and alpha
COLOURS = 3

T = TypeVar("T")


class HeapUse(TypedDict):
    """What is on the heap now."""

    caption: str
    address: int
    blocks: int
    bytes: int
    peak_bytes: int


class Picture:
    """RGBA pixels on a heap, with the original beside them and a caption; `close` frees all three.

    Fill `original`, from Python through its `view` or from JavaScript through its `js_view`, then
    call `restore`.
    """

    def __init__(self, heap: HeapManager, width: int, height: int) -> None:
        self.heap = heap
        self.width = width
        self.height = height
        self.allocations = 0
        self.peak_bytes = 0
        with ExitStack() as undo:
            blocks = undo.enter_context(heap.arena())
            self.original = blocks.alloc_array(clamped_uint8, width * height * CHANNELS)
            self.pixels = blocks.alloc_array(clamped_uint8, width * height * CHANNELS)
            self.caption = heap.alloc(utf8, "")
            self._blocks = undo.pop_all()
        self.count(3)

    def __enter__(self) -> Picture:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the picture's blocks."""
        self.caption.free()
        self._blocks.close()

    def restore(self) -> None:
        """Copy the original over the pixels, from heap to heap."""
        self.pixels.view[:] = self.original.view
        self.describe([])

    def describe(self, filters: Sequence[str]) -> None:
        """Put a new caption on the heap, in the place of the old one."""
        steps = " → ".join(["original", *filters])
        caption = self.heap.alloc(utf8, f"{self.width} × {self.height}: {steps}")
        self.caption.free()
        self.caption = caption
        self.count(1)

    def colours(self) -> list[bytes]:
        """Copies of the red, green and blue planes, a byte a pixel.

        Taking every fourth byte of a copy is ten times as fast as taking it of the view.
        """
        pixels = bytes(self.pixels)
        return [pixels[colour::CHANNELS] for colour in range(COLOURS)]

    def put_colours(self, planes: Iterable[bytes]) -> None:
        """Replace the red, green and blue planes, in place; alpha stays."""
        pixels = bytearray(self.pixels.view)
        for colour, plane in zip(range(COLOURS), planes, strict=True):
            pixels[colour::CHANNELS] = plane
        self.pixels.view[:] = pixels

    @contextmanager
    def scratch(self) -> Iterator[Scratch]:
        """Room for the intermediate results of a filter, freed when the filter is done."""
        with self.heap.arena() as arena:
            yield Scratch(self, arena)

    def count(self, allocations: int = 1) -> None:
        """Note that something was allocated, for the report."""
        self.allocations += allocations
        self.peak_bytes = max(self.peak_bytes, self.heap.total_allocated_byte_size)

    def heap_use(self) -> HeapUse:
        """What is on the heap, for the page to show."""
        return {
            "caption": self.caption.value,
            "address": self.pixels.address,
            "blocks": len(self.heap.live()),
            "bytes": self.heap.total_allocated_byte_size,
            "peak_bytes": self.peak_bytes,
        }


class Scratch:
    """An arena whose allocations are counted."""

    def __init__(self, picture: Picture, arena: Arena) -> None:
        self._picture = picture
        self._arena = arena

    def array(self, kind: type[Scalar[T]], count_or_values: int | Iterable[Any]) -> ArrayRef[T]:
        """An array that lives as long as the arena."""
        array = self._arena.alloc_array(kind, count_or_values)
        self._picture.count()
        return array


def is_whole(picture: Picture) -> bool:
    """Whether nobody freed a picture's blocks behind its back."""
    return not any(block.is_freed for block in (picture.original, picture.pixels, picture.caption))
