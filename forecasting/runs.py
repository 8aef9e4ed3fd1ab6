"""What a forecaster knows and says: records in, forecasts, advice and warnings out. No topics, no clock, no I/O.

Guarantees: what it says depends on the records taken in and on the champion alone, not on the records' order or on when
it was asked. A series that the champion does not know, and every series without one, gets the simple method.
A run is named `DAY.NNN`: the last closed day, and how many runs that day has had; names of one day sort in order.
Does not belong here: when to run, how often to try, records of what was said (`words`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Protocol

from forecasting.model import Fitted, SeriesForecast, fit
from forecasting.plans import Plans
from forecasting.policy import Advice, Place, Terms, plan
from forecasting.policy.alerts import Concern, concerns
from forecasting.policy.plan import receipt_day
from forecasting.promotions import BadPromotion, Promotions
from forecasting.series import BadDemand, ClosedDays, DemandHistory, Series, SeriesKey
from forecasting.stock import Level, level_of
from forecasting.watching import Watching
from forecasting.words import Known, advice_of
from tables.codec import Unreadable
from tables.records import Demand, ForecastAlert, PromotionPlanned, Reorder, StockLevels

RUN_NUMBER_DIGITS = 3
HISTORY_DAYS_MAX = 1_120  # of closed days handed to a champion or a training
BATCH_SERIES = 512  # of a champion's forecasts between two looks whether to go on: 0.2 s

Watch = Callable[[], None]  # called every few hundred series; raises to break off


class Champion(Protocol):
    """A trained model in service (champion.py)."""

    @property
    def uses_promotions(self) -> bool: ...

    def forecasts(
        self, rows: Sequence[ClosedDays], promotions: Promotions, first_day: int
    ) -> Mapping[SeriesKey, SeriesForecast]:
        """What it says of the series it knows."""


class Forecaster:
    """The series of some partitions: their demand, their stock, the last forecast and advice of each."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._history = DemandHistory()
        self._levels: dict[str, Level] = {}
        self.plans = Plans()
        self._watching = Watching()
        self._to_watch: set[str] = set()  # SKUs that were advised since their warnings were looked at
        self.promotions = Promotions()
        self.champion: Champion | None = None
        self._fitted: Fitted | None = None
        self._forecasts: dict[SeriesKey, SeriesForecast] = {}
        self._open_only: set[SeriesKey] = set()
        self._advice: dict[SeriesKey, Advice] = {}
        self._said: set[SeriesKey] = set()  # advised since the start: what comes back of it is no news
        self._today: int | None = None
        self._stale: set[SeriesKey] = set()  # the forecast no longer follows from the demand
        self._restocked: set[str] = set()  # SKUs whose stock moved since their last advice
        self._numbers: dict[str, int] = {}  # last closed day -> runs it has had

    def __len__(self) -> int:
        return len(self._history)

    @property
    def run(self) -> str:
        """The name of the last run; empty before the first."""
        day = self._closed_day()
        return "" if self._today is None else f"{day}.{self._numbers.get(day, 0):0{RUN_NUMBER_DIGITS}d}"

    @property
    def runs_of_day(self) -> int:
        """How many runs the last closed day has had."""
        return 0 if self._today is None else self._numbers.get(self._closed_day(), 0)

    def take(self, record: Known) -> None:
        """Take a record in. `Unreadable`: it decodes, but is no day's demand."""
        if isinstance(record, Demand):
            self._take_demand(record)
        elif isinstance(record, StockLevels):
            self._take_level(record)
        elif isinstance(record, Reorder):
            self._take_reorder(record)
        elif isinstance(record, ForecastAlert):
            self._watching.take(record)
        elif isinstance(record, PromotionPlanned):
            self._take_promotion(record)
        else:
            self.plans.take(record)

    def take_run(self, run: str) -> None:
        """A run that has been: the numbers of its day go on behind it."""
        day, _, number = run.rpartition(".")
        if day and number.isdigit():
            self._numbers[day] = max(self._numbers.get(day, 0), int(number))

    @property
    def closed_day(self) -> int | None:
        """The last closed day, by demand's own dates; `None` before the first record."""
        today = self._history.today()
        return None if today is None else today - 1

    @property
    def scored_day(self) -> int | None:
        """The closed day that all series have been scored at."""
        return None if self._today is None else self._today - 1

    @property
    def first_day(self) -> int | None:
        """The first day that demand speaks of, as far back as anything is learnt from."""
        first, closed = self._history.first_day(), self.closed_day
        return None if first is None or closed is None else max(first, closed - HISTORY_DAYS_MAX + 1)

    def closed_keys(self) -> list[SeriesKey]:
        """In order of SKU and location, so that a sample of them is the same each time."""
        return sorted(self._history.keys())

    def closed_days(self, keys: Iterable[SeriesKey]) -> list[ClosedDays]:
        """The closed pasts of these series, `HISTORY_DAYS_MAX` days at most; of those with only the open day none."""
        today = self._history.today()  # it looks at every series: once for all
        if today is None:
            return []
        found = (self._history.closed_days(key, today, HISTORY_DAYS_MAX) for key in keys)
        return [row for row in found if row is not None]

    def take_champion(self, champion: Champion | None) -> None:
        """Forecast with this model from now on: every forecast that was made is stale."""
        self.champion = champion
        if self._today is not None:
            self._stale = set(self._history.keys())

    def take_promotion(
        self, sku: str, location: str, first_day: date, last_day: date, depth: float, promotion: str = ""
    ) -> None:
        """A promotion known ahead: `depth` of the price (0 to 1) is taken off on these days; `location` "": all.

        The same promotion, SKU, location and days again: the newer depth counts, 0 takes it back. `BadPromotion` says
        why not. Trainings from the next on use it, and forecasts of a champion that was trained with promotions.
        """
        changed = self.promotions.take(sku, location, first_day, last_day, depth, promotion)
        if changed and self._today is not None and self.champion is not None and self.champion.uses_promotions:
            self._stale |= {key for key in self._forecasts if key[0] == sku and location in ("", key[1])}

    def day_closed(self) -> bool:
        """Whether demand has reached a newer day than the last run's."""
        return len(self._history) > 0 and self._history.today() != self._today

    def has_stale_forecasts(self) -> bool:
        return bool(self._stale)

    def has_moved_stock(self) -> bool:
        """Or plans: advice may differ."""
        return bool(self._restocked) or self.plans.has_moved

    def score(self, watch: Watch) -> Iterator[tuple[SeriesKey, SeriesForecast]]:
        """A run: every series when a day has closed (all evidence is pooled anew), else those whose past changed.

        Iterate to the end. Broken off by `watch`, it is not resumed: the process stops or starts afresh.
        """
        today = self._history.today()
        if today is None:
            return
        closed = today != self._today or self._fitted is None
        keys = list(self._history.keys()) if closed else sorted(self._stale)
        if closed:
            self._fitted = fit(self._series(watched(keys, watch), today))
            self._today = today
            self._stale = set(keys)
            self._forecasts.clear()
            self._open_only.clear()
        fitted = self._fitted
        assert fitted is not None
        day = self._closed_day()
        self._numbers[day] = self._numbers.get(day, 0) + 1
        for series, learnt in self._batches(keys, today, watch):
            key = (series.sku, series.location)
            forecast = self._forecasts[key] = learnt.get(key) or fitted.forecast(series)
            (self._open_only.add if series.open_only else self._open_only.discard)(key)
            self._restocked.add(series.sku)
            yield key, forecast
        self._stale.clear()

    def advise(self, watch: Watch, *, everything: bool) -> Iterator[tuple[SeriesKey, Advice]]:
        """Recommendations for SKUs that were scored or whose stock or plans moved: news only, or `everything`."""
        moved, self._restocked = self._restocked | self.plans.moved(self._levels.keys()), set()
        outlooks, advised = self._outlooks(), self._advised()
        for group in self.plans.groups(sku for sku in moved if sku in outlooks and sku in self._levels):
            watch()
            # Nothing is known about a SKU's stock: no advice is better than "buy everything".
            places = {sku: self._places(sku, outlooks[sku]) for sku in group if sku in outlooks and sku in self._levels}
            self._to_watch |= places.keys()
            found = plan(places, self.plans, self._terms_now())
            for key, advice in found.items():
                if everything or advice.is_news_after(self._advice.get(key)):
                    yield key, self._say(key, advice)
            for key in [(sku, place) for sku in places for place in advised.get(sku, ())]:
                if key not in found:  # it was the centre, and is no more
                    yield key, self._say(key, self._advice[key].withdrawn())

    def warn(self, watch: Watch) -> Iterator[tuple[SeriesKey, Concern, bool]]:
        """What is news about stock to come, of SKUs advised since the last time, and whether it is raised or over."""
        skus, self._to_watch = self._to_watch, set()
        terms, outlooks = self._terms_now(), self._outlooks()
        for key in watched(sorted((sku, place) for sku in skus for place in outlooks.get(sku, ())), watch):
            sku, location = key
            outlook, supply = outlooks[sku][location], self.plans.supply(sku)
            stock = self._levels[sku].at(location, self.plans)
            centre = None if supply.central is None else self._levels[sku].at(supply.central, self.plans)
            receipt = receipt_day(outlook.first_day, location, supply, self.plans, terms, centre)
            found = concerns(outlook, stock, receipt, supply.shelf_life_days, self._watching.raised(key))
            for concern, raised in self._watching.renew(key, found):
                yield key, concern, raised

    def _say(self, key: SeriesKey, advice: Advice) -> Advice:
        self._advice[key] = advice
        self._said.add(key)
        return advice

    def _advised(self) -> dict[str, list[str]]:
        """Per SKU the locations where something is recommended."""
        found: dict[str, list[str]] = {}
        for sku, location in sorted(key for key, advice in self._advice.items() if advice.quantity):
            found.setdefault(sku, []).append(location)
        return found

    def _outlooks(self) -> dict[str, dict[str, SeriesForecast]]:
        found: dict[str, dict[str, SeriesForecast]] = {}
        for (sku, location), forecast in self._forecasts.items():
            found.setdefault(sku, {})[location] = forecast
        return found

    def _places(self, sku: str, outlooks: dict[str, SeriesForecast]) -> dict[str, Place]:
        level = self._levels[sku]
        return {
            location: Place(level.at(location, self.plans), outlooks.get(location))
            for location in sorted(level.stock.keys() | outlooks.keys())
        }

    def _terms_now(self) -> Terms:
        service = self.plans.service
        return self._terms if service is None else replace(self._terms, service=service)

    def _batches(
        self, keys: list[SeriesKey], today: int, watch: Watch
    ) -> Iterator[tuple[Series, Mapping[SeriesKey, SeriesForecast]]]:
        """Each series, with what the champion says of its batch."""
        champion, first_day = self.champion, self.first_day
        for start in range(0, len(keys), BATCH_SERIES):
            watch()
            batch, learnt = keys[start : start + BATCH_SERIES], {}
            if champion is not None and first_day is not None:
                learnt = champion.forecasts(self.closed_days(batch), self.promotions, first_day)
            for series in self._series(batch, today):
                yield series, learnt

    def _series(self, keys: Iterable[SeriesKey], today: int) -> Iterator[Series]:
        for key in keys:
            series = self._history.series(key, today)
            if series is not None:
                yield series

    def _closed_day(self) -> str:
        return "" if self._today is None else date.fromordinal(self._today - 1).isoformat()

    def _take_demand(self, record: Demand) -> None:
        try:
            day, changed = self._history.add(record)
        except BadDemand as error:
            raise Unreadable(str(error)) from error
        if self._today is None:
            return
        for key in changed:
            if day < self._today or (day == self._today and (key in self._open_only or key not in self._forecasts)):
                self._stale.add(key)

    def _take_promotion(self, record: PromotionPlanned) -> None:
        """The newest plan of a promotion takes the place of the one before, whatever days that one had."""
        before = self.plans.promotions.get(record.promotion)
        try:
            self.take_promotion(*_promoted(record), record.depth, record.promotion)
        except BadPromotion as error:
            raise Unreadable(str(error)) from error
        if before is not None and _promoted(before) != _promoted(record):
            self.take_promotion(*_promoted(before), 0.0, before.promotion)
        self.plans.take(record)

    def _take_level(self, record: StockLevels) -> None:
        known = self._levels.get(record.sku)
        if known is not None and record.version <= known.version:
            return
        level = level_of(record)
        if known is None or (known.stock, known.discontinued) != (level.stock, level.discontinued):
            self._restocked.add(record.sku)
        self._levels[record.sku] = level
        for place in record.locations:
            self._history.is_out((record.sku, place.location), place.out_since)

    def _take_reorder(self, record: Reorder) -> None:
        """Our own former words: the numbers of runs go on after a restart, and what was said is not said again.

        The newest of a key, which comes last, counts until something is said since.
        """
        self.take_run(record.run)
        key = (record.sku, record.location)
        if key not in self._said:
            self._advice[key] = advice_of(record)


def _promoted(plan: PromotionPlanned) -> tuple[str, str, date, date]:
    return plan.sku, plan.location or "", date.fromisoformat(plan.first_day), date.fromisoformat(plan.last_day)


def watched(keys: Iterable[SeriesKey], watch: Watch) -> Iterator[SeriesKey]:
    """The same keys; every 256 of them somebody looks whether to go on."""
    for place, key in enumerate(keys):
        if place % 256 == 0:
            watch()
        yield key
