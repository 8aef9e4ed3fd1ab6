"""The dial: which nominal level fills the wanted share of units, found by playing the customer's own last weeks again.

Reads series (closed days); writes nothing. Needs numpy (extra `forecast`). The theoretical level is mostly not the one
that fills as much: levels are quantiles of what a model expects, and an order lasts beyond its lead time. At each of
the last `weeks` weeks' ends the method is fitted on what was known then, levels are renewed, and every nominal level is
played with the days that each series' supplier takes; the smallest that fills is the dial. Alerts are judged in the
play of that level.
Guarantees: no day is known before it is over; the same series give the same dial. Does not belong here: topics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from forecasting.model import SeriesForecast, fit
from forecasting.panel import Floats
from forecasting.policy.alerts import CLEAR, RAISE
from forecasting.policy.terms import Terms
from forecasting.replay import Judged, Outcome, Risk, alert_days, replay, together
from forecasting.series import HISTORY_DAYS_MAX, Series

NOMINAL = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995)
WEEKS = 26
WEEK_DAYS = 7
SERIES_MAX = 400  # played, evenly spread: about 20 s of CPU
WEEKS_MIN = 8  # with fewer behind it, a dial is chance


class TooLittle(ValueError):
    """The past is too short to play. The message says how long it is."""


@dataclass(frozen=True, slots=True)
class Dial:
    """`service`: the smallest nominal level that filled the wanted share; None: not even the highest did."""

    service: float | None
    wanted_fill: float
    weeks: int
    series: int
    outcomes: dict[float, Outcome]
    alerts: dict[str, float | int | None]  # of the play at `service`, or at the highest level


def choose(
    histories: Sequence[Series], terms_of: Callable[[Series], Terms], wanted_fill: float, *, weeks: int = WEEKS,
    watch: Callable[[], None] = lambda: None,
) -> Dial:  # fmt: skip
    """`histories` end on the same day, with all the days there are. `TooLittle` if they are too short."""
    played = [one for one in histories if not one.open_only]
    longest = max((len(one.units) for one in played), default=0)
    weeks = min(weeks, (longest - 2 * WEEK_DAYS) // WEEK_DAYS)
    if weeks < WEEKS_MIN:
        raise TooLittle(f"{longest} days of demand are known; {WEEK_DAYS * (WEEKS_MIN + 2)} are needed")
    played = played[:: -(-len(played) // SERIES_MAX)]
    days = weeks * WEEK_DAYS
    made = _Levels([terms_of(one) for one in played], days)
    for week in range(weeks):
        made.week(played, week, days - week * WEEK_DAYS, watch)
    demand = np.zeros((len(played), days))
    for row, one in enumerate(played):
        tail = one.units[-days:]
        demand[row, days - len(tail) :] = [units or 0 for units in tail]
    outcomes: dict[float, Outcome] = {}
    service = None
    for n, nominal in enumerate(NOMINAL):
        watch()
        outcomes[nominal] = made.play(demand, n)
        if service is None and outcomes[nominal].fill >= wanted_fill:
            service = nominal
    judged = Judged()
    made.play(demand, NOMINAL.index(service or NOMINAL[-1]), judged)
    return Dial(service, wanted_fill, weeks, len(played), outcomes, judged.figures())


class _Levels:
    """Per nominal level (points, up to), and the marks of alerts, each (series, days)."""

    def __init__(self, terms: Sequence[Terms], days: int) -> None:
        self._terms = terms
        count, ahead = len(terms), max(alert_days(one.lead_days) for one in terms)
        self._points, self._up_to = (np.zeros((len(NOMINAL), count, days)) for _ in range(2))
        self._raised, self._cleared = (np.zeros((ahead, count, days), np.float32) for _ in range(2))
        self._rows_of: dict[tuple[int, int], list[int]] = {}  # (lead days, review days) -> rows, played together
        for row, one in enumerate(terms):
            self._rows_of.setdefault((one.lead_days, one.review_days), []).append(row)

    def week(self, played: Sequence[Series], week: int, hidden_days: int, watch: Callable[[], None]) -> None:
        """Levels of one week, by what was known before it."""
        known = [_before(one, hidden_days) for one in played]
        rows = [(row, one) for row, one in enumerate(known) if one is not None]
        fitted = fit(one for _, one in rows)
        days = slice(week * WEEK_DAYS, (week + 1) * WEEK_DAYS)
        for place, (row, one) in enumerate(rows):
            if place % 64 == 0:
                watch()
            self._set(fitted.forecast(one), row, days)

    def play(self, demand: Floats, n: int, judged: Judged | None = None) -> Outcome:
        # The level of a day is ordered up to at its end, when a day more is known than at its beginning: at a week's
        # last day the levels are a week old.
        return together([
            replay(
                demand[rows], self._up_to[n, rows], lead_days, points=self._points[n, rows], review_days=review_days,
                risk=self._risk(alert_days(lead_days), rows), judged=judged,
            )
            for (lead_days, review_days), rows in self._rows_of.items()
        ])  # fmt: skip

    def _risk(self, ahead: int, rows: list[int]) -> Risk:
        return Risk(self._raised[:ahead, rows], self._cleared[:ahead, rows])

    def _set(self, outlook: SeriesForecast, row: int, days: slice) -> None:
        terms = self._terms[row]
        exposed = terms.lead_days + terms.review_days
        for n, nominal in enumerate(NOMINAL):
            point = outlook.total_quantile(exposed, nominal)
            self._points[n, row, days] = point
            self._up_to[n, row, days] = max(point, outlook.total_quantile(exposed + terms.cover_days, nominal))
        for ahead in range(alert_days(terms.lead_days)):
            self._raised[ahead, row, days] = outlook.total_quantile(ahead + 1, 1 - RAISE)
            self._cleared[ahead, row, days] = outlook.total_quantile(ahead + 1, 1 - CLEAR)


def _before(one: Series, hidden_days: int) -> Series | None:
    """The same without its last days, as it was handed out then; `None`: it had not begun."""
    units = one.units[: len(one.units) - hidden_days][-HISTORY_DAYS_MAX:]
    return replace(one, units=units, last_day=one.last_day - hidden_days) if units else None


def as_json(dial: Dial) -> dict[str, Any]:
    return {
        "service": dial.service, "wanted_fill": dial.wanted_fill, "weeks": dial.weeks, "series": dial.series,
        "levels": [
            {"service": nominal, "fill": round(one.fill, 4), "stock_days": round(one.stock_days, 1)}
            for nominal, one in dial.outcomes.items()
        ],
        "alerts": dial.alerts,
    }  # fmt: skip
