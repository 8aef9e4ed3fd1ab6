"""The bench's section of docs/performance.md: a table and a picture per workload, between two markers.

Writes the page and `docs/bench-WORKLOAD.svg`. Guarantees: nothing outside the markers is touched; `ValueError` if a
marker is missing, before anything is written. Does not belong here: the rest of the page (people write it).
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from bench.bars import Bar, draw
from bench.report import FIGURES, HEADINGS, Row, cells, figure

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN = "<!-- bench: `python -m bench --write` writes from here -->"
END = "<!-- bench: to here -->"


def write(
    rows: Sequence[Row], skipped: Sequence[str], machine: str, rounds: int, page: Path = PAGE, date: str = ""
) -> None:
    """`machine` is one line; `date` is today's unless given."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} lacks the line {END if begin else BEGIN}")
    pictures = _draw(rows, page.parent)
    section = _section(rows, skipped, machine, rounds, date or f"{datetime.date.today():%Y-%m-%d}", pictures)
    page.write_text(f"{before}{BEGIN}\n\n{section}\n{END}{after}", encoding="utf-8")


def _section(
    rows: Sequence[Row], skipped: Sequence[str], machine: str, rounds: int, date: str, pictures: Sequence[str]
) -> str:
    orders = f"{rows[0].orders:,}" if rows else "0"
    lines = [
        f"Measured {date} on {machine}: {rounds} interleaved round(s) of {orders} orders, medians.{_busy(rows)}",
        "",
        f"| {' | '.join(HEADINGS)} |",
        f"|{'|'.join('--:' if n in FIGURES else '---' for n in range(len(HEADINGS)))}|",
        *(f"| {' | '.join(cell.replace('|', '/') for cell in cells(x))} |" for x in rows),
        "",
        *(f"Skipped: {line}" for line in skipped),
        *([""] if skipped else []),
        *(f"![CPU and orders a second of each peer, {name}](bench-{name}.svg)" for name in pictures),
    ]
    return "\n".join(lines) + "\n"


def _busy(rows: Sequence[Row]) -> str:
    """How busy the machine was: who reads the figures must know."""
    all_rounds = [x for one in rows for x in one.rounds]
    if not all_rounds:
        return ""
    loads = [x.load_1m for x in all_rounds]
    return (
        f" Its load average was {min(loads):.1f} to {max(loads):.1f}; other processes used "
        f"{min(x.others_cores for x in all_rounds):.1f} to {max(x.others_cores for x in all_rounds):.1f} cores."
    )


def _draw(rows: Sequence[Row], folder: Path) -> list[str]:
    """A picture per workload; their names."""
    names = list(dict.fromkeys(x.workload for x in rows))
    for name in names:
        here = [x for x in rows if x.workload == name]
        cpu = [_bar(x, x.cpu_s_per_1000, 3) for x in here if x.cpu_s_per_1000 is not None]
        speed = [_bar(x, x.orders_s, 0) for x in here if x.orders_s is not None]
        panels = [
            ("CPU-s per 1,000 orders, without broker and clients", sorted(cpu, key=lambda bar: bar.value)),
            ("orders per second", sorted(speed, key=lambda bar: -bar.value)),
        ]
        (folder / f"bench-{name}.svg").write_text(draw(f"placed to decided, {name}", panels), encoding="utf-8")
    return names


def _bar(x: Row, value: float, digits: int) -> Bar:
    label = x.peer if x.broker == "none" else f"{x.peer}, {x.broker}"
    return Bar(label, value, figure(value, digits), x.peer == "smokehouse")
