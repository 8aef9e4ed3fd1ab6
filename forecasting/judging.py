"""Whether a newly trained model is better than what is in service: rolling origins of the recent past.

Reads a panel and models; writes nothing. At each origin the challenger's twin, trained on the days before, is scored
beside the simple live method, the champion's model that had not seen the days either, and the plain 28-day mean.
A segment in which the challenger's WAPE is more than `WORSE_THAN_MEAN_MAX` above the 28-day mean's is left to the
simple method. So put together it is taken when its SPL over all series is the lowest, and when it is then nowhere worse
than that. A segment of few series or few units is no evidence, and is not judged.
Does not belong here: training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
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
    left: frozenset[str] = frozenset()  # segments that the simple method keeps


Said = tuple[Floats, Floats]  # means (series, days), quantiles (series, days, 4)


@dataclass(slots=True)
class _Origin:
    """One cut: the days before, what came, the segment of each series, and what each method said."""

    train: Floats
    came: Floats
    kind: np.ndarray
    said: dict[str, Said]

    def leave_to_simple(self, method: str, left: Collection[str]) -> None:
        rows = np.isin(self.kind, [SEGMENTS.index(name) for name in left])
        own, simple = self.said[method], self.said[SIMPLE]
        mean = np.where(rows[:, None], simple[0], own[0])
        self.said[method] = (mean, np.where(rows[:, None, None], simple[1], own[1]))

    def scores(self) -> dict[str, dict[str, float]]:
        return {name: scores(self.train, self.came, mean, bounds) for name, (mean, bounds) in self.said.items()}


@dataclass(slots=True)
class _Errors:
    """Absolute errors of a segment over all origins, by method; `mean` is the 28-day mean's."""

    by_method: Counter[str] = field(default_factory=Counter)
    mean: float = 0.0
    units: float = 0.0
    series: int = 0

    def wape(self, error: float) -> float | None:
        """`None` where nothing came."""
        return round(error / self.units, 4) if self.units else None

    @property
    def is_evidence(self) -> bool:
        return self.series >= SEGMENT_SERIES_MIN and self.units >= SEGMENT_UNITS_MIN

    @property
    def is_worse(self) -> bool:
        """Whether the challenger is worse than the 28-day mean by more than may be."""
        return self.is_evidence and self.by_method[CHALLENGER] > (1 + WORSE_THAN_MEAN_MAX) * self.mean


def origins_of(days: int) -> list[int]:
    """How many days are known at each origin; none when the past is too short to judge by."""
    count = min(ORIGINS_MAX, (days - PAST_DAYS_MIN) // HORIZON_DAYS)
    return [days - HORIZON_DAYS * n for n in range(count, 0, -1)]


def judge(panel: Panel, twins: Mapping[int, Trained], champion: Champion | None, say: Callable[[str], None]) -> Verdict:
    """`twins` are the challenger's models, by how many days of the panel each has seen."""
    judged = panel.sampled(JUDGED_SERIES_MAX)
    origins: list[_Origin] = []
    for cut, twin in twins.items():
        past, came = judged.until(cut), judged.units[judged.begun(cut), cut : cut + HORIZON_DAYS]
        say(f"judged on {HORIZON_DAYS} days from {past.first_day + cut} on")
        one = _Origin(past.units, came, segments_of(past), {SIMPLE: _simple(past), CHALLENGER: _learnt(twin, past)})
        last_day = (past.first_day + cut - 1).item().toordinal()
        before = champion.honest_on(last_day) if champion else None
        if champion is not None and before is not None:
            one.said[CHAMPION] = _learnt(before, past)
            one.leave_to_simple(CHAMPION, champion.left)
        origins.append(one)
    if not origins:
        return Verdict(False, f"{panel.days} days are too few to judge it by", {})
    left = {name for name, errors in _by_segment(origins).items() if errors.is_worse}
    for one in origins:
        one.leave_to_simple(CHALLENGER, left)
    segments = _by_segment(origins)
    results = [one.scores() for one in origins]
    report = {
        "origins": len(twins),
        "horizon_days": HORIZON_DAYS,
        "series": len(judged.ids),
        "methods": {
            name: averaged([found[name] for found in results if name in found])
            for name in (CHALLENGER, CHAMPION, SIMPLE)
            if any(name in found for found in results)
        },
        "segments": {name: _shown(errors, name in left) for name, errors in segments.items()},
    }
    duels = {
        name: tuple(
            float(np.mean([found[one]["spl"] for found in results if name in found])) for one in (CHALLENGER, name)
        )
        for name in report["methods"]
        if name != CHALLENGER
    }
    against = _against(duels, segments)
    praise = "SPL " + ", ".join(f"{own:.4f} against {name} {other:.4f}" for name, (own, other) in duels.items())
    if left:
        praise += f"; {', '.join(sorted(left))} series are left to the simple method"
    return Verdict(not against, against or praise, report, frozenset(left))


def _learnt(model: Trained, past: Panel) -> tuple[Floats, Floats]:
    found = model.forecast(past, HORIZON_DAYS)
    return found.mean, found.quantiles


def _simple(past: Panel) -> tuple[Floats, Floats]:
    found = forecasts_of(past)
    mean = np.array([forecast.mean(HORIZON_DAYS) for forecast in found])
    return mean, np.array([forecast.daily_quantiles(HORIZON_DAYS) for forecast in found]).transpose(0, 2, 1)


def _by_segment(origins: Sequence[_Origin]) -> dict[str, _Errors]:
    """Of the segments that any series is in; `series` is the most at one origin."""
    found: dict[str, _Errors] = {}
    for one in origins:
        plain = recent_mean(one.train)
        for n, name in enumerate(SEGMENTS):
            rows = one.kind == n
            if not rows.any():
                continue
            errors, came = found.setdefault(name, _Errors()), one.came[rows]
            errors.series = max(errors.series, int(rows.sum()))
            errors.units += float(np.nansum(came))
            errors.mean += float(np.nansum(np.abs(came - plain[rows, None])))
            for method, (mean, _) in one.said.items():
                errors.by_method[method] += float(np.nansum(np.abs(came - mean[rows])))
    return found


def _shown(errors: _Errors, is_left: bool) -> dict[str, Any]:
    return {
        "series": errors.series,
        "wape": {name: errors.wape(error) for name, error in errors.by_method.items()},
        "wape_28_day_mean": errors.wape(errors.mean),
        "judged": errors.is_evidence,
        "left_to_simple": is_left,
    }


def _against(duels: Mapping[str, tuple[float, ...]], segments: Mapping[str, _Errors]) -> str:
    """Why the challenger is not taken; empty if it is."""
    for name, (own, other) in duels.items():
        if own >= other:
            return f"SPL {own:.4f} does not win against the {name}'s {other:.4f}"
    for name, errors in segments.items():
        if errors.is_worse:
            worse = errors.wape(errors.by_method[CHALLENGER])
            return f"worse than the 28-day mean on {name} series: WAPE {worse} against {errors.wape(errors.mean)}"
    return ""
