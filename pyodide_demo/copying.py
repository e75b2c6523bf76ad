"""The way that copies, which the page sets beside the one that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyodide_demo.picture import Picture


def copy_to_js(picture: Picture) -> Any:
    """The pixels as a new JavaScript array, a copy, as Pyodide makes it of any Python buffer."""
    from pyodide.ffi import to_js

    return to_js(picture.pixels.view)
