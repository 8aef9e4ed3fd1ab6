"""The bench's sections of docs/performance.md, one per command, each between two markers.

Writes the page and pictures beside it. Guarantees: nothing outside the markers is touched; `ValueError` if a marker is
missing, before anything is written. Does not belong here: the rest of the page (people write it).
"""

from __future__ import annotations

import datetime
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

from bench.bars import Bar, draw
from bench.report import FIGURES, HEADINGS, Row, cells, figure

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


def markers(command: str) -> tuple[str, str]:
    """Between which `python -m bench COMMAND --write` writes."""
    name = f"bench {command}".strip()
    return f"<!-- {name}: `python -m {name} --write` writes from here -->", f"<!-- {name}: to here -->"


BEGIN, END = markers("")


def put(command: str, section: str, pictures: Mapping[str, str], page: Path = PAGE) -> None:
    """Replace what stands between the markers of a command; `pictures`: file name -> SVG, beside the page."""
    begin_mark, end_mark = markers(command)
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(begin_mark)
    _, end, after = rest.partition(end_mark)
    if not (begin and end):
        raise ValueError(f"{page} lacks the line {end_mark if begin else begin_mark}")
    for name, picture in pictures.items():
        (page.parent / name).write_text(picture, encoding="utf-8")
    page.write_text(f"{before}{begin}\n\n{section}\n{end}{after}", encoding="utf-8")


def lines_of_table(headings: Sequence[str], numbers: Container[int], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown; `numbers`: the columns that hold some."""
    return [
        f"| {' | '.join(headings)} |",
        f"|{'|'.join('--:' if n in numbers else '---' for n in range(len(headings)))}|",
        *(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows),
    ]


def today() -> str:
    return f"{datetime.date.today():%Y-%m-%d}"


def write(
    rows: Sequence[Row], skipped: Sequence[str], machine: str, rounds: int, page: Path = PAGE, date: str = ""
) -> None:
    """`machine` is one line; `date` is today's unless given."""
    pictures = {name: _draw(rows, name) for name in dict.fromkeys(x.workload for x in rows)}
    section = _section(rows, skipped, machine, rounds, date or today(), list(pictures))
    put("", section, {f"bench-{name}.svg": picture for name, picture in pictures.items()}, page)


def _section(
    rows: Sequence[Row], skipped: Sequence[str], machine: str, rounds: int, date: str, pictures: Sequence[str]
) -> str:
    orders = f"{rows[0].orders:,}" if rows else "0"
    lines = [
        f"Measured {date} on {machine}: {rounds} interleaved round(s) of {orders} orders, medians.{_busy(rows)}",
        "",
        *lines_of_table(HEADINGS, FIGURES, map(cells, rows)),
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


def _draw(rows: Sequence[Row], workload: str) -> str:
    here = [x for x in rows if x.workload == workload]
    cpu = [_bar(x, x.cpu_s_per_1000, 3) for x in here if x.cpu_s_per_1000 is not None]
    speed = [_bar(x, x.orders_s, 0) for x in here if x.orders_s is not None]
    panels = [
        ("CPU-s per 1,000 orders, without broker and clients", sorted(cpu, key=lambda bar: bar.value)),
        ("orders per second", sorted(speed, key=lambda bar: -bar.value)),
    ]
    return draw(f"placed to decided, {workload}", panels)


def _bar(x: Row, value: float, digits: int) -> Bar:
    label = x.peer if x.broker == "none" else f"{x.peer}, {x.broker}"
    return Bar(label, value, figure(value, digits), x.peer == "smokehouse")
