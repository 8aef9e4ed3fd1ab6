"""Lines as SVG text: a grid of small panels, a row per thing that grows, a column per figure. Pure, as `bars`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from bench.bars import COLOURS, HEAD, STYLE, WIDTH

HEIGHT = 120  # of a panel
INSET_X, INSET_TOP, INSET_BOTTOM = 24, 34, 26


class Point(NamedTuple):
    x: float  # above 0
    y: float
    text: str  # both as people read them: of y beside the point,
    name: str  # of x below it


def draw(title: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Sequence[Point]]]]) -> str:
    """`rows`: a name, and per column the points of one line, by x. x is logarithmic; y begins at 0 in every panel, and
    panels of one column share its end, so that lines below each other can be compared."""
    width = (WIDTH - 10) / len(columns)
    ends = [
        max((point.y for _, panels in rows for point in panels[number]), default=0.0) for number in range(len(columns))
    ]
    parts = [
        f'<text x="{10 + width * number:.0f}" y="{HEAD + 14}" font-weight="600">{escape(name)}</text>'
        for number, name in enumerate(columns)
    ]
    y = HEAD + 20
    for name, panels in rows:
        parts.append(f'<text x="10" y="{y + 16}">{escape(name)}</text>')
        for number, points in enumerate(panels):
            parts += _panel(points, 10 + width * number, y, width - 20, ends[number])
        y += HEIGHT
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" {STYLE}>'
    ground = f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>'
    shown = f'<text x="10" y="20" font-size="14" font-weight="600">{escape(title)}</text>'
    return "\n".join([head, f"<title>{escape(title)}</title>", ground, shown, *parts, "</svg>", ""])


def _panel(points: Sequence[Point], left: float, top: float, width: float, end: float) -> list[str]:
    """The axis, the line, and each point with its texts."""
    base = top + HEIGHT - INSET_BOTTOM
    right = left + width
    axis = f'<line x1="{left:.0f}" y1="{base:.0f}" x2="{right:.0f}" y2="{base:.0f}" stroke="{COLOURS[False]}"/>'
    if not points:
        return [axis]
    low, high = math.log10(points[0].x), math.log10(points[-1].x)
    space = width - 2 * INSET_X
    places = [
        (
            left + INSET_X + (space * (math.log10(point.x) - low) / (high - low) if high > low else 0.0),
            base - (HEIGHT - INSET_TOP - INSET_BOTTOM) * (point.y / end if end > 0 else 0.0),
        )
        for point in points
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [axis, f'<polyline points="{path}" fill="none" stroke="{COLOURS[True]}" stroke-width="2"/>']
    for point, (x, y) in zip(points, places, strict=True):
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLOURS[True]}"/>',
            f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle" font-size="11">{escape(point.text)}</text>',
            f'<text x="{x:.1f}" y="{base + 14:.0f}" text-anchor="middle" font-size="11">{escape(point.name)}</text>',
        ]
    return parts
