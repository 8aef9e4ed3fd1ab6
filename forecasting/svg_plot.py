"""A series as SVG text: what came, what was expected, and the bands up to .90 and .99. Pure: no file, no library.

Readable on light and dark pages (it brings its own ground). Does not belong here: where the figures come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 46, 28
STYLE = 'font-family="system-ui, sans-serif" font-size="12" fill="#1c2530"'
CAME, EXPECTED, NARROW, WIDE = "#1c2530", "#b5451c", "#f0b79f", "#f9e0d5"


@dataclass(frozen=True, slots=True)
class Curves:
    """`past` are the days before the first one asked about; `came` what came after it, as far as it is known."""

    past: Sequence[float | None]
    mean: Sequence[float]
    narrow: Sequence[float]  # the .90 quantile
    wide: Sequence[float]  # the .99 quantile
    came: Sequence[float | None] = ()


def plot(title: str, curves: Curves, *, first: str, turn: str, last: str) -> str:
    """One panel. `first`, `turn` and `last`: the dates of the first day, of the first one asked about, of the last."""
    units = [value for value in (*curves.past, *curves.came) if value is not None]
    top = max([1.0, *units, *curves.wide, *curves.mean])
    days = len(curves.past) + len(curves.mean)

    def x(day: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * day / max(1, days - 1)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top

    def line(start: int, values: Sequence[float | None]) -> str:
        """Broken where a day is unknown."""
        parts, pen = [], "M"
        for ahead, value in enumerate(values):
            if value is None:
                pen = "M"
                continue
            parts.append(f"{pen}{x(start + ahead):.1f} {y(value):.1f}")
            pen = "L"
        return " ".join(parts)

    def band(values: Sequence[float], colour: str) -> str:
        start = len(curves.past)
        corners = [f"{x(start + ahead):.1f},{y(value):.1f}" for ahead, value in enumerate(values)]
        ground = [f"{x(start + len(values) - 1):.1f},{y(0):.1f}", f"{x(start):.1f},{y(0):.1f}"]
        return f'<polygon points="{" ".join(corners + ground)}" fill="{colour}"/>'

    start = len(curves.past)
    # The day before ties what came to the past.
    came = [*curves.past[-1:], *curves.came]
    truth = (
        f'<path d="{line(start - len(curves.past[-1:]), came)}" fill="none" stroke="{CAME}"/>' if curves.came else ""
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" {STYLE}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="10" y="20" font-size="14" font-weight="600">{escape(title)}</text>',
        f'<text x="10" y="38">units a day: <tspan fill="{CAME}">came</tspan>, '
        f'<tspan fill="{EXPECTED}">expected</tspan>, bands up to the 90 % and 99 % quantiles</text>',
        band(curves.wide, WIDE),
        band(curves.narrow, NARROW),
        f'<path d="{line(0, curves.past)}" fill="none" stroke="{CAME}"/>',
        truth,
        f'<path d="{line(start, curves.mean)}" fill="none" stroke="{EXPECTED}" stroke-width="2"/>',
        f'<line x1="{LEFT}" y1="{y(0):.1f}" x2="{WIDTH - RIGHT}" y2="{y(0):.1f}" stroke="#8a97a6"/>',
        *(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.0f}</text>' for value in (0, top)),
        f'<text x="{LEFT}" y="{HEIGHT - 8}">{escape(first)}</text>',
        f'<text x="{x(start):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(turn)}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(last)}</text>',
        "</svg>",
        "",
    ]
    return "\n".join(part for part in parts if part or part == "")
