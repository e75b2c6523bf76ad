"""Each filter against values worked out by hand, or by a plain loop over the pixels."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from emtests.demo.pictures import greys, noise
from pyodide_demo.filters import FILTERS, summary
from pyodide_demo.program import run

SIZES = [(1, 1), (1, 4), (5, 1), (2, 2), (7, 6), (16, 3)]
Level = Callable[[int, int], int]


def filtered(name: str, pixels: bytes, width: int | None = None) -> bytes:
    count = len(pixels) // 4
    columns = count if width is None else width
    return run(pixels, columns, count // columns, [name])[0]


def colour(*pixel: int) -> bytes:
    return bytes((*pixel, 255))


def level_at(pixels: bytes, width: int, height: int, channel: int) -> Level:
    """The levels of a channel, those at the edge repeated outwards."""

    def level(x: int, y: int) -> int:
        column, row = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        return pixels[(row * width + column) * 4 + channel]

    return level


def by_loop(
    pixels: bytes, width: int, height: int, kernel: Callable[[Level, int, int], int]
) -> bytes:
    """Apply a kernel to red, green and blue, one pixel after the other."""
    result = bytearray(pixels)
    for channel, y, x in itertools.product(range(3), range(height), range(width)):
        level = level_at(pixels, width, height, channel)
        result[(y * width + x) * 4 + channel] = kernel(level, x, y)
    return bytes(result)


def clamp(value: int) -> int:
    return min(max(value, 0), 255)


# By hand


@pytest.mark.parametrize(
    ("before", "grey"),
    [
        ((255, 0, 0), 77),  # (77 * 255 + 128) // 256
        ((0, 255, 0), 149),  # (150 * 255 + 128) // 256
        ((0, 0, 255), 29),  # (29 * 255 + 128) // 256
        ((255, 255, 255), 255),
        ((10, 20, 30), 18),  # (770 + 3000 + 870 + 128) // 256
    ],
)
def test_grayscale(before: tuple[int, int, int], grey: int) -> None:
    assert filtered("grayscale", colour(*before)) == greys(grey)


def test_sepia_tints_grey_and_clamps() -> None:
    assert filtered("sepia", greys(100)) == colour(135, 120, 94)
    assert filtered("sepia", greys(255)) == colour(255, 255, 239)


def test_invert() -> None:
    assert filtered("invert", colour(0, 1, 254)) == colour(255, 254, 1)


def test_brightness_rounds_half_to_even_and_clamps() -> None:
    assert filtered("brightness", colour(2, 6, 10)) == colour(2, 8, 12)  # 2.5, 7.5, 12.5
    assert filtered("brightness", colour(100, 204, 255)) == colour(125, 255, 255)


def test_contrast_keeps_the_middle_and_clamps_both_ends() -> None:
    assert filtered("contrast", colour(128, 100, 132)) == colour(128, 90, 134)  # 89.5, 133.5
    assert filtered("contrast", colour(0, 255, 30)) == colour(0, 255, 0)


def test_posterize() -> None:
    assert filtered("posterize", colour(63, 64, 127)) == colour(0, 85, 85)
    assert filtered("posterize", colour(128, 191, 192)) == colour(170, 170, 255)


def test_equalize_spreads_levels_by_their_rank() -> None:
    assert filtered("equalize", greys(10, 20, 30, 40)) == greys(0, 85, 170, 255)
    assert filtered("equalize", greys(9, 9, 9, 200)) == greys(0, 0, 0, 255)


def test_equalize_clamps_colours_outside_the_range_of_brightness() -> None:
    # The brightnesses are 77 and 149, so that 0 lies below the darkest and 255 above the brightest.
    pixels = colour(255, 0, 0) + colour(0, 255, 0)
    assert filtered("equalize", pixels) == pixels


def test_equalize_leaves_a_picture_of_one_level_alone() -> None:
    assert filtered("equalize", greys(90, 90)) == greys(90, 90)


def test_mirror_moves_whole_pixels_within_their_rows() -> None:
    a, b, c, d, e, f = (bytes((n, n + 1, n + 2, n + 3)) for n in (1, 5, 9, 13, 17, 21))
    assert filtered("mirror", a + b + c + d + e + f, width=3) == c + b + a + f + e + d


def test_sharpen() -> None:
    before = greys(90, 90, 90, 90, 100, 90, 90, 90, 90)
    after = greys(90, 80, 90, 80, 140, 80, 90, 80, 90)
    assert filtered("sharpen", before, width=3) == after


def test_edges_show_a_step_in_brightness_either_way() -> None:
    assert filtered("edges", greys(50, 50, 60, 60)) == greys(0, 40, 40, 0)
    assert filtered("edges", greys(60, 60, 50, 50), width=1) == greys(0, 40, 40, 0)
    assert filtered("edges", greys(0, 200)) == greys(255, 255)


def test_blur_leaves_an_even_picture_alone() -> None:
    assert filtered("blur", greys(*[201] * 12), width=4) == greys(*[201] * 12)


# By a loop


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_sharpen_is_the_loop(width: int, height: int, extreme: bool) -> None:
    def kernel(level: Level, x: int, y: int) -> int:
        around = level(x - 1, y) + level(x + 1, y) + level(x, y - 1) + level(x, y + 1)
        return clamp(5 * level(x, y) - around)

    pixels = noise(width, height, extreme=extreme)
    assert filtered("sharpen", pixels, width) == by_loop(pixels, width, height, kernel)


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_edges_are_the_loop(width: int, height: int, extreme: bool) -> None:
    def kernel(level: Level, x: int, y: int) -> int:
        sides = [(-1, 1), (0, 2), (1, 1)]
        across = sum(weight * (level(x + 1, y + i) - level(x - 1, y + i)) for i, weight in sides)
        down = sum(weight * (level(x + i, y + 1) - level(x + i, y - 1)) for i, weight in sides)
        return clamp(abs(across) + abs(down))

    pixels = filtered("grayscale", noise(width, height, extreme=extreme), width)
    assert filtered("edges", pixels, width) == by_loop(pixels, width, height, kernel)


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_blur_is_the_loop_three_times(width: int, height: int, extreme: bool) -> None:
    weights = dict(zip(range(-2, 3), (1, 4, 6, 4, 1), strict=True))

    def kernel(level: Level, x: int, y: int) -> int:
        square = itertools.product(weights.items(), repeat=2)
        total = sum(a * b * level(x + right, y + down) for (right, a), (down, b) in square)
        return (total + 128) // 256

    pixels = noise(width, height, extreme=extreme)
    expected = pixels
    for _ in range(3):
        expected = by_loop(expected, width, height, kernel)
    assert filtered("blur", pixels, width) == expected


# All of them


@pytest.mark.parametrize("name", FILTERS)
def test_alpha_is_left_alone(name: str) -> None:
    pixels = noise(6, 4)
    alphas = [pixels[start + 3 : start + 24 : 4] for start in range(0, 96, 24)]
    if name == "mirror":
        alphas = [row[::-1] for row in alphas]
    assert filtered(name, pixels, width=6)[3::4] == b"".join(alphas)


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_says_what_it_does_in_a_line(name: str) -> None:
    assert summary(name)
    assert "\n" not in summary(name)
