"""`smokehouse forecast backtest` and `forecast train`: how good forecasts would have been, and a training by hand.

Reads a file, or `demand` and `stock-levels` up to their ends as of now; writes the plots and the CSV asked for, and
(train) the folder of models. Exit codes: 1 the training failed, 2 unusable arguments or data, 3 a topic cannot be read.
Does not belong here: the models, their scores (`forecasting`).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from forecasting.learning import TRAINING_SECONDS, Training, missing_packages, sampled_panel, too_little
from forecasting.policy import Terms
from forecasting.runs import Forecaster
from streams.commands.backtest_files import SEGMENT_COLUMNS, by_segment, cell, write_csv, write_page, write_plots
from streams.commands.forecasting import partitions_of_text
from streams.commands.options import DAY_SECONDS, between
from streams.commands.output import fail, put_json, put_table, say, talk
from streams.commands.planned import plans
from streams.commands.published import read_partition
from streams.commands.session import EXIT_ARGUMENTS, connected, reading
from streams.reader import partitions_of
from streams.settings import Settings
from streams.topics import DEMAND, STOCK_LEVELS
from tables.codec import Unreadable
from tables.records import Demand, StockLevels

if TYPE_CHECKING:  # what needs the extra `forecast` is imported once that is known to be there
    from forecasting.origins import Tally
    from forecasting.panel import Panel

POLL_SECONDS = 0.2
OURS, LIVE = "boosted model", "simple live method"
METHOD_COLUMNS = ("rmsse", "wape", "wape_total", "bias", "spl", "c95", "c99", "cpu_s_per_1000")
_flag = Parameter(negative="")


def backtest(
    *,
    data: Path | None = None,
    from_log: Annotated[bool, _flag] = False,
    known_ahead: Path | None = None,
    id_column: str = "unique_id",
    origins: Annotated[int, between(1)] = 3,
    horizon: Annotated[int, between(1)] = 28,
    sample: Annotated[int, between(1)] | None = None,
    baselines: Annotated[bool, _flag] = False,
    replay: bool = True,
    plots: Path | None = None,
    csv_file: Annotated[Path | None, Parameter(name="--csv")] = None,
    json: Annotated[bool, _flag] = False,
) -> None:
    """Say how good forecasts would have been at rolling origins: all days before each are learnt from, none after.

    Parameters
    ----------
    data
        A file of unique_id, ds, y (parquet or CSV). Without it demand is read from the log.
    from_log
        Read demand from the log (the default without --data).
    known_ahead
        With --data, a second file: unique_id (or not), ds, columns of numbers known ahead, such as promotions.
    id_column
        What --data calls unique_id.
    origins
        How many, the last one a horizon before the end of the data.
    horizon
        Days asked for at each.
    sample
        Score this many series only, evenly spread over the ids.
    baselines
        Also score public libraries (extra bench-forecast; slow).
    replay
        Also play stock: days of it that a fill of 95 % would have cost.
    plots
        A folder for PNG plots (past, bounds and what came, of the best-selling series of each segment) and a page of
        them, index.html.
    csv_file
        Scores of all series and per segment, as CSV.
    json
        Everything as JSON on stdout.
    """
    _expect_packages()
    if data is not None and from_log:
        fail("--data and --from-log: give one of them", EXIT_ARGUMENTS)
    if data is None and known_ahead is not None:
        fail("--known-ahead: of a file; the log has its own plans. Give --data too", EXIT_ARGUMENTS)
    from forecasting.panel import UnreadableFileError, read_panel

    try:
        if data is None:
            panel = _panel_from_log(connected(), None)
        else:
            panel = read_panel(data, known_ahead_file=known_ahead, id_column=id_column)
        panel = panel.sampled(sample)
        for note in panel.notes:
            say(f"note: {note}")
        tally, others = _scored(panel, origins, horizon, with_baselines=baselines, with_replay=replay)
    except UnreadableFileError as error:
        fail(str(error), EXIT_ARGUMENTS)
    report = tally.report(len(panel.ids))
    report["baselines"] = others | report["baselines"]
    if json:
        put_json(report)
    else:
        _show(report)
    try:
        if csv_file is not None:
            write_csv(report, csv_file)
        if plots is not None:
            drawn = write_plots(panel, tally, horizon, plots)
            write_page(report, drawn, plots / "index.html")
            say(f"{len(drawn)} plots in {plots}; open {plots / 'index.html'} in a browser")
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", EXIT_ARGUMENTS)


def train(
    *,
    partitions: str = "",
    seconds: Annotated[float, between(1, DAY_SECONDS)] = TRAINING_SECONDS,
    json: Annotated[bool, _flag] = False,
) -> None:
    """Train a model on all closed days of the log, now. A running forecaster takes it up when its next day closes.

    The model is kept, and becomes champion, only if it wins the backtest.

    Parameters
    ----------
    partitions
        Train on the SKUs of these partitions only: for example 0,1.
    seconds
        How long it may take.
    json
        Its card as JSON on stdout.
    """
    _expect_packages()
    try:
        chosen = partitions_of_text(partitions)
    except ValueError as error:
        fail(str(error), EXIT_ARGUMENTS)
    settings = connected()
    forecaster = _forecaster_from_log(settings, chosen)
    vain, found = too_little(forecaster), sampled_panel(forecaster, lambda: None)
    if vain or found is None:
        fail(f"{vain or 'no series has a closed day'} to train on", EXIT_ARGUMENTS)
    from forecasting.model_files import cards, open_folder

    folder = open_folder(settings.home, settings.prefix)
    panel, owned = found
    say(f"training on {len(panel.ids)} of {owned} series, {panel.days} days")
    training = Training(panel, folder, owned=owned, seconds_max=seconds, say=say)
    try:
        while not training.is_over():
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        training.stop()
        raise
    if training.code != 0:
        sys.exit(1)
    card = max(cards(folder), key=lambda card: (folder / f"{card.name}.json").stat().st_mtime)
    if json:
        put_json(msgspec.to_builtins(card))


# -- data --------------------------------------------------------------------------------------------------------------


def _expect_packages() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before scikit-learn loads: figures are of one core
    if missing := missing_packages():
        fail(
            f'not installed: {", ".join(missing)}. Install the extra: .venv/bin/pip install -e ".[forecast]"',
            EXIT_ARGUMENTS,
        )


def _forecaster_from_log(settings: Settings, partitions: list[int] | None) -> Forecaster:
    """What a forecaster of these partitions would know now; what it could not read is left out."""
    forecaster = Forecaster(Terms())
    with reading():
        for plan in plans(settings).values():
            _take(forecaster, plan)
        for topic, kind in ((DEMAND, Demand), (STOCK_LEVELS, StockLevels)):
            for partition in sorted(partitions_of(settings, topic.name)):
                if partitions is not None and partition not in partitions:
                    continue
                for found in read_partition(settings, topic, kind, partition):
                    if found.record is not None:
                        _take(forecaster, found.record)
    return forecaster


def _take(forecaster: Forecaster, record: Any) -> None:
    try:
        forecaster.take(record)
    except Unreadable as unreadable:
        say(f"left out: {unreadable}")


def _panel_from_log(settings: Settings, partitions: list[int] | None) -> Panel:
    forecaster = _forecaster_from_log(settings, partitions)
    found = sampled_panel(forecaster, lambda: None)
    if found is None:
        fail("there is no closed day of demand in the log yet", EXIT_ARGUMENTS)
    panel, owned = found
    if len(panel.ids) < owned:
        say(f"note: a sample of {len(panel.ids)} of {owned} series")
    return panel


# -- scores ------------------------------------------------------------------------------------------------------------


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
    shown = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*shown, console=talk, transient=True, disable=not talk.is_terminal) as progress:
        task = progress.add_task("reading", total=steps)

        def step(text: str) -> None:
            progress.update(task, description=text, advance=1)

        yield step


def _scored(
    panel: Panel, origins: int, horizon: int, *, with_baselines: bool, with_replay: bool
) -> tuple[Tally, dict[str, Any]]:  # fmt: skip
    """The tally of the boosted model, and the simple live method's scores at the same origins."""
    from forecasting import backtest as live
    from forecasting.baselines import BASELINES, missing
    from forecasting.inventory import inventory, too_short
    from forecasting.origins import evaluate

    absent = missing() if with_baselines else []
    if absent:
        say(f"no baselines: not installed: {', '.join(absent)} (extra bench-forecast)")
    rivals = BASELINES if with_baselines and not absent else ()
    with _progress(origins * (1 + len(rivals) + with_replay) + 1) as step:
        tally = evaluate(panel, origins=origins, horizon_days=horizon, rivals=rivals, say=step)
        step(LIVE)
        others = {LIVE: live.backtest(panel, origins=origins, horizon_days=horizon)}
        if with_replay and (vain := too_short(panel, tally.trained)):
            say(f"note: stock is not played: {vain}")
        elif with_replay:
            tally.stock = inventory(panel, tally.trained, horizon_days=horizon, say=step)
    return tally, others


def _show(report: dict[str, Any]) -> None:
    rows = [[name, *map(cell, values)] for name, values in by_segment(report)]
    put_table(f"{', '.join(report['model'])}: {report['origins']} origins", ["segment", *SEGMENT_COLUMNS], rows)
    methods = {OURS: report["smokehouse"]} | report["baselines"]
    rows = [[name, *(cell(found.get(column)) for column in METHOD_COLUMNS)] for name, found in methods.items()]
    put_table("beside others, all series", ["method", *METHOD_COLUMNS], rows)
    if "stock_days_at_fill_95" in report:
        rows = [[name, cell(days)] for name, days in report["stock_days_at_fill_95"].items()]
        put_table("stock played", ["method", "days of demand on hand that a fill of 95 % costs"], rows)
        learnt = [
            [level, f"{100 * x['fill']:.1f} %", cell(x["stock_days"])]
            for level, x in report["levels_as_learnt"].items()
        ]
        put_table("ordered up to the learnt quantile", ["quantile", "fill", "days of demand on hand"], learnt)
