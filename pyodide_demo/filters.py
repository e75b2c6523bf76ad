"""The filters: each changes a picture in place, on the heap it lies on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import TYPE_CHECKING

from emheap import Struct, clamped_uint8, int32, uint8, uint32
from pyodide_demo.lanes import Neighbourhood, fill_lanes, saturate, subtract, widen

if TYPE_CHECKING:
    from pyodide_demo.picture import Picture

LEVELS = range(256)


class Pixel(Struct):
    """A pixel as it lies on the heap."""

    red: uint8
    green: uint8
    blue: uint8
    alpha: uint8


def level_table(picture: Picture, curve: Iterable[float]) -> bytes:
    """A curve as a table for `bytes.translate`: clamped_uint8 rounds and clamps its values."""
    with picture.scratch() as scratch:
        table = scratch.array(clamped_uint8, curve)
        return bytes(table)


def map_levels(picture: Picture, curve: Iterable[float]) -> None:
    """Replace every level of every colour by its value on the curve."""
    table = level_table(picture, curve)
    picture.put_colours([plane.translate(table) for plane in picture.colours()])


def invert(picture: Picture) -> None:
    """The negative"""
    map_levels(picture, [255 - level for level in LEVELS])


def brightness(picture: Picture) -> None:
    """A quarter brighter"""
    map_levels(picture, [level * 1.25 for level in LEVELS])


def contrast(picture: Picture) -> None:
    """More contrast around the middle grey"""
    map_levels(picture, [(level - 128) * 1.375 + 128 for level in LEVELS])


def posterize(picture: Picture) -> None:
    """Four levels a channel"""
    map_levels(picture, [level // 64 * 85 for level in LEVELS])


def grayscale(picture: Picture) -> None:
    """Shades of grey, as bright as the eye sees the colours"""
    grey = luma(picture)
    count = picture.width * picture.height
    pixels = picture.heap.wrap_array(Pixel, picture.pixels.address, count)
    for colour in (Pixel.red, Pixel.green, Pixel.blue):
        with pixels.column(colour) as plane:  # every fourth byte, in place
            plane[:] = grey


def sepia(picture: Picture) -> None:
    """The brown of an old photograph"""
    grey = luma(picture)
    tints = [[level * tint for level in LEVELS] for tint in (1.351, 1.203, 0.937)]
    picture.put_colours([grey.translate(level_table(picture, curve)) for curve in tints])


def equalize(picture: Picture) -> None:
    """Tones spread evenly, by a histogram"""
    grey = luma(picture)
    with picture.scratch() as scratch:
        histogram = scratch.array(int32, len(LEVELS))
        for level, pixels in Counter(grey).items():
            histogram[level] = pixels
        histogram[:] = list(accumulate(histogram))
        darkest = histogram[min(grey)]
        spread = len(grey) - darkest
        if spread == 0:
            return  # one level alone cannot be spread
        curve = [(pixels - darkest) * 255 / spread for pixels in histogram]
    map_levels(picture, curve)


def mirror(picture: Picture) -> None:
    """Left and right swapped"""
    count = picture.width * picture.height
    with picture.heap.view(uint32, picture.pixels.address, count) as words:  # a pixel each
        for start in range(0, count, picture.width):
            row = words[start : start + picture.width]
            row[:] = row[::-1]


def luma(picture: Picture) -> bytes:
    """How bright every pixel is: (77 red + 150 green + 29 blue) / 256, rounded half up."""
    count = picture.width * picture.height
    lanes = fill_lanes(128, count)
    for plane, weight in zip(picture.colours(), (77, 150, 29), strict=True):
        lanes += int.from_bytes(widen(plane), "little") * weight
    return lanes.to_bytes(2 * count, "little")[1::2]


def blur(picture: Picture) -> None:
    """Soft: a Gaussian of 5 × 5 pixels, three times"""
    with picture.scratch() as scratch:
        field = Neighbourhood(picture, 2, scratch)
        half = fill_lanes(128, field.count)

        def blurred(plane: bytes) -> bytes:
            lanes = field.weigh(field.load(plane), (1, 4, 6, 4, 1))  # these sum to 16, squared 256
            return field.plane(lanes + half, high_bytes=True)

        picture.put_colours([blurred(blurred(blurred(plane))) for plane in picture.colours()])


def sharpen(picture: Picture) -> None:
    """Crisp: every pixel against its four neighbours"""
    with picture.scratch() as scratch:
        field = Neighbourhood(picture, 1, scratch)

        def sharpened(plane: bytes) -> bytes:
            lanes = field.load(plane)
            around = sum(field.move(lanes, x, y) for x, y in ((1, 0), (0, 1), (2, 1), (1, 2)))
            crisp = subtract(5 * field.move(lanes, 1, 1), around, field.count)
            return field.plane(saturate(crisp, field.count))

        picture.put_colours([sharpened(plane) for plane in picture.colours()])


def edges(picture: Picture) -> None:
    """Outlines, by Sobel's operator"""
    with picture.scratch() as scratch:
        field = Neighbourhood(picture, 1, scratch)
        lanes = field.load(luma(picture))
        tall = sum(weight * field.move(lanes, 0, y) for y, weight in enumerate((1, 2, 1)))
        wide = sum(weight * field.move(lanes, x, 0) for x, weight in enumerate((1, 2, 1)))
        slope = 0
        for one, other in ((tall, field.move(tall, 2, 0)), (wide, field.move(wide, 0, 2))):
            slope += subtract(one, other, field.count) + subtract(other, one, field.count)
        outlines = field.plane(saturate(slope, field.count))
    picture.put_colours([outlines] * 3)


Filter = Callable[["Picture"], None]

FILTERS: dict[str, Filter] = {
    each.__name__: each
    for each in (
        grayscale,
        sepia,
        invert,
        brightness,
        contrast,
        equalize,
        posterize,
        blur,
        sharpen,
        edges,
        mirror,
    )
}


def summary(name: str) -> str:
    """What a filter does, in one line."""
    return FILTERS[name].__doc__ or ""
