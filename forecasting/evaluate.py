"""Score the forecasting model on any file of `unique_id, ds, y`: rolling origins at the end of the data.

    python -m forecasting.evaluate FILE [--known-ahead FILE] [--season 7] [--origins 3] [--horizon 28]
                                   [--baselines] [--json] [--out FILE]

Reads the files named; prints one JSON object, and notes and progress on stderr; `--out` writes the forecasts.
Does not belong here: the model, the origins and what is scored at them (origins.py), the live forecaster.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what needs the extra `forecast` is imported once that is known to be there
    from forecasting.origins import Tally
    from forecasting.panel import Panel


def write_forecasts(parts: Sequence[dict[str, Any]], file: Path) -> None:
    """Long format: unique_id, cutoff (last day known), ds, mean, q50, q90, q95, q99; parquet, or CSV by its suffix."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    table = pa.concat_tables([pa.table(part) for part in parts])
    write = pyarrow.csv.write_csv if file.suffix == ".csv" else pyarrow.parquet.write_table
    write(table, file)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr when the file cannot be used or the forecasts not be written."""
    options = _parser().parse_args(arguments)
    absent = [name for name in ("numpy", "scipy") if find_spec(name) is None]
    if absent:
        print(
            f'error: not installed: {", ".join(absent)}. Install the extra: .venv/bin/pip install -e ".[forecast]"',
            file=sys.stderr,
        )
        return 2
    from forecasting.panel import DAYS_AHEAD, UnreadableFileError, read_panel

    columns = [name.strip() for name in options.known_ahead_columns.split(",") if name.strip()]
    try:
        panel = read_panel(
            options.file, known_ahead_file=options.known_ahead, known_ahead_columns=columns, id_column=options.id_column
        ).sampled(options.sample)
        if options.skip_last:
            panel = panel.until(max(1, panel.days - options.skip_last))
        if options.horizon > DAYS_AHEAD and panel.known_ahead:
            raise UnreadableFileError(f"what is known ahead is kept for {DAYS_AHEAD} days: --horizon is longer")
        for note in panel.notes:
            print(f"note: {note}", file=sys.stderr)
        rivals = _rivals(options.without.split(",")) if options.baselines else []
        tally = _with_progress(panel, options, rivals)
    except UnreadableFileError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(tally.report(len(panel.ids)), indent=None if options.json else 2))
    if options.out is not None:
        try:
            write_forecasts(tally.forecasts, options.out)
        except OSError as error:  # the scores took long, and are told
            print(f"error: {error}", file=sys.stderr)
            return 2
    return 0


def _with_progress(panel: Panel, options: argparse.Namespace, rivals: Sequence[str]) -> Tally:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from forecasting.inventory import inventory, too_short
    from forecasting.newcomers import newcomers
    from forecasting.origins import evaluate

    steps = options.origins * (1 + len(rivals) + options.replay) + options.new
    shown = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*shown, console=Console(stderr=True)) as progress:
        task = progress.add_task("reading", total=steps)
        done = -1

        def say(text: str) -> None:
            nonlocal done
            done += 1
            progress.update(task, description=text, completed=done)

        tally = evaluate(
            panel, season_days=options.season, origins=options.origins, horizon_days=options.horizon,
            rivals=rivals, seed=options.seed, say=say,
        )  # fmt: skip
        if options.replay and (vain := too_short(panel, tally.trained)):
            print(f"note: stock is not played: {vain}", file=sys.stderr)
        elif options.replay:
            tally.stock = inventory(panel, tally.trained, horizon_days=options.horizon, seed=options.seed, say=say)
        if options.new:
            say("new series")
            tally.newcomers = newcomers(panel, tally.trained)
        progress.update(task, description="done", completed=steps)
    return tally


def _rivals(without: Sequence[str]) -> list[str]:
    """Names of the baselines to score; none, and said so, where their packages are not installed."""
    from forecasting.baselines import BASELINES, missing

    absent = missing()
    if absent:
        print(f"no baselines: not installed: {', '.join(absent)} (extra bench-forecast)", file=sys.stderr)
        return []
    return [name for name in BASELINES if name not in without]


def _whole(text: str, least: int = 0) -> int:
    """A whole number; others are refused in words."""
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number, at least {least}")
    return int(text)


def _positive(text: str) -> int:
    return _whole(text, 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m forecasting.evaluate", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("file", type=Path, help="parquet or CSV with unique_id, ds, y")
    parser.add_argument("--known-ahead", type=Path, help="second file: unique_id (or not), ds, any columns of numbers")
    parser.add_argument("--known-ahead-columns", default="", help="columns of FILE that are known ahead, by comma")
    parser.add_argument("--id-column", default="unique_id")
    parser.add_argument("--season", type=_positive, default=7, help="days of the season")
    parser.add_argument("--origins", type=_positive, default=3)
    parser.add_argument("--horizon", type=_positive, default=28, help="days")
    parser.add_argument(
        "--skip-last", type=_whole, default=0, help="leave out the last days: for choosing, not for scoring"
    )
    parser.add_argument("--sample", type=_positive, help="score this many series, evenly spread over the ids")
    parser.add_argument("--baselines", action="store_true", help="also score public libraries (slow)")
    parser.add_argument("--replay", action="store_true", help="also play stock: days of it that a fill of .95 costs")
    parser.add_argument("--new", action="store_true", help="also score totals of new series at 7, 14 and 28 days")
    parser.add_argument("--without", default="", help="baselines to leave out, by comma (AutoETS takes longest)")
    parser.add_argument("--seed", type=_whole, default=0)
    parser.add_argument("--json", action="store_true", help="one line instead of an indented object")
    parser.add_argument("--out", type=Path, help="write the forecasts (parquet, or CSV by its suffix)")
    return parser


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before scikit-learn loads: figures are of one core
    sys.exit(main())
