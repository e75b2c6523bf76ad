"""PNG and JPEG files to raw RGBA bytes and back, by Pillow.

    python -m pyodide_demo.picture_files decode PICTURE PIXELS     prints width and height
    python -m pyodide_demo.picture_files encode PIXELS WIDTH HEIGHT PICTURE

It is a program of its own because Pillow is in the private environment, not where the command runs.
A file that cannot be read or written is explained on standard error, with exit code 2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

MOST_PIXELS = 25_000_000


class BadPictureError(Exception):
    """A picture file that cannot be used; the text says why."""


def decode(picture: Path) -> tuple[bytes, int, int]:
    """The RGBA bytes of a PNG or JPEG file, with its width and height.

    Turned as a camera's orientation note says. Raises BadPictureError.
    """
    Image.MAX_IMAGE_PIXELS = None  # the check below is stricter, and an error rather than a warning
    try:
        with Image.open(picture, formats=("PNG", "JPEG")) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise BadPictureError(
                    f"{picture} is too large: {width} × {height} is {width * height:,} pixels, "
                    f"and at most {MOST_PIXELS:,} are taken.\nScale it down first."
                )
            image.load()
            upright = ImageOps.exif_transpose(image)
            return _rgba(upright).tobytes(), *upright.size
    except UnidentifiedImageError as error:
        raise BadPictureError(f"{picture} is not a PNG or JPEG that can be read.") from error
    except (OSError, SyntaxError, ValueError) as error:
        # What Pillow raises for damaged files; a PNG's broken chunk is a SyntaxError.
        raise BadPictureError(f"{picture} is damaged or cut short: {error}.") from error


def encode(pixels: bytes, width: int, height: int, picture: Path) -> None:
    """Write RGBA bytes as a PNG file. Raises BadPictureError."""
    try:
        Image.frombytes("RGBA", (width, height), pixels).save(picture, format="PNG")
    except OSError as error:
        raise BadPictureError(
            f"{picture} could not be written: {error.strerror or error}."
        ) from error


def _rgba(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clamp rather than scale
        image = image.convert("I").point(lambda level: level / 256).convert("L")
    elif image.mode == "CMYK":
        image = image.convert("RGB")  # there is no direct way to RGBA
    return image.convert("RGBA")


def main(arguments: Sequence[str]) -> int:
    """Run as a program; see the head of this file."""
    try:
        if arguments[0] == "decode":
            pixels, width, height = decode(Path(arguments[1]))
            Path(arguments[2]).write_bytes(pixels)
            print(width, height)
        else:
            _, source, width_text, height_text, picture = arguments
            encode(Path(source).read_bytes(), int(width_text), int(height_text), Path(picture))
    except BadPictureError as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
