"""Rolling origins at the end of a panel: what the boosted model and its rivals say, scored against what came.

Reads a panel; writes nothing. Guarantees: at every origin model, blend and spread are made again from days before it
(and from what is known ahead). Does not belong here: the model, the metrics, the command and its files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forecasting.baselines import baseline
from forecasting.boosted import Trained, spread_of_recent_mean, train
from forecasting.panel import Floats, Panel, UnreadableFileError
from forecasting.scores import averaged, by_segment, scores
from forecasting.simple import recent_mean
from forecasting.spread import PROBABILITIES

Say = Callable[[str], None]


@dataclass(slots=True)
class Tally:
    """What the origins have said so far."""

    ours: list[dict[str, float]] = field(default_factory=list)
    segments: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    others: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    stock: dict[str, dict[str, Any]] = field(default_factory=dict)
    newcomers: dict[str, dict[str, float | None]] = field(default_factory=dict)
    forecasts: list[dict[str, Any]] = field(default_factory=list)  # columns of `--out`, one part per origin
    trained: dict[int, Trained] = field(default_factory=dict)  # by how many days of the panel were known

    def report(self, series: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "smokehouse": averaged(self.ours),
            "baselines": {name: averaged(results) for name, results in self.others.items()},
            "segments": {name: averaged(results) for name, results in self.segments.items()},
            "series": series,
            "origins": len(self.ours),
            "model": sorted(set(self.models)),
        }
        if self.newcomers:
            found["new_series_at_age"] = self.newcomers
        return found | self.stock


def evaluate(
    panel: Panel, *, season_days: int = 7, origins: int = 3, horizon_days: int = 28, rivals: Sequence[str] = (),
    seed: int = 0, say: Say = lambda text: None,
) -> Tally:  # fmt: skip
    """Score at `origins` cuts, the last one `horizon_days` before the end; what is too short for it is an
    `UnreadableFileError`.

    `rivals` are names of baselines.py.
    """
    if panel.days <= origins * horizon_days:
        raise UnreadableFileError(
            f"{panel.days} days of data are too few for {origins} origins of {horizon_days} days: "
            f"at least {origins * horizon_days + 1} are needed"
        )
    first = panel.days - origins * horizon_days
    if not len(panel.begun(first)):  # a sample, or a log to which old orders were told: others began long before
        raise UnreadableFileError(
            f"no series begins before {panel.first_day + first}, the first of {origins} origins of {horizon_days} days"
            ": give fewer origins or a shorter horizon"
        )
    tally = Tally()
    for cut in range(first, panel.days, horizon_days):
        past, came = panel.until(cut), panel.units[panel.begun(cut), cut : cut + horizon_days]
        say(f"{panel.first_day + cut - 1}: training")
        started = time.process_time()
        tally.trained[cut] = train(past, season_days=season_days, seed=seed)
        train_seconds = time.process_time() - started
        _score_ours(tally, tally.trained[cut], past, came, train_seconds)
        if rivals:
            _score_rivals(tally, rivals, past, came, season_days, say)
    return tally


def _score_ours(tally: Tally, trained: Trained, past: Panel, came: Floats, train_seconds: float) -> None:
    started = time.process_time()
    said = trained.forecast(past, came.shape[1])
    update_seconds = time.process_time() - started
    thousands = max(len(past.ids), 1) / 1000
    tally.models.append(trained.model + (f": {trained.reason}" if trained.reason else ""))
    tally.ours.append(
        scores(past.units, came, said.mean, said.quantiles)
        | {
            "cpu_s_per_1000": (train_seconds + update_seconds) / thousands,
            "train_cpu_s_per_1000": train_seconds / thousands,
            "update_cpu_s_per_1000": update_seconds / thousands,
        }
    )
    plain = recent_mean(past.units)[:, None]
    for name, result in by_segment(said.segments, past.units, came, said.mean, said.quantiles, plain).items():
        tally.segments.setdefault(name, []).append(result)
    tally.forecasts.append(_long(past, said.mean, said.quantiles))


def _score_rivals(tally: Tally, rivals: Sequence[str], past: Panel, came: Floats, season_days: int, say: Say) -> None:
    """Each with its own bounds, and with ours round the same mean."""
    spread, unsteady = spread_of_recent_mean(past)
    for name in rivals:
        say(f"{past.first_day + past.days - 1}: {name}")
        started = time.process_time()
        mean, own = baseline(name, past, came.shape[1], season_days)
        cpu = {"cpu_s_per_1000": (time.process_time() - started) / max(len(past.ids), 1) * 1000}
        ours = spread.quantiles(mean, np.repeat(unsteady[:, None], came.shape[1], axis=1))
        tally.others.setdefault(name, []).append(scores(past.units, came, mean, own) | cpu)
        tally.others.setdefault(f"{name} + NB", []).append(scores(past.units, came, mean, ours) | cpu)


def _long(past: Panel, mean: Floats, quantiles: Floats) -> dict[str, Any]:
    count, days = mean.shape
    first = past.first_day + past.days
    columns: dict[str, Any] = {
        "unique_id": np.repeat(np.array(past.ids, dtype=object), days),
        "cutoff": np.repeat(first - 1, count * days),
        "ds": np.tile(first + np.arange(days), count),
        "mean": mean.ravel(),
    }
    for n, p in enumerate(PROBABILITIES):
        columns[f"q{round(100 * p)}"] = quantiles[..., n].ravel()
    return columns
