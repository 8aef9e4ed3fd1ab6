"""Bars as SVG text. Pure: no file, no library, readable on light and dark pages (it brings its own ground)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH = 760
LABEL, VALUE = 190, 70  # pixels beside a bar
ROW, GAP, HEAD = 20, 4, 30
COLOURS = {True: "#b5451c", False: "#8a97a6"}
STYLE = 'font-family="system-ui, sans-serif" font-size="12" fill="#1c2530"'


class Bar(NamedTuple):
    label: str
    value: float
    text: str  # the value as people read it
    ours: bool


def draw(title: str, panels: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """Panels below each other, each with a scale of its own.

    The scale is logarithmic, because peers differ by a thousand: the text beside a bar is its value.
    """
    parts: list[str] = []
    y = HEAD
    for name, bars in panels:
        parts.append(f'<text x="10" y="{y + 14}" font-weight="600">{escape(name)} (logarithmic)</text>')
        y += HEAD
        shortest, longest = _ends([bar.value for bar in bars])
        for bar in bars:
            share = (math.log10(bar.value) - shortest) / (longest - shortest) if bar.value > 0 else 0.0
            length = share * (WIDTH - LABEL - VALUE - 20)
            weight = ' font-weight="600"' if bar.ours else ""
            parts.append(f'<text x="{LABEL}" y="{y + 14}" text-anchor="end"{weight}>{escape(bar.label)}</text>')
            parts.append(f'<rect x="{LABEL + 8}" y="{y + 2}" width="{length:.1f}" height="{ROW - GAP}" '
                         f'fill="{COLOURS[bar.ours]}"/>')  # fmt: skip
            parts.append(f'<text x="{LABEL + 14 + length:.1f}" y="{y + 14}">{escape(bar.text)}</text>')
            y += ROW
        y += 10
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" {STYLE}>'
    ground = f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>'
    name = f'<text x="10" y="20" font-size="14" font-weight="600">{escape(title)}</text>'
    return "\n".join([head, f"<title>{escape(title)}</title>", ground, name, *parts, "</svg>", ""])


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Decades around the values: where a bar begins and ends."""
    there = [math.log10(value) for value in values if value > 0] or [0.0]
    low, high = math.floor(min(there)), math.ceil(max(there))
    return float(low), float(max(high, low + 1))
