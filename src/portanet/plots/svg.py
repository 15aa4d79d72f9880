"""Drawings as SVG, with no other library."""

from __future__ import annotations

import html
import os
from dataclasses import dataclass

from portanet.errors import ArgumentError, shown

CHARACTER = 6.7
"""The width of a character of the font, in pixels."""

LINE = "#667788"
"""The colour of lines and arrows."""

_STYLE = (
    "text{font:11px ui-monospace,Menlo,Consolas,monospace;fill:#1b2733}"
    ".note{fill:#6b7a88;font-size:10px}"
)
_ARROW = (
    '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    f'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{LINE}"/></marker>'
)


@dataclass(frozen=True)
class Svg:
    """A drawing, which a notebook shows.

    Attributes
    ----------
    text : str
        The SVG document.
    """

    text: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Svg({len(self.text)} characters)"

    def _repr_svg_(self) -> str:
        return self.text

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the drawing to a file, whose name mostly ends with ``.svg``."""
        if not isinstance(path, str | os.PathLike):
            raise ArgumentError(f"save: path names a file: got {shown(path)}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.text)


def document(width: float, height: float, parts: list[str]) -> Svg:
    """Return a drawing of some parts."""
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return Svg(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{_STYLE}</style>'
        f'<defs>{_ARROW}</defs><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}</svg>"
    )


def text_width(*texts: str) -> float:
    """Return how wide the longest of some lines is."""
    return CHARACTER * max(map(len, texts), default=0)


def text(x: float, y: float, line: str, *, note: bool = False, middle: bool = True) -> str:
    """Return a line of text around or right of a place."""
    kind = ' class="note"' if note else ""
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}{anchor}>{html.escape(line)}</text>'


def box(x: float, y: float, width: float, height: float, fill: str, *, dashed: bool = False) -> str:
    """Return a rectangle with round corners."""
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" '
        f'fill="{fill}" stroke="{LINE}"{dash}/>'
    )


def arrow(*points: tuple[float, float]) -> str:
    """Return a line through some places that ends with a tip."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{LINE}" marker-end="url(#arrow)"/>'


def moved(x: float, y: float, parts: list[str]) -> str:
    """Return parts moved to another place."""
    return f'<g transform="translate({x:.1f},{y:.1f})">{"".join(parts)}</g>'
