"""The demo's own calendar: one of its days passes each `day_seconds`, from some weeks before the start on.

Pure: seconds since the start in, its time out. So daily demand and forecasts have days to show within minutes. It only
dates what happens (`occurred_at`); deadlines and best-before dates are real (`real_day`). It goes on past today at the
same pace. Does not belong here: the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

HISTORY_DAYS = 84
# Orders by hour of the day (UTC) and by day of the week, against their mean.
_HOURS = (2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 11, 12, 11, 10, 10, 11, 13, 16, 19, 20, 17, 10, 5)
_WEEKDAYS = (0.9, 0.85, 0.9, 1.0, 1.2, 1.25, 0.9)


@dataclass(frozen=True, slots=True)
class Calendar:
    """`first`: midnight of its first day. `started`: the real time of its first second."""

    first: datetime
    day_seconds: float
    started: datetime

    @classmethod
    def before(cls, today: datetime, day_seconds: float) -> Calendar:
        """One that starts `HISTORY_DAYS` before `today`."""
        midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
        return cls(midnight - timedelta(days=HISTORY_DAYS), day_seconds, today)

    def at(self, seconds: float) -> datetime:
        return self.first + timedelta(days=seconds / self.day_seconds)

    def stamp(self, seconds: float) -> str:
        """RFC 3339 in UTC, whole milliseconds."""
        return self.at(seconds).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    def day(self, seconds: float) -> date:
        return self.at(seconds).date()

    def real_day(self, seconds: float, days: int = 0) -> str:
        """The day on everybody's calendar, `days` later: what food expires by."""
        return (self.started + timedelta(seconds=seconds, days=days)).date().isoformat()

    def busy(self, seconds: float) -> float:
        """How busy this hour is: 1 on average."""
        now = self.at(seconds)
        return _HOURS[now.hour] * len(_HOURS) / sum(_HOURS) * _WEEKDAYS[now.weekday()] * 7 / sum(_WEEKDAYS)
