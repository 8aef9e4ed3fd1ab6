"""Whether a newly trained model is better than what is in service: rolling origins of the recent past.

Reads a panel and models; writes nothing. At each origin the challenger's twin, trained on the days before, is scored
beside the simple live method, the champion's model that had not seen the days either, and the plain 28-day mean.
The challenger is taken when its SPL over all series is the lowest, and when in no segment its WAPE is more than
`WORSE_THAN_MEAN_MAX` above the 28-day mean's. A segment of few series or few units is no evidence, and is not judged.
Does not belong here: training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forecasting.backtest import forecasts_of
from forecasting.boosted import Trained
from forecasting.champion import Champion
from forecasting.panel import Floats, Panel
from forecasting.scores import averaged, scores
from forecasting.segments import SEGMENTS, segments_of
from forecasting.simple import recent_mean

HORIZON_DAYS = 28
ORIGINS_MAX = 2
PAST_DAYS_MIN = 84  # before the first origin
JUDGED_SERIES_MAX = 5_000  # evenly spread over the ids
WORSE_THAN_MEAN_MAX = 0.02
SEGMENT_SERIES_MIN = 30
SEGMENT_UNITS_MIN = 100.0
CHALLENGER, CHAMPION, SIMPLE = "challenger", "champion", "simple"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`report` holds the scores per method, and per segment the WAPE of each beside the 28-day mean's."""

    taken: bool
    reason: str
    report: dict[str, Any]


@dataclass(slots=True)
class _Errors:
    """Absolute errors of a segment, by method; `mean` is the 28-day mean's."""

    by_method: dict[str, float] = field(default_factory=dict)
    mean: float = 0.0
    units: float = 0.0
    series: list[int] = field(default_factory=list)

    def wape(self, error: float) -> float | None:
        """`None` where nothing came."""
        return round(error / self.units, 4) if self.units else None

    @property
    def is_evidence(self) -> bool:
        return max(self.series, default=0) >= SEGMENT_SERIES_MIN and self.units >= SEGMENT_UNITS_MIN


def origins_of(days: int) -> list[int]:
    """How many days are known at each origin; none when the past is too short to judge by."""
    count = min(ORIGINS_MAX, (days - PAST_DAYS_MIN) // HORIZON_DAYS)
    return [days - HORIZON_DAYS * n for n in range(count, 0, -1)]


def judge(panel: Panel, twins: Mapping[int, Trained], champion: Champion | None, say: Callable[[str], None]) -> Verdict:
    """`twins` are the challenger's models, by how many days of the panel each has seen."""
    judged = panel.sampled(JUDGED_SERIES_MAX)
    results: dict[str, dict[int, dict[str, float]]] = {}  # by method and origin
    segments = {name: _Errors() for name in SEGMENTS}
    for cut, twin in twins.items():
        past, came = judged.until(cut), judged.units[judged.begun(cut), cut : cut + HORIZON_DAYS]
        last_day = (past.first_day + cut - 1).item().toordinal()
        models = {CHALLENGER: twin, CHAMPION: champion.honest_on(last_day) if champion else None}
        said = {name: _learnt(model, past) for name, model in models.items() if model is not None}
        said[SIMPLE] = _simple(past)
        say(f"judged on {HORIZON_DAYS} days from {past.first_day + cut} on")
        for name, (mean, quantiles) in said.items():
            results.setdefault(name, {})[cut] = scores(past.units, came, mean, quantiles)
        means = {name: mean for name, (mean, _) in said.items()}
        _add(segments, segments_of(past), came, means, recent_mean(past.units))
    report = {
        "origins": len(twins),
        "horizon_days": HORIZON_DAYS,
        "series": len(judged.ids),
        "methods": {name: averaged(list(found.values())) for name, found in results.items()},
        "segments": {name: _shown(errors) for name, errors in segments.items() if errors.series},
    }
    if not twins:
        return Verdict(False, f"{panel.days} days are too few to judge it by", report)
    duels = {name: _duel(results[CHALLENGER], results[name]) for name in (CHAMPION, SIMPLE) if name in results}
    against = _against(duels, segments)
    praise = "SPL " + ", ".join(f"{own:.4f} against {name} {other:.4f}" for name, (own, other) in duels.items())
    return Verdict(not against, against or praise, report)


def _learnt(model: Trained, past: Panel) -> tuple[Floats, Floats]:
    found = model.forecast(past, HORIZON_DAYS)
    return found.mean, found.quantiles


def _simple(past: Panel) -> tuple[Floats, Floats]:
    found = forecasts_of(past)
    mean = np.array([forecast.mean(HORIZON_DAYS) for forecast in found])
    return mean, np.array([forecast.daily_quantiles(HORIZON_DAYS) for forecast in found]).transpose(0, 2, 1)


def _add(segments: dict[str, _Errors], kind: np.ndarray, came: Floats, means: dict[str, Floats], plain: Floats) -> None:
    for n, name in enumerate(SEGMENTS):
        rows = kind == n
        if not rows.any():
            continue
        errors = segments[name]
        errors.series.append(int(rows.sum()))
        errors.units += float(np.nansum(came[rows]))
        errors.mean += float(np.nansum(np.abs(came[rows] - plain[rows, None])))
        for method, mean in means.items():
            error = float(np.nansum(np.abs(came[rows] - mean[rows])))
            errors.by_method[method] = errors.by_method.get(method, 0.0) + error


def _shown(errors: _Errors) -> dict[str, Any]:
    return {
        "series": max(errors.series),
        "wape": {name: errors.wape(error) for name, error in errors.by_method.items()},
        "wape_28_day_mean": errors.wape(errors.mean),
        "judged": errors.is_evidence,
    }


def _duel(own: dict[int, dict[str, float]], other: dict[int, dict[str, float]]) -> tuple[float, float]:
    """Mean SPL of both over the origins at which both have an honest model."""
    cuts = own.keys() & other.keys()
    return sum(own[cut]["spl"] for cut in cuts) / len(cuts), sum(other[cut]["spl"] for cut in cuts) / len(cuts)


def _against(duels: dict[str, tuple[float, float]], segments: dict[str, _Errors]) -> str:
    """Why the challenger is not taken; empty if it is."""
    for name, (own, other) in duels.items():
        if own >= other:
            return f"SPL {own:.4f} does not win against the {name}'s {other:.4f}"
    for name, errors in segments.items():
        if errors.is_evidence and errors.by_method[CHALLENGER] > (1 + WORSE_THAN_MEAN_MAX) * errors.mean:
            worse = errors.wape(errors.by_method[CHALLENGER])
            return f"worse than the 28-day mean on {name} series: WAPE {worse} against {errors.wape(errors.mean)}"
    return ""
