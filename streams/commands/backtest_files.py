"""What a backtest leaves beside its words: scores as CSV, plots, and a page of both.

Reads a report and what was forecast at the last origin; writes the files asked for. `OSError` says which could not be
written. Does not belong here: scores (`forecasting`), the terminal (`forecast_trying`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:  # what needs the extra `forecast` is imported once that is known to be there
    from forecasting.origins import Tally
    from forecasting.panel import Panel

PLOTS_PER_SEGMENT = 2
PLOTTED_PAST_DAYS = 84
SEGMENT_COLUMNS = ("series", "rmsse", "wape", "wape_28_day_mean", "wape_total", "bias", "spl", "c95", "c99")
PAGE_HEAD = """<!doctype html><meta charset="utf-8"><title>Backtest</title>
<style>body{font:15px system-ui;margin:2rem auto;max-width:1000px}img{display:block;max-width:100%;margin:1rem 0}
td,th{padding:.2rem .6rem;text-align:right}td:first-child,th:first-child{text-align:left}</style><h1>Backtest</h1>"""


def by_segment(report: dict[str, Any]) -> Iterator[tuple[str, list[float | None]]]:
    """All series, then each segment; without a figure where nothing came that errors could be measured by."""
    segments = {"all": report["smokehouse"] | {"series": report["series"]}} | report["segments"]
    for name, found in segments.items():
        yield name, [found.get(column) for column in SEGMENT_COLUMNS]


def cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")


def write_csv(report: dict[str, Any], file: Path) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(["segment", *SEGMENT_COLUMNS])
        rows.writerows(
            [name, *("" if value is None else value for value in values)] for name, values in by_segment(report)
        )


def write_plots(panel: Panel, tally: Tally, horizon: int, folder: Path) -> list[str]:
    """The best-selling series of each segment at the last origin: the names of the files."""
    import numpy as np

    from forecasting.plot import Curves, plot
    from forecasting.segments import SEGMENTS, segments_of

    folder.mkdir(parents=True, exist_ok=True)
    cut = max(tally.trained)
    past, rows = panel.until(cut), panel.begun(cut)
    shape = (len(past.ids), horizon)
    said = {name: np.asarray(tally.forecasts[-1][name]).reshape(shape) for name in ("mean", "q90", "q99")}
    kind, sold = segments_of(past), np.nansum(past.units[:, -PLOTTED_PAST_DAYS:], axis=1)
    shown = past.units[:, -PLOTTED_PAST_DAYS:]
    turn = (past.first_day + cut).item()
    files: list[str] = []
    for n, segment in enumerate(SEGMENTS):
        best = sorted(np.flatnonzero(kind == n).tolist(), key=lambda row: -sold[row])[:PLOTS_PER_SEGMENT]
        for row in best:
            curves = Curves(
                turn=turn, past=_known(shown[row]), came=_known(panel.units[rows[row], cut : cut + horizon]),
                mean=said["mean"][row].tolist(), narrow=said["q90"][row].tolist(), wide=said["q99"][row].tolist(),
            )  # fmt: skip
            name = re.sub(r"[^A-Za-z0-9._-]", "_", past.ids[row])[:60]
            files.append(f"{segment}-{name}.png")
            plot(f"{past.ids[row]} ({segment})", curves, folder / files[-1])
    return files


def write_page(report: dict[str, Any], plots: list[str], file: Path) -> None:
    """The scores per segment, and the plots under them."""
    head = "".join(f"<th>{escape(name)}" for name in ("segment", *SEGMENT_COLUMNS))
    rows = "".join(
        f"<tr><td>{escape(name)}" + "".join(f"<td>{cell(value)}" for value in values)
        for name, values in by_segment(report)
    )
    images = "".join(f'<img src="{escape(quote(name))}" alt="{escape(name)}">' for name in plots)
    file.write_text(f"{PAGE_HEAD}<table><tr>{head}{rows}</table>{images}", encoding="utf-8")


def _known(values: Any) -> list[float | None]:
    return [None if value != value else float(value) for value in values.tolist()]
