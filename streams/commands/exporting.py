"""`smokehouse export`: decisions, stock levels or forecasts as a file for analysts.

Reads one published topic up to its end as of now; writes one file, or stdout. Exit codes: 2 unusable arguments or
place to write, 3 the topic cannot be read; either way no file is left that is not whole.
Does not belong here: what the rows say (`export_rows`), how files are written (`export_files`).
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from streams.commands.export_files import STDOUT, CannotWrite, Format, write_rows
from streams.commands.export_rows import Export, Row, export_named
from streams.commands.output import fail, put_json, say, some, talk
from streams.commands.published import read_partition
from streams.commands.session import CANNOT_READ, EXIT_ARGUMENTS, connected
from streams.reader import ReadError, bounds
from streams.settings import Settings

_flag = Parameter(negative="")
TERMINATED = 143  # as a shell tells SIGTERM


def export(
    what: Literal["decisions", "levels", "forecasts"],
    /,
    *,
    form: Annotated[Format, Parameter(name="--format")],
    out: Annotated[str, Parameter(allow_leading_hyphen=True)],
    all_runs: Annotated[bool, _flag] = False,
    json: Annotated[bool, _flag] = False,
) -> None:
    """Write decisions, stock levels or forecasts to a file; a row each, the same in all formats.

    decisions: order_id, channel, status (confirmed, rejected, expired; cancelled: the units given back), reason, lines
    (sku, quantity; in CSV as JSON text), time (when the order happened, by its channel), decided_at (ours), and topic,
    partition, offset: where the decision stands, in reservations.

    levels: sku, location, on_hand, available, reserved, allocated, safety_stock, unavailable, version
    (LOG_ID.OFFSET.INDEX of the record that changed it last). on_hand is the sum of the other five.

    forecasts: unique_id (SKU|LOCATION), ds (the day), mean, q50, q90, q95, q99, model, run, sku, location, status; a
    row per day.

    Parameters
    ----------
    what
        Which of the three.
    form
        jsonl: a JSON object a line. csv: with a header. parquet: into a file only.
    out
        The file; replaced only when the new one is whole. - is stdout.
    all_runs
        Every run of the forecasts, not only the newest of each SKU and location.
    json
        Rows, out and format as JSON on stdout.
    """
    if out == STDOUT and (form == "parquet" or json):
        fail("parquet is no text: give --out FILE" if form == "parquet" else "--json needs stdout for itself: "
             "give --out FILE", EXIT_ARGUMENTS)  # fmt: skip
    if all_runs and what != "forecasts":
        fail(f"--all-runs: {what} have no runs, only forecasts have", EXIT_ARGUMENTS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # else what is half written would stay there
    chosen = export_named(what, all_runs=all_runs)
    settings = connected()
    try:
        count = write_rows(out, form, chosen.columns, _rows(settings, chosen))
    except ReadError as error:
        fail(str(error), CANNOT_READ)
    except CannotWrite as error:
        fail(str(error), EXIT_ARGUMENTS)
    say(f"{some(count, 'row')} of {what} in {'stdout' if out == STDOUT else out}")
    if json:
        put_json({"rows": count, "out": out, "format": form})


def _rows(settings: Settings, chosen: Export) -> Iterator[Row]:
    there = bounds(settings, chosen.topic.name)
    with Progress(
        TextColumn(f"reading {chosen.topic.name}"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn(),
        TimeElapsedColumn(), console=talk, transient=True, disable=not talk.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=sum(high - low for low, high in there.values()))
        for partition in there:
            found = read_partition(
                settings, chosen.topic, chosen.kind, partition, on_read=lambda n: bar.advance(task, n)
            )
            yield from chosen.rows(found)
