"""HTML for notebooks: everything escaped, nothing fetched, readable on light and on dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["Printout", "page", "preformatted", "table"]

# Colours come from the notebook (`inherit`) or have both light and dark behind them (half-clear
# greys), for no style sheet can tell here which of the two it is.
_LINE = "1px solid rgba(128,128,128,.4)"
_CELL = (
    f"text-align:left;vertical-align:top;padding:1px 10px 1px 0;border-bottom:{_LINE};color:inherit"
)
_MONOSPACE = "font-family:monospace;font-size:12px;line-height:1.35;white-space:pre-wrap"


class Printout(str):
    """Text that shows itself as it is: printed, at the prompt, and in a notebook."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return page("", preformatted(self))


def page(title: str, *parts: str) -> str:
    """Parts, which are HTML, under a title, which is text."""
    head = f'<div style="font-weight:bold;margin:2px 0 4px">{escape(title)}</div>' if title else ""
    return f'<div style="color:inherit;text-align:left">{head}{"".join(parts)}</div>'


def escape(text: object) -> str:
    """Any text as HTML that shows it."""
    from html import escape  # which imports as much as the rest of this library

    return escape(str(text))


def preformatted(text: str) -> str:
    """Lines of text in columns."""
    style = _MONOSPACE.replace("pre-wrap", "pre")
    return (
        f'<pre style="{style};background:transparent;color:inherit;margin:4px 0;overflow-x:auto">'
        f"{escape(text)}</pre>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of text; `head` may be empty."""
    lines = []
    if head:
        cells = "".join(
            f'<th style="{_CELL};font-weight:bold">{escape(name)}</th>' for name in head
        )
        lines.append(f"<tr>{cells}</tr>")
    for row in rows:
        cells = "".join(f'<td style="{_CELL};{_MONOSPACE}">{escape(cell)}</td>' for cell in row)
        lines.append(f'<tr style="background:transparent">{cells}</tr>')
    return (
        '<table style="border-collapse:collapse;margin:4px 0;background:transparent;color:inherit">'
        f"{''.join(lines)}</table>"
    )
