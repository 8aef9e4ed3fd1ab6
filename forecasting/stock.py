"""A published stock level as a policy sees it.

Pure. Dates that are none are taken as not given: what is on its way without a date still comes.
Does not belong here: what is done about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from forecasting.plans import Plans
from forecasting.policy import Stock
from tables.records import LocationLevel, LotLevel, StockLevels


@dataclass(frozen=True, slots=True)
class Level:
    sku: str
    version: tuple[int, int, int]
    discontinued: bool
    stock: dict[str, Stock]  # per location
    references: frozenset[tuple[str, str]]  # (location, reference) of what is incoming

    def at(self, location: str, plans: Plans) -> Stock:
        """What there is, with what was decided since as if it were done."""
        stock = self.stock.get(location, Stock(discontinued=self.discontinued))
        moved = plans.under_way(self.sku, self.version, self.references).get(location, 0)
        if moved > 0:
            # Ordered now, it comes at the next possible receipt at the soonest, which is no help before it.
            arrivals = (*stock.arrivals, (date.max.toordinal(), moved))
            return replace(stock, incoming=stock.incoming + moved, arrivals=arrivals)
        return replace(stock, available=max(0, stock.available + moved)) if moved else stock


def level_of(record: StockLevels) -> Level:
    stock = {place.location: _stock(place, record.discontinued) for place in record.locations}
    references = frozenset((place.location, x.reference) for place in record.locations for x in place.incoming)
    return Level(record.sku, record.version, record.discontinued, stock, references)


def _stock(place: LocationLevel, discontinued: bool) -> Stock:
    dated = ((_ordinal(coming.expected), coming.quantity) for coming in place.incoming)
    return Stock(
        place.available, place.shortage, sum(coming.quantity for coming in place.incoming), place.backordered,
        discontinued, tuple(sorted((day, units) for day, units in dated if day is not None)),
        place.reserved + place.allocated, tuple(_lots(place.lots)),
    )  # fmt: skip


def _lots(lots: Iterable[LotLevel]) -> list[tuple[int, int]]:
    """Only what may be sold, and has a date."""
    dated = ((_ordinal(lot.best_before), lot.on_hand - lot.blocked) for lot in lots if lot.status == "approved")
    return sorted((day, units) for day, units in dated if day is not None and units > 0)


def _ordinal(day: str) -> int | None:
    try:
        return date.fromisoformat(day).toordinal()
    except ValueError:
        return None
