"""One model for all series: gradient-boosted trees (Poisson) on direct features, blended with simple smoothing.

`train` reads a panel and returns a `Trained`; `Trained.forecast` reads a panel (the same or a later one) and returns
means and quantiles. Nothing is written. Guarantees: the same panel and seed give the same forecast; training rows are
bounded by `ROWS_MAX` whatever the number of series; a panel too small to train on, or a failed training, falls back to
simple levels and says so in `Trained.model`.
Two models are trained, each on half of the series, and averaged: what one says about the other's half is honest
evidence, from which the blend (per segment) and the spread are chosen.
Does not belong here: reading files, scoring, stock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forecasting.columns import aligned, useful, weights
from forecasting.features import Past, rows_of, scale_at, summed, usual_level, window
from forecasting.intervals import Spread, pooled_spread, unsteadiness
from forecasting.panel import Floats, Ints, Panel
from forecasting.segments import DEAD, NEW, SEGMENTS, segments_of
from forecasting.simple import PRIOR_DAYS, simple_levels

MODEL = "boosted-nb-1"
SIMPLE_MODEL = "simple-nb-1"
ROWS_MAX = 120_000
ROWS_PER_SERIES = 120
ROWS_MIN = 4_000  # under it a leaf of 100 rows is a twentieth of everything
YOUNG_SHARE = 0.15  # of the rows are taken from a series' first weeks, or new series would hardly be seen
YOUNG_DAYS = 35
WINDOW_DAYS = 140  # what rows ask about: older days tell of another assortment
LAST_YEAR_REACH_DAYS = 42
TARGET_MAX_SCALES = 10.0  # one great order is no pattern: above, a day counts as this many times the scale
HORIZON_DAYS = 28
PREDICT_ROWS = 200_000
ROUNDS = 140  # trees per model
TREES = {
    "learning_rate": 0.06, "max_leaf_nodes": 15, "min_samples_leaf": 100, "max_bins": 127,
    "early_stopping": False,
}  # fmt: skip
# Bounds of what a segment's means are lifted by, for what that cut loses: beyond them it is drift, not the cut.
LIFT_MIN, LIFT_MAX = 0.9, 1.5
# Share of the trees in the blend with the fast or slow smoothed level; the first wins a tie.
BLENDS = (
    ("fast", 1.0),
    ("fast", 0.75),
    ("slow", 0.75),
    ("fast", 0.5),
    ("slow", 0.5),
    ("recent", 0.5),
    ("recent", 0.75),
)

# What has not sold for a quarter is expected to stay so; a little is left, so that its quantiles are not all 0.
DEAD_BLEND = ("recent", 0.1)


@dataclass(frozen=True, slots=True)
class Forecasts:
    """`mean` is (series, days) units a day from the day after the panel's last; `quantiles` (series, days, 4)."""

    ids: Sequence[str]
    segments: Ints
    mean: Floats
    quantiles: Floats


@dataclass(frozen=True, slots=True)
class Trained:
    """What all series together taught. `trees` is empty when the panel was too small or the training failed."""

    model: str
    usual_units: float
    season_days: int
    spread: Spread
    trees: Sequence[Any] = ()  # the first was fitted to the series with half 0, the second to those with half 1
    halves: Mapping[str, int] = field(default_factory=dict)
    columns: Sequence[str] = ()
    lifts: Sequence[float] = (1.0,) * len(SEGMENTS)  # per segment: what cutting the greatest orders had lost
    blends: Sequence[tuple[str, float]] = field(default_factory=lambda: [BLENDS[0]] * len(SEGMENTS))
    reason: str = ""
    plan_bounds: Mapping[str, float] = field(default_factory=dict)  # columns known ahead, and above what they are on

    def past(self, panel: Panel) -> Past:
        """The panel prepared with the season, the usual level and the columns known ahead of the training."""
        return summed(
            panel, season_days=self.season_days, usual_units=self.usual_units, plan_bounds=self.plan_bounds
        )  # fmt: skip

    def forecast(self, panel: Panel, days: int = HORIZON_DAYS) -> Forecasts:
        past, kind = self.past(panel), segments_of(panel)
        mean = self.means(panel, past, kind, days)
        unsteady = np.repeat(unsteady_now(past)[:, None], days, axis=1)
        return Forecasts(panel.ids, kind, mean, self.spread.quantiles(mean, unsteady))

    def means(self, panel: Panel, past: Past, kind: Ints, days: int) -> Floats:
        """(series, days) units a day; `past` and `kind` are of this panel."""
        if not self.trees:
            return np.repeat(simple_levels(panel)[:, None], days, axis=1)
        count = len(panel.ids)
        series = np.repeat(np.arange(count), days)
        ahead = np.tile(np.arange(1, days + 1), count)
        origin = np.full(len(series), panel.days - 1)
        trees = np.concatenate([
            self.tree_means(past, series[part], origin[part], ahead[part])
            for start in range(0, len(series), PREDICT_ROWS)
            for part in [slice(start, start + PREDICT_ROWS)]
        ])  # fmt: skip
        trees *= np.asarray(self.lifts)[kind[series]]
        return blended(trees, levels_at(past, series, origin), kind[series], self.blends).reshape(count, days)

    def tree_means(self, past: Past, series: Ints, origin: Ints, ahead: Ints) -> Floats:
        """The average of both models, in units."""
        features = aligned(*rows_of(past, series, origin, ahead), self.columns)
        scale = scale_at(past, series, origin)
        return np.mean([model.predict(features) for model in self.trees], axis=0) * scale


def train(
    panel: Panel, *, season_days: int = 7, seed: int = 0, rows_max: int = ROWS_MAX, rounds: int = ROUNDS
) -> Trained:
    """Train on everything the panel knows. About 10 s of CPU for `ROWS_MAX` rows."""
    usual = usual_level(panel)
    past = summed(panel, season_days=season_days, usual_units=usual)
    chance = np.random.default_rng(seed)
    series, origin, ahead = training_rows(past, chance, min(rows_max, ROWS_PER_SERIES * len(panel.ids)))
    if len(series) < ROWS_MIN:
        return _simple(panel, past, season_days, f"{len(series)} rows to train on, {ROWS_MIN} are needed")
    try:
        from sklearn.ensemble import HistGradientBoostingRegressor
    except ImportError:
        return _simple(panel, past, season_days, "scikit-learn is not installed")
    features, columns = useful(*rows_of(past, series, origin, ahead))
    scale = scale_at(past, series, origin)
    came = past.units[series, origin + ahead].astype(np.float64)
    target = np.minimum(came / scale, TARGET_MAX_SCALES)
    half = chance.permutation(len(panel.ids)) % 2
    trees: list[Any] = []
    honest = np.zeros(len(series))
    for mine in (0, 1):
        rows = half[series] == mine
        model = HistGradientBoostingRegressor(loss="poisson", max_iter=rounds, random_state=seed, **TREES)
        try:
            model.fit(features[rows], target[rows], sample_weight=weights(scale[rows]))
        except ValueError as error:  # a target of zeros alone, or numbers the trees cannot bin
            return _simple(panel, past, season_days, f"training failed: {error}")
        trees.append(model)
        honest[~rows] = model.predict(features[~rows]) * scale[~rows]
    halves = dict(zip(panel.ids, half.tolist(), strict=True))
    kind = segments_of(panel)[series]
    steps = naive_scale(panel.units)[series]
    levels = levels_at(past, series, origin)
    lifts = _lifts(honest, came, kind)
    honest *= np.asarray(lifts)[kind]
    blends = _chosen_blends(honest, levels, kind, np.minimum(came, TARGET_MAX_SCALES * scale), steps)
    mean = blended(honest, levels, kind, blends)
    spread = pooled_spread(mean, came, unsteady_at(past, series, origin), 1 / steps)
    bounds = {name: plan.usual for name, plan in past.plans.items()}
    return Trained(
        MODEL, usual, season_days, spread, trees, halves, columns, lifts, blends, plan_bounds=bounds
    )  # fmt: skip


def honest_means(trained: Trained, panel: Panel, past: Past, series: Ints, origin: Ints, days: int) -> Floats:
    """Expected totals of the next `days` days per row, by the model that was not fitted to the row's series."""
    total = np.zeros(len(series))
    kind = segments_of(panel)[series]
    levels = levels_at(past, series, origin)
    if not trained.trees:
        return days * levels["recent"]
    half = np.array([trained.halves.get(name, 0) for name in panel.ids])[series]
    scale = scale_at(past, series, origin)
    for ahead in range(1, days + 1):
        features = aligned(*rows_of(past, series, origin, np.full(len(series), ahead)), trained.columns)
        said = np.empty(len(series))
        for mine in (0, 1):
            rows = half == mine
            if rows.any():
                said[rows] = trained.trees[1 - mine].predict(features[rows]) * scale[rows]
        total += blended(said * np.asarray(trained.lifts)[kind], levels, kind, trained.blends)
    return total


def training_rows(past: Past, chance: np.random.Generator, count: int) -> tuple[Ints, Ints, Ints]:
    """Series, origin and days ahead of rows whose day asked about is known; most from the newest days."""
    last = past.days - 1
    young = int(count * YOUNG_SHARE)
    tries = 3 * count
    series = chance.integers(0, len(past.units), tries)
    ahead = chance.integers(1, HORIZON_DAYS + 1, tries)
    target = chance.integers(max(1, last + 1 - WINDOW_DAYS), last + 1, tries) if last else np.zeros(tries, dtype=int)
    if last > 364 + LAST_YEAR_REACH_DAYS:  # a third from the same season of last year
        then = chance.integers(last - 364 - LAST_YEAR_REACH_DAYS, last - 364 + LAST_YEAR_REACH_DAYS, tries)
        target = np.where(chance.random(tries) < 1 / 3, then, target)
    origin = target - ahead
    origin[:young] = past.starts[series[:young]] + chance.integers(0, YOUNG_DAYS, young)
    target = origin + ahead
    good = (origin >= past.starts[series]) & (origin >= 0) & (target <= last)
    good[good] = past.known[series[good], target[good] + 1] > past.known[series[good], target[good]]
    picked = np.flatnonzero(good)[:count]
    return series[picked], origin[picked], ahead[picked]


def levels_at(past: Past, series: Ints, origin: Ints) -> dict[str, Floats]:
    """Simple levels at the origin; for series of under 28 days, shrunk to the usual level."""
    known = window(past.known, series, origin, 28)
    age = origin - past.starts[series] + 1
    recent = window(past.sums, series, origin, 28)
    shrunk = (recent + past.usual_units * PRIOR_DAYS) / (known + PRIOR_DAYS)
    young = age <= 28
    plain = recent / np.maximum(known, 1)
    return {
        "fast": np.where(young, shrunk, past.fast[series, origin]),
        "slow": np.where(young, shrunk, past.slow[series, origin]),
        "recent": np.where(young, shrunk, plain),
    }


def blended(trees: Floats, levels: dict[str, Floats], kind: Ints, blends: Sequence[tuple[str, float]]) -> Floats:
    share = np.array([share for _, share in blends])[kind]
    place = np.array([list(levels).index(name) for name, _ in blends])
    other = np.choose(place[kind], list(levels.values()))
    return share * trees + (1 - share) * other


def naive_scale(units: Floats) -> Floats:
    """Mean absolute step from day to day, per series: what a loss is divided by; never 0."""
    steps = np.abs(np.diff(units, axis=1))
    known = ~np.isnan(steps)
    mean = np.where(known, steps, 0.0).sum(axis=1, dtype=np.float64) / np.maximum(known.sum(axis=1), 1)
    floor = mean[mean > 0].min() if (mean > 0).any() else 1.0
    return np.where(mean > 0, mean, floor)


def _lifts(honest: Floats, came: Floats, kind: Ints) -> list[float]:
    """Part of what came beyond what was expected, per segment, because the greatest orders were cut before training."""
    found = []
    for segment in range(len(SEGMENTS)):
        rows = kind == segment
        ratio = float(came[rows].sum() / max(honest[rows].sum(), 1e-9)) if rows.sum() >= 500 else 1.0
        found.append(min(max(ratio, LIFT_MIN), LIFT_MAX))
    return found


def _chosen_blends(
    honest: Floats, levels: dict[str, Floats], kind: Ints, came: Floats, steps: Floats
) -> list[tuple[str, float]]:
    """Per segment the blend with the least squared error in steps; one of few rows takes everybody's.

    But for new series: everybody's rows are of old ones, so few of their own, or the trees alone, say more.
    """
    found: list[tuple[str, float]] = []
    losses = {blend: ((came - blend[1] * honest - (1 - blend[1]) * levels[blend[0]]) / steps) ** 2 for blend in BLENDS}
    for segment in range(len(SEGMENTS)):
        if segment == DEAD:
            found.append(DEAD_BLEND)
            continue
        rows = kind == segment
        if rows.sum() < 500:
            rows = np.ones(len(kind), dtype=bool) if segment != NEW else rows
        found.append(min(BLENDS, key=lambda blend: losses[blend][rows].mean() if rows.any() else 0.0))
    return found


def unsteady_at(past: Past, series: Ints, origin: Ints) -> Ints:
    """The class of how unsteady the 112 days up to each row's origin were."""
    known = np.maximum(window(past.known, series, origin, 112), 1)
    mean = window(past.sums, series, origin, 112) / known
    variance = np.maximum(window(past.squares, series, origin, 112) / known - mean**2, 0)
    return unsteadiness(mean, variance)


def unsteady_now(past: Past) -> Ints:
    series = np.arange(len(past.units))
    return unsteady_at(past, series, np.full(len(series), past.days - 1))


def spread_of_recent_mean(panel: Panel, past: Past | None = None) -> tuple[Spread, Ints]:
    """The spread round each series' own 28-day mean, from every day after one, and each series' unsteadiness now."""
    past = past if past is not None else summed(panel)
    series, origin = np.nonzero(~np.isnan(panel.units[:, 1:]))  # the origin is the day before the known one
    keep = origin >= past.starts[series]
    step = max(1, int(keep.sum()) // ROWS_MAX)
    series, origin = series[keep][::step], origin[keep][::step]
    mean = levels_at(past, series, origin)["recent"]
    came = past.units[series, origin + 1].astype(np.float64)
    spread = pooled_spread(mean, came, unsteady_at(past, series, origin), 1 / naive_scale(panel.units)[series])
    return spread, unsteady_now(past)


def _simple(panel: Panel, past: Past, season_days: int, reason: str) -> Trained:
    spread, _ = spread_of_recent_mean(panel, past)
    return Trained(SIMPLE_MODEL, past.usual_units, season_days, spread, reason=reason)
