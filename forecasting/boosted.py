"""One model for all series: boosted trees and bent lines (Poisson) on direct features, blended with simple smoothing.

`train` reads a panel and returns a `Trained`; `Trained.forecast` reads a panel (the same or a later one) and returns
means and quantiles. Nothing is written. Guarantees: the same panel and seed give the same forecast; training rows are
bounded by `ROWS_MAX` whatever the number of series; a panel too small to train on, or a failed training, falls back to
simple levels and says so in `Trained.model`.
Two models are trained, each on half of the series, and averaged: what one says about the other's half is honest
evidence, from which the blend (per segment) and the spread are chosen.
Does not belong here: reading files, scoring, stock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forecasting.blending import (
    BLENDS,
    blended,
    chosen_blends,
    chosen_lifts,
    levels_at,
    naive_scale,
)
from forecasting.bounds import Bounds, Evidence, train_bounds
from forecasting.columns import aligned, useful, weights
from forecasting.features import Past, rows_of, scale_at, summed, usual_level, window
from forecasting.intervals import Spread, pooled_spread, unsteadiness
from forecasting.means import fit_mean
from forecasting.panel import Floats, Ints, Panel
from forecasting.rows import HORIZON_DAYS, training_rows
from forecasting.segments import DEAD, SEGMENTS, segments_of
from forecasting.simple import season_factors, simple_levels

MODEL = "boosted-nb-4"
SIMPLE_MODEL = "simple-nb-1"
ROWS_MAX = 120_000
ROWS_PER_SERIES = 120
ROWS_MIN = 4_000  # under it a leaf of 100 rows is a twentieth of everything
# One great order is no pattern: above, a day counts as this many times the scale. Where what lies above the lower cut
# is a small part of all units it is promotions rather than single orders, and the higher cut is taken.
TARGET_MAX_SCALES, PEAKS_MAX_SCALES = 10.0, 20.0
PEAKS_SHARE_MAX = 0.05
PREDICT_ROWS = 200_000
WIDENED = 1.1  # the spread is learnt on the very days that the means were: days to come stray further from them
ROUNDS = 140  # trees per model


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
    bounds: Bounds | None = None

    def past(self, panel: Panel) -> Past:
        """The panel prepared with the season, the usual level and the columns known ahead of the training."""
        return summed(
            panel, season_days=self.season_days, usual_units=self.usual_units, plan_bounds=self.plan_bounds
        )  # fmt: skip

    def forecast(self, panel: Panel, days: int = HORIZON_DAYS) -> Forecasts:
        past, kind = self.past(panel), segments_of(panel)
        mean, quantiles = self.daily(panel, past, kind, days)
        # What has not sold for a quarter is expected to stay so; only its bounds keep what the trees hold possible.
        return Forecasts(panel.ids, kind, np.where((kind == DEAD)[:, None], 0.0, mean), quantiles)

    def daily(self, panel: Panel, past: Past, kind: Ints, days: int) -> tuple[Floats, Floats]:
        """Means (series, days) and quantiles (series, days, probabilities); `past` and `kind` are of this panel. Means
        of dead series are what the trees hold possible: sums of many days are computed from them."""
        unsteady = unsteady_now(past)
        if not self.trees:
            mean = self.means(panel, past, kind, days)
            return mean, self.spread.quantiles(mean, np.repeat(unsteady[:, None], days, axis=1))
        means, levels = [], []
        for series, origin, ahead in _rows_ahead(panel, days):
            row_mean, features, scale = self._row_means(past, kind, series, origin, ahead)
            level = self.spread.quantiles(row_mean, unsteady[series])
            means.append(row_mean)
            levels.append(level if self.bounds is None else self.bounds.mixed(level, features, row_mean, scale))
        shape = len(panel.ids), days
        return np.concatenate(means).reshape(shape), np.concatenate(levels).reshape(*shape, -1)

    def means(self, panel: Panel, past: Past, kind: Ints, days: int) -> Floats:
        """(series, days) units a day; `past` and `kind` are of this panel."""
        if not self.trees:
            factors = season_factors(panel.units, self.season_days)
            return simple_levels(panel, self.season_days)[:, None] * factors[:, np.arange(days) % self.season_days]
        parts = [self._row_means(past, kind, *part)[0] for part in _rows_ahead(panel, days)]
        return np.concatenate(parts).reshape(len(panel.ids), days)

    def _row_means(
        self, past: Past, kind: Ints, series: Ints, origin: Ints, ahead: Ints
    ) -> tuple[Floats, Floats, Floats]:
        """Per row its mean in units, the trees' features and the scale; the average of both models."""
        # Every model would make this copy for itself.
        features = aligned(*rows_of(past, series, origin, ahead), self.columns).astype(np.float64)
        scale = scale_at(past, series, origin)
        trees = np.mean([model.predict(features) for model in self.trees], axis=0) * scale
        return self.mixed(trees, past, kind[series], series, origin), features, scale

    def mixed(self, trees: Floats, past: Past, kind: Ints, series: Ints, origin: Ints) -> Floats:
        """What the trees say of rows, lifted and blended with simple levels; `kind` is of each row."""
        lifted = trees * np.asarray(self.lifts)[kind]
        return blended(lifted, levels_at(past, series, origin), kind, self.blends)


def _rows_ahead(panel: Panel, days: int) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Series, origin and days ahead of every day to be foretold, in parts that bound the memory."""
    series = np.repeat(np.arange(len(panel.ids)), days)
    ahead = np.tile(np.arange(1, days + 1), len(panel.ids))
    origin = np.full(len(series), panel.days - 1)
    for start in range(0, max(len(series), 1), PREDICT_ROWS):
        part = slice(start, start + PREDICT_ROWS)
        yield series[part], origin[part], ahead[part]


def train(
    panel: Panel, *, season_days: int = 7, seed: int = 0, rows_max: int = ROWS_MAX, rounds: int = ROUNDS
) -> Trained:
    """Train on everything the panel knows. About 20 s of CPU for `ROWS_MAX` rows."""
    usual = usual_level(panel)
    past = summed(panel, season_days=season_days, usual_units=usual)
    chance = np.random.default_rng(seed)
    series, origin, ahead = training_rows(past, chance, min(rows_max, ROWS_PER_SERIES * len(panel.ids)))
    if len(series) < ROWS_MIN:
        return _simple(panel, past, season_days, f"{len(series)} rows to train on, {ROWS_MIN} are needed")
    try:
        import sklearn  # noqa: F401
    except ImportError:
        return _simple(panel, past, season_days, "scikit-learn is not installed")
    features, columns = useful(*rows_of(past, series, origin, ahead))
    scale = scale_at(past, series, origin)
    came = past.units[series, origin + ahead].astype(np.float64)
    cut = cut_of(came, scale)
    target = np.minimum(came / scale, cut)
    half = chance.permutation(len(panel.ids)) % 2
    steps = naive_scale(panel.units)[series]
    trees: list[Any] = []
    honest = np.zeros(len(series))
    for mine in (0, 1):
        rows = half[series] == mine
        try:
            model = fit_mean(
                features[rows], columns, target[rows], weights(scale[rows]), seed=seed, rounds=rounds
            )  # fmt: skip
        except ValueError as error:  # a target of zeros alone, or numbers the trees cannot bin
            return _simple(panel, past, season_days, f"training failed: {error}")
        trees.append(model)
        honest[~rows] = model.predict(features[~rows]) * scale[~rows]
    halves = dict(zip(panel.ids, half.tolist(), strict=True))
    kind = segments_of(panel)[series]
    levels = levels_at(past, series, origin)
    lifts = chosen_lifts(honest, came, kind)
    honest *= np.asarray(lifts)[kind]
    blends = chosen_blends(honest, levels, kind, np.minimum(came, cut * scale), steps)
    mean = blended(honest, levels, kind, blends)
    unsteady = unsteady_at(past, series, origin)
    spread = pooled_spread(mean, came, unsteady, 1 / steps, widened=WIDENED)
    evidence = Evidence(features, spread.quantiles(mean, unsteady), mean, came, scale, steps)
    bounds = train_bounds(
        evidence, columns, half[series] == 0, series=len(panel.ids), seed=seed, rounds=rounds
    )  # fmt: skip
    plans = {name: plan.usual for name, plan in past.plans.items()}
    return Trained(
        MODEL, usual, season_days, spread, trees, halves, columns, lifts, blends, plan_bounds=plans, bounds=bounds
    )  # fmt: skip


def cut_of(came: Floats, scale: Floats) -> float:
    """How many scales a day counts for at most."""
    beyond = np.maximum(came - TARGET_MAX_SCALES * scale, 0.0).sum()
    return PEAKS_MAX_SCALES if beyond <= PEAKS_SHARE_MAX * came.sum() else TARGET_MAX_SCALES


def honest_means(trained: Trained, panel: Panel, past: Past, series: Ints, origin: Ints, days: int) -> Floats:
    """Expected totals of the next `days` days per row, by the model that was not fitted to the row's series."""
    total = np.zeros(len(series))
    kind = segments_of(panel)[series]
    if not trained.trees:
        return days * levels_at(past, series, origin)["recent"]
    half = np.array([trained.halves.get(name, 0) for name in panel.ids])[series]
    scale = scale_at(past, series, origin)
    for ahead in range(1, days + 1):
        features = aligned(*rows_of(past, series, origin, np.full(len(series), ahead)), trained.columns)
        said = np.empty(len(series))
        for mine in (0, 1):
            rows = half == mine
            if rows.any():
                said[rows] = trained.trees[1 - mine].predict(features[rows]) * scale[rows]
        total += trained.mixed(said, past, kind, series, origin)
    return total


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
    """The spread round each series' own 28-day mean, from every day after one, and each series' unsteadiness now.

    With a `past` the mean goes by its season.
    """
    factors = season_factors(panel.units, 1 if past is None else past.season_days)
    past = past if past is not None else summed(panel)
    series, origin = np.nonzero(~np.isnan(panel.units[:, 1:]))  # the origin is the day before the known one
    keep = origin >= past.starts[series]
    step = max(1, int(keep.sum()) // ROWS_MAX)
    series, origin = series[keep][::step], origin[keep][::step]
    mean = levels_at(past, series, origin)["recent"] * factors[series, (origin + 1 - panel.days) % factors.shape[1]]
    came = past.units[series, origin + 1].astype(np.float64)
    spread = pooled_spread(mean, came, unsteady_at(past, series, origin), 1 / naive_scale(panel.units)[series])
    return spread, unsteady_now(past)


def _simple(panel: Panel, past: Past, season_days: int, reason: str) -> Trained:
    spread, _ = spread_of_recent_mean(panel, past)
    return Trained(SIMPLE_MODEL, past.usual_units, season_days, spread, reason=reason)
