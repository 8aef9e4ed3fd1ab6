"""What a forecaster notes about itself while it works: whether it is ready, what is unread, when it last scored.

Guarantees: each field is set as a whole, so that another thread may look at any time. Does not belong here: who is told
(`health`), how old published forecasts are (the API tells).
"""

from __future__ import annotations

from collections.abc import Callable


class Pulse:
    def __init__(self) -> None:
        self.has_joined: Callable[[], bool] = lambda: False  # whether it was given its partitions, be that none
        self.owned: frozenset[int] = frozenset()
        self.unread: int | None = None  # of the records that were there when it was given these; None: not known yet
        self.scored_at: float | None = None  # when the newest run ended, in seconds since 1970

    def begin(self, owned: frozenset[int]) -> None:
        """From here on these partitions; none: it stands by for others'."""
        if owned != self.owned:
            self.owned, self.unread = owned, None

    @property
    def is_ready(self) -> bool:
        """Whether it looks after what it was given: nothing is scored before all that was there is read."""
        return self.has_joined() and (not self.owned or self.unread == 0)
