"""The series of a live forecaster as a panel: its closed days, and the promotions known ahead. Also as a file.

Reads `ClosedDays` and plans; `write_panel` and `read_written` carry a panel to another process. Guarantees: a panel of
some series is made like one of all: same first day, same columns. Bounded by `SERIES_MAX` and `CELLS_MAX` where it is
sampled. Does not belong here: files of strangers (panel.py), what is done with a panel.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from forecasting.panel import DAYS_AHEAD, DAYS_MAX, Floats, Panel
from forecasting.promotions import COLUMN, Promotions
from forecasting.series import ClosedDays, SeriesKey

SERIES_MAX = 20_000
CELLS_MAX = 8_000_000  # series x days: about 1 GB while training
SEPARATOR = "|"  # of SKU and location in a series' id, as in the export


def panel_of(rows: Sequence[ClosedDays], promotions: Promotions, *, first_day: int, with_promotions: bool) -> Panel:
    """All rows end on the same day. `first_day` of the panel is moved up where the past is longer than `DAYS_MAX`."""
    last_day = rows[0].last_day
    first_day = max(first_day, last_day - DAYS_MAX + 1)
    units = np.full((len(rows), last_day - first_day + 1), np.nan, dtype=np.float32)
    for n, row in enumerate(rows):
        units[n, max(0, row.first_day - first_day) :] = 0
        at = np.asarray(row.days, dtype=np.int64) - first_day
        inside = at >= 0
        units[n, at[inside]] = np.asarray(row.units, dtype=np.float32)[inside]
        units[n, max(0, row.unknown_from - first_day) :] = np.nan
    known = {COLUMN: _promoted(rows, promotions, first_day, units.shape[1] + DAYS_AHEAD)} if with_promotions else {}
    ids = [f"{row.sku}{SEPARATOR}{row.location}" for row in rows]
    return Panel(ids, np.datetime64(date.fromordinal(first_day), "D"), units, known)


def sample_of(keys: Sequence[SeriesKey], days: int) -> Sequence[SeriesKey]:
    """Every n-th key, so that series x days stay within what a training may hold."""
    most = max(1, min(SERIES_MAX, CELLS_MAX // max(1, days)))
    return keys if len(keys) <= most else keys[:: -(-len(keys) // most)]


def write_panel(panel: Panel, file: Path) -> None:
    """As plain arrays, without pickles."""
    known = {f"known_{name}": values for name, values in panel.known_ahead.items()}
    np.savez(file, ids=np.array(panel.ids, dtype=str), first_day=panel.first_day, units=panel.units, **known)


def read_written(file: Path) -> Panel:
    """What `write_panel` wrote."""
    with np.load(file, allow_pickle=False) as found:
        known = {name.removeprefix("known_"): found[name] for name in found.files if name.startswith("known_")}
        return Panel(found["ids"].tolist(), found["first_day"][()], found["units"], known)


def _promoted(rows: Sequence[ClosedDays], promotions: Promotions, first_day: int, width: int) -> Floats:
    """(series, days and more): the depth of each day, 0 without a promotion."""
    depths = np.zeros((len(rows), width), dtype=np.float32)
    for n, row in enumerate(rows):
        for first, last, depth in promotions.of(row.sku, row.location):
            depths[n, max(0, first - first_day) : max(0, last - first_day + 1)] = depth
    return depths
