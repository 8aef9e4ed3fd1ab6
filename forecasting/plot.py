"""A series as a picture: what came, what was expected, and the bands up to .90 and .99.

Writes one file, PNG or SVG by its name. Needs matplotlib (extra `forecast`). Does not belong here: where the figures
come from, the terminal (`terminal_plot`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

INCHES, DOTS_PER_INCH = (9.0, 3.2), 110
CAME, EXPECTED, NARROW, WIDE = "#1c2530", "#b5451c", "#f0b79f", "#f9e0d5"


@dataclass(frozen=True, slots=True)
class Curves:
    """`past` are the days before the first one asked about, `turn`; `came` what came from it on, as far as it is known.
    Unknown days are `None`."""

    turn: date
    past: Sequence[float | None]
    mean: Sequence[float]
    narrow: Sequence[float]  # the .90 quantile
    wide: Sequence[float]  # the .99 quantile
    came: Sequence[float | None] = ()


def plot(title: str, curves: Curves, file: Path) -> None:
    """Draw it into `file`. `OSError` or `ValueError` (a suffix that nobody can draw) says why not."""
    figure = Figure(INCHES, DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    ahead = _days(curves.turn, len(curves.mean))
    axes.fill_between(ahead, 0, curves.wide, color=WIDE, label="up to the 99 % quantile")
    axes.fill_between(ahead, 0, curves.narrow, color=NARROW, label="up to the 90 % quantile")
    behind = _days(curves.turn - timedelta(days=len(curves.past)), len(curves.past) + len(curves.came))
    units = [float("nan") if value is None else value for value in (*curves.past, *curves.came)]
    axes.plot(behind, units, color=CAME, linewidth=1, label="asked for")
    axes.plot(ahead, curves.mean, color=EXPECTED, linewidth=2, label="expected")
    axes.axvline(curves.turn, color=CAME, linewidth=0.5, linestyle=":")
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_ylabel("units a day")
    axes.set_ylim(0, 1.2 * axes.get_ylim()[1])  # the legend has a place of its own
    dates = AutoDateLocator()
    axes.xaxis.set_major_locator(dates)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(dates))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", fontsize=8, frameon=False, ncols=4)
    figure.savefig(file)


def _days(first: date, count: int) -> list[date]:
    return [first + timedelta(days=ahead) for ahead in range(count)]
