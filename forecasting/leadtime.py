"""How many units the demand over lead time and review stays under: the quantile of the sum, never a sum of quantiles.

Reads a panel and what was trained on it; writes nothing. A level is the mean of two: the negative binomial round the
expected total, and trees fitted to the quantile itself; then moved by what the last five weeks, which those trees have
not seen, would have needed (per volume class). Guarantees: levels never cross; of levels that went through `rising` a
longer duration never has a lower one than a shorter. Does not belong here: stock, orders, which probability to choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecasting.boosted import Trained, honest_means, unsteady_at
from forecasting.columns import aligned, useful, weights
from forecasting.features import Past, rows_of, scale_at
from forecasting.intervals import MEAN_BOUNDS, Spread, pooled_spread
from forecasting.panel import Floats, Ints, Panel
from forecasting.segments import segments_of

PROBABILITIES = (0.8, 0.9, 0.95, 0.99)
ROWS_MAX = 24_000
ROWS_PER_SERIES = 24
ROWS_MIN = 2_000
WINDOW_DAYS = 168
JUDGED_DAYS = 35
OFFSET_PRIOR_ROWS = 200.0
ROUNDS = 80
TREES = {"learning_rate": 0.08, "max_leaf_nodes": 15, "min_samples_leaf": 60, "max_bins": 127,
         "early_stopping": False}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Duration:
    """What was learnt for one number of days. Without `trees` the level is the negative binomial's."""

    days: int
    spread: Spread
    trees: Sequence[Any]
    columns: Sequence[str]
    offsets: Floats  # (volume classes, probabilities), in scales

    def levels(self, panel: Panel, trained: Trained) -> Floats:
        """(series, probabilities) in units, from the day after the panel's last."""
        past = trained.past(panel)
        series = np.arange(len(panel.ids))
        origin = np.full(len(series), panel.days - 1)
        total = trained.means(panel, past, segments_of(panel), self.days).sum(axis=1)
        return self.at(past, series, origin, total)

    def at(self, past: Past, series: Ints, origin: Ints, total: Floats) -> Floats:
        """(rows, probabilities) in units."""
        level = self.spread.quantiles(total, unsteady_at(past, series, origin))
        scale = scale_at(past, series, origin)
        if self.trees:
            features = aligned(*_features(past, series, origin, total, self.days), self.columns)
            said = np.stack([model.predict(features) for model in self.trees], axis=1)
            level = (level + np.maximum(said, 0.0) * scale[:, None]) / 2
        level = level + self.offsets[_volume(total, self.days)] * scale[:, None]
        return np.maximum.accumulate(np.maximum(level, 0.0), axis=1)


def train_duration(panel: Panel, trained: Trained, days: int, *, seed: int = 0, rounds: int = ROUNDS) -> Duration:
    """Learn the quantiles of the sum over the next `days` days. About 8 s of CPU for `ROWS_MAX` rows."""
    past = trained.past(panel)
    chance = np.random.default_rng(seed)
    series, origin = rows_with_sums(past, chance, days, min(ROWS_MAX, ROWS_PER_SERIES * len(panel.ids)))
    none = np.zeros((len(MEAN_BOUNDS) + 1, len(PROBABILITIES)))
    came = past.sums[series, origin + 1 + days] - past.sums[series, origin + 1]
    total = honest_means(trained, panel, past, series, origin, days)
    scale = scale_at(past, series, origin)
    spread = pooled_spread(total, came, unsteady_at(past, series, origin), 1 / scale, PROBABILITIES)
    if len(series) < ROWS_MIN or not trained.trees:
        return Duration(days, spread, (), (), none)
    from sklearn.ensemble import HistGradientBoostingRegressor

    features, columns = useful(*_features(past, series, origin, total, days))
    judged = origin > past.days - 1 - days - JUDGED_DAYS
    trees = [
        HistGradientBoostingRegressor(loss="quantile", quantile=p, max_iter=rounds, random_state=seed, **TREES).fit(
            features[~judged], (came / scale)[~judged], sample_weight=weights(scale[~judged])
        )
        for p in PROBABILITIES
    ]
    unmoved = Duration(days, spread, trees, columns, none)
    level = unmoved.at(past, series[judged], origin[judged], total[judged])
    missed = (came[judged, None] - level) / scale[judged, None]
    return Duration(days, spread, trees, columns, _offsets(missed, _volume(total[judged], days)))


def rising(levels: dict[int, Floats]) -> dict[int, Floats]:
    """Levels by days, none below that of fewer days."""
    found: dict[int, Floats] = {}
    highest: Floats | None = None
    for days in sorted(levels):
        highest = levels[days] if highest is None else np.maximum(highest, levels[days])
        found[days] = highest
    return found


def rows_with_sums(past: Past, chance: np.random.Generator, days: int, count: int) -> tuple[Ints, Ints]:
    """Series and origin of rows whose whole sum is known."""
    last = past.days - 1 - days
    if last < 1:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    series = chance.integers(0, len(past.units), 3 * count)
    origin = chance.integers(max(0, last - WINDOW_DAYS), last + 1, 3 * count)
    known = past.known[series, origin + 1 + days] - past.known[series, origin + 1]
    picked = np.flatnonzero((origin >= past.starts[series]) & (known == days))[:count]
    return series[picked], origin[picked]


def _features(past: Past, series: Ints, origin: Ints, total: Floats, days: int) -> tuple[Floats, list[str]]:
    """Features of the middle day, and the expected total against the scale."""
    features, names = rows_of(past, series, origin, np.full(len(series), (days + 1) // 2))
    expected = (total / scale_at(past, series, origin)).astype(np.float32)
    return np.column_stack([features, expected]), [*names, "expected"]


def _volume(total: Floats, days: int) -> Ints:
    return np.searchsorted(MEAN_BOUNDS, total / days)


def _offsets(missed: Floats, volume: Ints) -> Floats:
    """Per volume class what must be added so that the share of rows under the level is its probability."""
    found = np.zeros((len(MEAN_BOUNDS) + 1, len(PROBABILITIES)))
    for n in range(len(found)):
        mine = missed[volume == n]
        if len(mine):
            asked = np.array([np.quantile(mine[:, k], p) for k, p in enumerate(PROBABILITIES)])
            found[n] = asked * len(mine) / (len(mine) + OFFSET_PRIOR_ROWS)
    return found
