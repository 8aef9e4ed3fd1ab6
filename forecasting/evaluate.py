"""Score the forecasting model on any file of `unique_id, ds, y`: rolling origins at the end of the data.

    python -m forecasting.evaluate FILE [--known-ahead FILE] [--season 7] [--origins 3] [--horizon 28]
                                   [--baselines] [--json] [--out FILE]

Reads the files named; prints one JSON object, and notes and progress on stderr; `--out` writes the forecasts.
Guarantees: at every origin model, blend and spread are made again from days before it (and from what is known ahead).
Does not belong here: the model, the metrics, the live forecaster.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before scikit-learn loads: figures are of one core

import numpy as np

from forecasting.intervals import PROBABILITIES
from forecasting.panel import DAYS_AHEAD, Floats, Panel, UnreadableFileError, read_panel
from forecasting.scores import averaged, by_segment, scores
from forecasting.simple import recent_mean

Said = Callable[[str], None]


@dataclass(slots=True)
class Tally:
    """What the origins have said so far."""

    ours: list[dict[str, float]] = field(default_factory=list)
    segments: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    others: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    stock_days: dict[str, float | None] = field(default_factory=dict)
    newcomers: dict[str, dict[str, float]] = field(default_factory=dict)
    columns: list[dict[str, Any]] = field(default_factory=list)  # of `--out`, one part per origin

    def report(self, series: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "smokehouse": averaged(self.ours),
            "baselines": {name: averaged(results) for name, results in self.others.items()},
            "segments": {name: averaged(results) for name, results in self.segments.items()},
            "series": series,
            "origins": len(self.ours),
            "model": sorted(set(self.models)),
        }
        extra = {"stock_days_at_fill_95": self.stock_days, "new_series_at_age": self.newcomers}
        return found | {name: value for name, value in extra.items() if value}


def evaluate(
    panel: Panel, *, season_days: int = 7, origins: int = 3, horizon_days: int = 28, with_baselines: bool = False,
    without: Sequence[str] = (), keep_forecasts: bool = False, seed: int = 0, say: Said = lambda text: None,
) -> Tally:  # fmt: skip
    """Score at `origins` cuts, the last one `horizon_days` before the end; too short is an `UnreadableFileError`."""
    if panel.days <= origins * horizon_days:
        raise UnreadableFileError(
            f"{panel.days} days of data are too few for {origins} origins of {horizon_days} days: "
            f"at least {origins * horizon_days + 1} are needed"
        )
    tally = Tally()
    for origin in range(origins):
        cut = panel.days - horizon_days * (origins - origin)
        _score_origin(tally, panel, cut, season_days, horizon_days, with_baselines, without, keep_forecasts, seed, say)
    return tally


def _score_origin(
    tally: Tally, panel: Panel, cut: int, season_days: int, horizon_days: int, with_baselines: bool,
    without: Sequence[str], keep_forecasts: bool, seed: int, say: Said,
) -> None:  # fmt: skip
    from forecasting.boosted import train

    past = panel.until(cut)
    came = panel.units[panel.begun(cut), cut : cut + horizon_days]
    when = str(panel.first_day + cut - 1)
    say(f"{when}: training")
    started = time.process_time()
    trained = train(past, season_days=season_days, seed=seed)
    trained_at = time.process_time()
    said = trained.forecast(past, horizon_days)
    done = time.process_time()
    thousands = max(len(past.ids), 1) / 1000
    tally.models.append(trained.model + (f": {trained.reason}" if trained.reason else ""))
    tally.ours.append(
        scores(past.units, came, said.mean, said.quantiles)
        | {
            "cpu_s_per_1000": (done - started) / thousands,
            "train_cpu_s_per_1000": (trained_at - started) / thousands,
            "update_cpu_s_per_1000": (done - trained_at) / thousands,
        }
    )
    plain = recent_mean(past.units)[:, None]
    for name, result in by_segment(said.segments, past.units, came, said.mean, said.quantiles, plain).items():
        tally.segments.setdefault(name, []).append(result)
    if keep_forecasts:
        tally.columns.append(_long(past, cut, said.mean, said.quantiles))
    if with_baselines:
        _score_baselines(tally, past, came, season_days, horizon_days, when, without, say)


def _score_baselines(
    tally: Tally, past: Panel, came: Floats, season_days: int, horizon_days: int, when: str,
    without: Sequence[str], say: Said,
) -> None:  # fmt: skip
    from forecasting.baselines import baselines
    from forecasting.boosted import spread_of_recent_mean

    spread, unsteady = spread_of_recent_mean(past)
    for name, forecast in baselines(past, horizon_days, season_days):
        if name in without:
            continue
        say(f"{when}: {name}")
        started = time.process_time()
        mean, own = forecast()
        cpu = {"cpu_s_per_1000": (time.process_time() - started) / max(len(past.ids), 1) * 1000}
        tally.others.setdefault(name, []).append(scores(past.units, came, mean, own) | cpu)
        ours = spread.quantiles(mean, np.repeat(unsteady[:, None], horizon_days, axis=1))
        tally.others.setdefault(f"{name} + NB", []).append(scores(past.units, came, mean, ours) | cpu)


def _long(past: Panel, cut: int, mean: Floats, quantiles: Floats) -> dict[str, Any]:
    count, days = mean.shape
    first = past.first_day + cut
    columns: dict[str, Any] = {
        "unique_id": np.repeat(np.array(past.ids, dtype=object), days),
        "cutoff": np.repeat(first - 1, count * days),
        "ds": np.tile(first + np.arange(days), count),
        "mean": mean.ravel(),
    }
    for n, p in enumerate(PROBABILITIES):
        columns[f"q{round(100 * p)}"] = quantiles[..., n].ravel()
    return columns


def write_forecasts(parts: Sequence[dict[str, Any]], file: Path) -> None:
    """Long format: unique_id, cutoff (last day known), ds, mean, q50, q90, q95, q99; parquet, or CSV by its suffix."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    table = pa.concat_tables([pa.table(part) for part in parts])
    write = pyarrow.csv.write_csv if file.suffix == ".csv" else pyarrow.parquet.write_table
    write(table, file)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr when the file cannot be used."""
    options = _parser().parse_args(arguments)
    if find_spec("scipy") is None:
        print('error: not installed: scipy. Install the extra: pip install "smokehouse[forecast]"', file=sys.stderr)
        return 2
    columns = [name for name in options.known_ahead_columns.split(",") if name]
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
        with_baselines = options.baselines and not _baselines_missing()
        tally = _with_progress(panel, options, with_baselines)
    except UnreadableFileError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.out is not None:
        write_forecasts(tally.columns, options.out)
    print(json.dumps(tally.report(len(panel.ids)), indent=None if options.json else 2))
    return 0


def _with_progress(panel: Panel, options: argparse.Namespace, with_baselines: bool) -> Tally:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    steps = options.origins * (1 + 7 * with_baselines + options.replay) + options.new
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
            with_baselines=with_baselines, without=options.without.split(","),
            keep_forecasts=options.out is not None, seed=options.seed, say=say,
        )  # fmt: skip
        if options.replay:
            from forecasting.inventory import inventory

            tally.stock_days = inventory(
                panel, origins=options.origins, horizon_days=options.horizon, season_days=options.season,
                seed=options.seed, say=say,
            )  # fmt: skip
        if options.new:
            from forecasting.newcomers import newcomers

            say("new series")
            tally.newcomers = newcomers(
                panel, judged_days=options.origins * options.horizon, season_days=options.season, seed=options.seed
            )
        progress.update(task, description="done", completed=steps)
    return tally


def _baselines_missing() -> bool:
    from forecasting.baselines import missing

    absent = missing()
    if absent:
        print(f"no baselines: not installed: {', '.join(absent)} (extra bench-forecast)", file=sys.stderr)
    return bool(absent)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


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
        "--skip-last", type=int, default=0, help="leave out the last days: for choosing, not for scoring"
    )
    parser.add_argument("--sample", type=_positive, help="score this many series, evenly spread over the ids")
    parser.add_argument("--baselines", action="store_true", help="also score public libraries (slow)")
    parser.add_argument("--replay", action="store_true", help="also play stock: days of it that a fill of .95 costs")
    parser.add_argument("--new", action="store_true", help="also score totals of new series at 7, 14 and 28 days")
    parser.add_argument("--without", default="", help="baselines to leave out, by comma (AutoETS takes longest)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one line instead of an indented object")
    parser.add_argument("--out", type=Path, help="write the forecasts (parquet, or CSV by its suffix)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
