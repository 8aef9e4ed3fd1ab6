"""What comes from outside: orders and all that is told about them, stock facts, as connectors would send them.

Pure: chance in, records out. Guarantees: every fact of both logs is among them; ids come again, with the same content
and (rarely) with other. Does not belong here: where and when they arrive (`world`), commands and answers (the agents').
"""

from __future__ import annotations

from random import Random
from typing import Any

from tables import records as r

SKUS = ("S0", "S1", "S2")
PLACES = ("W1", "W2")
LOTS = ("A", "B")
_WORDS = (
    r.CancelRequested, r.CancelRequested, r.CancelRequested, r.PaymentCaptured, r.PaymentCaptured, r.PaymentCaptured,
    r.PaymentFailed, r.CheckOpened, r.CheckPassed, r.CheckPassed, r.CheckFailed, r.OrderPicked, r.OrderPacked,
    r.OrderShipped, r.OrderShipped, r.OrderShipped, r.OrderShipped, r.OrderDelivered, r.OrderReturned,
)  # fmt: skip
_FACTS = (r.Received, r.Received, r.Received, r.Received, r.Adjusted, r.Counted, r.Shipped, r.PolicySet, r.SkuDefined)


class Traffic:
    """Makes one record after another. `scarce`: orders fight for units."""

    def __init__(self, chance: Random, scarce: bool) -> None:
        self._chance, self._units = chance, 4 if scarce else 15
        self._orders = self._ids = 0

    def stock(self) -> list[r.Received]:
        """What there is before the first order."""
        return [
            r.Received(id=self._id(), sku=sku, location=place, lot="A", quantity=self._chance.randint(1, self._units))
            for sku in SKUS for place in PLACES
        ]  # fmt: skip

    def order(self) -> r.OrderPlaced:
        chance = self._chance
        self._orders += chance.random() < 0.95
        order_id = f"o{self._orders}"
        skus = chance.sample(SKUS, chance.choice((1, 1, 2, 3)))
        odd = chance.random()
        if odd < 0.05:
            skus.append(chance.choice((skus[0], "NONE")))
        units = (0, -1, 1) if odd > 0.97 else (1, 1, 1, 2, 3)
        return r.OrderPlaced(
            id=order_id, order_id=order_id, channel="shop", lines=[r.Line(sku, chance.choice(units)) for sku in skus],
            locations=chance.sample(PLACES, chance.choice((1, 2))),
            payment=chance.choice(("paid", "paid", "paid", "pending")), checks=chance.choice(([], [], [], ["fraud"])),
            payment_seconds=chance.choice((None, 2, 30)),
            occurred_at=chance.choice((None, "2026-03-02T09:14:58+01:00")),
        )  # fmt: skip

    def about_order(self) -> Any:
        chance = self._chance
        kind = chance.choice(_WORDS)
        more: dict[str, Any] = {}
        if kind in (r.CheckOpened, r.CheckPassed, r.CheckFailed):
            more["check"] = chance.choice(("fraud", "fraud", "address"))
        elif kind is r.CancelRequested and chance.random() < 0.4:
            more["lines"] = [r.CancelLine(chance.choice(SKUS), chance.randint(1, 2))]
        elif kind is r.OrderShipped and chance.random() < 0.4:
            more["lines"] = [r.ShippedLine(
                chance.choice(SKUS), chance.randint(1, 2), chance.choice((None, *PLACES)), chance.choice((None, *LOTS)),
            )]  # fmt: skip
        return kind(id=self._id(), order_id=self._order_id(), **more)

    def fact(self, end: int) -> Any:
        """`end`: of the stock log; counts may look back."""
        chance = self._chance
        kind = chance.choice(_FACTS)
        sku, place, lot = chance.choice(SKUS), chance.choice(PLACES), chance.choice(LOTS)
        more: dict[str, Any] = {}
        if kind is r.Received:
            more = {"lot": lot, "quantity": chance.randint(1, self._units),
                    "best_before": chance.choice((None, "2027-01-01", "2027-05-01"))}  # fmt: skip
        elif kind is r.Adjusted:
            more = {"lot": chance.choice((None, lot)), "quantity": chance.randint(-3, 2), "reason": "correction"}
        elif kind is r.Counted:
            more = {"lot": lot, "quantity": chance.randint(0, self._units),
                    "as_of_offset": chance.choice((None, chance.randint(0, end)))}  # fmt: skip
        elif kind is r.Shipped:
            more = {"lot": chance.choice((None, lot)), "quantity": chance.randint(1, 2)}
            if chance.random() < 0.4:
                more |= {"order_id": self._order_id(), "attempt": chance.choice((1, 1, 1, 2))}
        elif kind is r.PolicySet:
            place = chance.choice((place, None))
            more = {"safety_stock": chance.randint(0, 1), "reorder_point": chance.randint(0, 3)}
        else:
            return r.SkuDefined(id=self._id(), sku=sku, flavor="original", discontinued=chance.random() < 0.1)
        return kind(id=self._id(), sku=sku, location=place, **more)

    def _id(self) -> str:
        self._ids += 1
        return f"x{self._ids if self._chance.random() < 0.95 else self._chance.randint(1, self._ids)}"

    def _order_id(self) -> str:
        """One of the last orders, or the next."""
        return f"o{max(1, self._orders + 1 - int(self._chance.expovariate(0.3)))}"
