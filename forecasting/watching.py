"""Concerns over time: what was raised, and what is news.

Reads its own former words (`forecast-alerts`), to go on after a restart; no topics, no clock. Guarantees: one that
stands is told once, again only when its days change, and once more when it is over. Does not belong here: the marks,
records of what is said (`words`).
"""

from __future__ import annotations

from collections.abc import Iterator

from forecasting.policy.alerts import Concern
from forecasting.series import SeriesKey
from tables.records import ForecastAlert


class Watching:
    def __init__(self) -> None:
        self._raised: dict[SeriesKey, dict[str, Concern]] = {}
        self._said: set[tuple[SeriesKey, str]] = set()  # since the start: what comes back of it is no news

    def take(self, record: ForecastAlert) -> None:
        """Our own former words; whatever was said since holds."""
        key = (record.sku, record.location)
        if (key, record.kind) in self._said:
            return
        kinds = self._raised.setdefault(key, {})
        kinds.pop(record.kind, None)
        if record.state == "raised":
            kinds[record.kind] = Concern(
                record.kind, record.probability, record.units, record.stock, record.day, record.until, record.note
            )

    def raised(self, key: SeriesKey) -> frozenset[str]:
        return frozenset(self._raised.get(key, ()))

    def renew(self, key: SeriesKey, now: list[Concern]) -> Iterator[tuple[Concern, bool]]:
        """What is news, and whether it is raised; what is over comes with its last figures."""
        before = self._raised.get(key, {})
        after = {one.kind: one for one in now}
        if after:
            self._raised[key] = {kind: one if one.is_news_after(before.get(kind)) else before[kind]
                                 for kind, one in after.items()}  # fmt: skip
        else:
            self._raised.pop(key, None)
        for kind in sorted(before.keys() | after.keys()):
            if kind in after and not after[kind].is_news_after(before.get(kind)):
                continue
            self._said.add((key, kind))
            if kind not in after:
                yield before[kind], False
            else:
                yield after[kind], True
