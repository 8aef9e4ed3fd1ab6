"""A series as text: what was asked for, what is expected, and the band up to a bound. Pure: lines in, nothing out.

One character column a day. Does not belong here: where the figures come from, SVG (svg_plot.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

HEIGHT = 12
CAME, EXPECTED, BAND, UNKNOWN = "█", "●", "░", "?"


def drawn(
    came: Sequence[float | None], mean: Sequence[float], bound: Sequence[float], *, first: str, last: str
) -> list[str]:
    """Lines of a plot: the past as bars (`None`: unknown), then the mean as dots under the band up to `bound`.

    `first` and `last` are the dates at the ends. The top line is the greatest number there is, rounded up.
    """
    known = [value for value in came if value is not None]
    top = max([1.0, *known, *bound, *mean])
    label = max(len(f"{top:.0f}"), 3)
    lines = []
    for row in range(HEIGHT, 0, -1):
        low = top * (row - 1) / HEIGHT
        past = "".join(_bar(value, low, row) for value in came)
        ahead = "".join(_ahead(m, b, low, top / HEIGHT) for m, b in zip(mean, bound, strict=True))
        name = f"{top * row / HEIGHT:.0f}" if row in (HEIGHT, ceil(HEIGHT / 2)) else ""
        lines.append(f"{name:>{label}} ┤{past}│{ahead}")
    lines.append(f"{0:>{label}} ┼{'─' * len(came)}┴{'─' * len(mean)}")
    width = len(came) + 1 + len(mean)
    lines.append(" " * (label + 2) + first + last.rjust(max(len(last) + 1, width - len(first))))
    return lines


def _bar(value: float | None, low: float, row: int) -> str:
    if value is None:
        return UNKNOWN if row == 1 else " "
    return CAME if value > low else " "


def _ahead(mean: float, bound: float, low: float, step: float) -> str:
    if low <= mean < low + step or (mean <= 0 and low == 0):
        return EXPECTED
    return BAND if bound > low else " "
