"""What comes from outside: orders and all that is told about them, stock facts, rules, as connectors would send them.

Pure: chance in, records out. Guarantees: every fact of both logs is among them; ids come again, with the same content
and (rarely) with other. Does not belong here: where and when they arrive (`world`), commands and answers (the agents').
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tables import records as r

SKUS = ("S0", "S1", "S2")
KIT, BOX = "KIT", "BOX"  # exploded when it is sold; built beforehand
PLACES = ("W1", "W2")
LOTS = ("A", "B")
CHANNELS = ("shop", "shop", "grocer", "")
TODAY = "2023-11-14"  # in its last minute when a run begins
WIDE = tuple(f"N{n}" for n in range(42))  # more places than one record may change the lots of
BEST_BEFORE = (None, TODAY, "2023-11-13", "2023-11-20", "2024-06-01", "2024-06-01")
_WORDS = (
    r.CancelRequested, r.CancelRequested, r.CancelRequested, r.PaymentCaptured, r.PaymentCaptured, r.PaymentCaptured,
    r.PaymentAuthorized, r.PaymentAuthorized, r.PaymentFailed, r.PaymentRefunded, r.PaymentVoided, r.CheckOpened,
    r.CheckPassed, r.CheckPassed, r.CheckFailed, r.OrderPicked, r.OrderPicked, r.OrderPacked, r.OrderShipped,
    r.OrderShipped, r.OrderShipped, r.OrderShipped, r.TrackingUpdated, r.OrderDelivered, r.OrderReturned,
    r.ReturnAuthorized, r.ReturnReceived, r.ReturnInspected, r.ReturnInspected, r.OrderEdited, r.OrderEdited,
)  # fmt: skip
_FACTS = (
    *(r.Received,) * 8, r.Adjusted, r.Adjusted, r.Counted, r.Counted, r.Shipped, r.Shipped, r.Picked, r.Returned,
    r.PolicySet, r.PolicySet, r.SkuDefined, r.LotDefined, r.LotStatusSet, r.LotStatusSet, r.ConditionChanged,
    r.TransferredOut, r.TransferredOut, r.TransferredIn, r.PurchaseOrdered, r.PurchaseConfirmed, r.PurchaseNotified,
    r.PurchaseClosed, r.KitAssembled, r.KitDisassembled, r.ChannelStockSet, r.RecallOpened, r.RecallClosed,
    r.ChannelSet, r.KitSet,
)  # fmt: skip


# What many records have and few rules look at; said now and then.
_ASIDES: dict[str, tuple[Any, ...]] = {
    "reason": ("so it is",), "note": ("seen",), "supplier": ("farm",), "produced": ("2023-10-01",),
    "occurred_at": ("2023-11-14T09:14:58+01:00", "2023-10-31T23:30:00-05:00"),
}  # fmt: skip


class Traffic:
    """Makes one record after another. `scarce`: orders fight for units. `confirmed`: ids of orders that were, which
    grow while it runs: most of what happens to an order happens to one that was confirmed."""

    def __init__(self, chance: Random, scarce: bool, confirmed: Sequence[str] = ()) -> None:
        self._chance, self._units, self._confirmed = chance, 4 if scarce else 15, confirmed
        self._orders = self._ids = 0

    def stock(self, *, wide: bool = False) -> list[r.Record]:
        """What there is before the first order. Two SKUs are mostly at one place each, so that orders have to move.
        `wide`: one lot lies at so many places that a recall, a status, a policy or midnight comes to it in pages."""
        day = self._chance.choice(BEST_BEFORE)
        nowhere = {("S1", "W1"), ("S2", "W2")} if self._chance.random() < 0.6 else set()
        return [
            r.KitSet(id=self._id(), kit=KIT, parts=[r.KitPart("S0", 2), r.KitPart("S1", 1)]),
            r.ChannelSet(id=self._id(), channel="grocer", minimum_life_days=30, promise_days=1),
            *(r.PolicySet(id=self._id(), sku=sku, backorder_limit=3, expiring_days=3) for sku in SKUS[:2]),
            *(
                r.Received(
                    id=self._id(), sku=sku, location=place, lot="A", quantity=self._chance.randint(1, self._units),
                    best_before=self._chance.choice(BEST_BEFORE),
                )
                for sku in SKUS for place in PLACES if (sku, place) not in nowhere
            ),
            *(
                r.Received(id=self._id(), sku="S0", location=place, lot="A", quantity=1, best_before=day)
                for place in (WIDE if wide else ())
            ),
            *([r.PolicySet(id=self._id(), sku="S0", backorder_limit=3, expiring_days=10)] if wide else ()),
        ]  # fmt: skip

    def order(self) -> r.OrderPlaced:
        chance = self._chance
        self._orders += chance.random() < 0.95
        order_id = f"o{self._orders}"
        skus = chance.sample(SKUS, chance.choice((1, 1, 2, 3)))
        odd = chance.random()
        if odd < 0.05:
            skus.append(chance.choice((skus[0], "NONE")))
        elif odd < 0.15:
            skus.append(chance.choice((KIT, BOX)))
        units = (0, -1, 1) if odd > 0.97 else (1, 1, 1, 2, 3)
        return r.OrderPlaced(
            id=order_id, order_id=order_id, channel=chance.choice(CHANNELS) or "market",
            lines=[r.Line(sku, chance.choice(units)) for sku in skus],
            locations=chance.sample(PLACES, chance.choice((0, 1, 1, 2, 2, 2))),
            policy=chance.choice((None, None, "ship_available", "backorder", "backorder")),
            payment=chance.choice(("paid", "paid", "paid", "authorized", "pending")),
            checks=chance.choice(([], [], [], ["fraud"])), payment_seconds=chance.choice((None, 2, 30)),
            occurred_at=chance.choice((None, "2026-03-02T09:14:58+01:00")),
            exchange_of=self._order_id() if chance.random() < 0.1 else None,
        )  # fmt: skip

    def about_order(self) -> Any:
        chance = self._chance
        kind = chance.choice(_WORDS)
        make = _ABOUT.get(kind)
        more = self._aside(kind) | (make(self, chance) if make else {})
        return kind(id=self._id(), order_id=self._order_id(), **more)

    def fact(self, end: int) -> Any:
        """`end`: of the stock log; counts may look back."""
        chance = self._chance
        kind = chance.choice(_FACTS)
        if kind in _RULES:
            return kind(id=self._id(), **self._aside(kind), **_RULES[kind](chance))
        place = chance.choice(PLACES)
        more = self._aside(kind) | _STOCK[kind](self, chance, end)
        sku = more.pop("sku", None) or chance.choice(SKUS)
        if kind in _ANYWHERE:
            return kind(id=self._id(), sku=sku, **more)
        return kind(id=self._id(), sku=sku, **{"location": place, **more})

    # ---- parts of the above

    def lines(self, chance: Random) -> list[tuple[str, int]]:
        skus = chance.sample(SKUS, chance.choice((1, 1, 2)))
        return [(sku, chance.randint(1, 2)) for sku in skus]

    def of_an_order(self, chance: Random) -> dict[str, Any]:
        return {"order_id": self._order_id(), "attempt": chance.choice((1, 1, 1, 2))}

    @property
    def units(self) -> int:
        return self._units

    def _id(self) -> str:
        self._ids += 1
        return f"x{self._ids if self._chance.random() < 0.95 else self._chance.randint(1, self._ids)}"

    def _aside(self, kind: type[r.Record]) -> dict[str, Any]:
        """In one record of five: what it has of the above."""
        if self._chance.random() >= 0.2:
            return {}
        return {name: self._chance.choice(_ASIDES[name]) for name in kind.__struct_fields__ if name in _ASIDES}

    def _order_id(self) -> str:
        """One that was confirmed, or one of the last orders, or the next."""
        back = int(self._chance.expovariate(0.3))
        if self._confirmed and self._chance.random() < 0.7:
            return self._confirmed[max(len(self._confirmed) - 1 - back, 0)]
        return f"o{max(1, self._orders + 1 - back)}"


Make = dict[str, Any]


def _check(traffic: Traffic, chance: Random) -> Make:
    return {"check": chance.choice(("fraud", "fraud", "address"))}


def _cancel(traffic: Traffic, chance: Random) -> Make:
    return {"lines": [r.CancelLine(*x) for x in traffic.lines(chance)]} if chance.random() < 0.4 else {}


def _picked(traffic: Traffic, chance: Random) -> Make:
    more: Make = {"location": chance.choice((None, *PLACES))}
    if chance.random() < 0.5:
        more["lines"] = [
            r.PickedLine(sku, n, chance.choice((None, *LOTS)), chance.choice((0, 0, 0, 1)))
            for sku, n in traffic.lines(chance)
        ]
    return more


def _packed(traffic: Traffic, chance: Random) -> Make:
    return {"location": chance.choice((None, *PLACES)), "cartons": chance.choice(([], ["C1"], ["C2", "C3"]))}


def _sent(traffic: Traffic, chance: Random) -> Make:
    more: Make = {
        "location": chance.choice((None, None, *PLACES)), "tracking": chance.choice((None, "T1", "T2")),
        "final": chance.random() < 0.25,
    }  # fmt: skip
    if chance.random() < 0.4:
        more["lines"] = [
            r.ShippedLine(sku, n, chance.choice((None, *PLACES)), chance.choice((None, *LOTS)), _known(chance))
            for sku, n in traffic.lines(chance)
        ]
    return more


def _tracked(traffic: Traffic, chance: Random) -> Make:
    return {"tracking": chance.choice(("T1", "T2")), "status": chance.choice(("in_transit", "delivered", "failure"))}


def _back(traffic: Traffic, chance: Random) -> Make:
    return {"return_id": chance.choice(("R1", "R2")), "lines": [r.CancelLine(*x) for x in traffic.lines(chance)]}


def _inspected(traffic: Traffic, chance: Random) -> Make:
    lines = [
        r.InspectedLine(
            sku, n, chance.choice(("restock", "restock", "scrap", "quarantine", "to_supplier")),
            chance.choice((None, *PLACES)), chance.choice((None, *LOTS)),
        )
        for sku, n in traffic.lines(chance)
    ]  # fmt: skip
    return {"return_id": chance.choice(("R1", "R2")), "lines": lines}


def _edited(traffic: Traffic, chance: Random) -> Make:
    lines = [(KIT, 1)] if chance.random() < 0.2 else []
    return {"lines": [r.EditLine(sku, chance.choice((0, 1, n, n + 1))) for sku, n in lines + traffic.lines(chance)]}


_ABOUT: dict[type, Callable[[Traffic, Random], Make]] = {
    r.CheckOpened: _check, r.CheckPassed: _check, r.CheckFailed: _check, r.CancelRequested: _cancel,
    r.OrderPicked: _picked, r.OrderPacked: _packed, r.OrderShipped: _sent, r.TrackingUpdated: _tracked,
    r.ReturnAuthorized: _back, r.ReturnReceived: _back, r.ReturnInspected: _inspected, r.OrderEdited: _edited,
    r.PaymentRefunded: lambda traffic, chance: {"partial": chance.random() < 0.5},
}  # fmt: skip


def _known(chance: Random) -> str:
    return chance.choice(("scanned", "reported"))


def _lot(chance: Random) -> str | None:
    return chance.choice((None, *LOTS))


def _received(traffic: Traffic, chance: Random, end: int) -> Make:
    return {
        "sku": chance.choice((*SKUS, *SKUS, BOX)), "lot": chance.choice(LOTS),
        "quantity": chance.randint(1, traffic.units), "best_before": chance.choice(BEST_BEFORE),
        "status": chance.choice(("approved", "approved", "approved", "inspection")),
        "reference": chance.choice(("", "", "PO1", "PO2")),
    }  # fmt: skip


def _counted(traffic: Traffic, chance: Random, end: int) -> Make:
    return {
        "lot": chance.choice(LOTS), "quantity": chance.randint(0, traffic.units),
        "as_of_offset": chance.choice((None, chance.randint(0, end))), "as_of_index": chance.choice((0, 0, 1)),
        "reason": chance.choice(("cycle_count", "found")), "recount": chance.random() < 0.3,
    }  # fmt: skip


def _gone(traffic: Traffic, chance: Random, end: int) -> Make:
    more: Make = {"lot": _lot(chance), "quantity": chance.randint(1, 2), "known": _known(chance)}
    if chance.random() < 0.4:
        return more | traffic.of_an_order(chance)
    return more | {"channel": chance.choice(("", "shop", "grocer"))}


def _picked_up(traffic: Traffic, chance: Random, end: int) -> Make:
    return {
        "lot": _lot(chance), "quantity": chance.randint(0, 2), "short": chance.choice((0, 0, 1)),
        **traffic.of_an_order(chance),
    }  # fmt: skip


def _came_back(traffic: Traffic, chance: Random, end: int) -> Make:
    return {
        "lot": _lot(chance), "quantity": chance.randint(1, 2),
        "disposition": chance.choice(("restock", "restock", "scrap", "quarantine")),
        "order_id": chance.choice((None, traffic.of_an_order(chance)["order_id"])),
    }  # fmt: skip


def _policy(traffic: Traffic, chance: Random, end: int) -> Make:
    return {
        "location": chance.choice((None, *PLACES)), "safety_stock": chance.randint(0, 1),
        "reorder_point": chance.randint(0, 3), "expiring_days": chance.choice((0, 3, 10)),
        "count_tolerance": chance.choice((0, 0, 2)), "backorder_limit": chance.choice((0, 2, 4)),
        "backorder_due": chance.choice((None, "2023-12-24")), "hysteresis": chance.choice((0, 2)),
    }  # fmt: skip


def _incoming(traffic: Traffic, chance: Random, end: int) -> Make:
    return {
        "reference": chance.choice(("PO1", "PO2")), "quantity": chance.randint(1, traffic.units),
        "expected": chance.choice(("2023-11-20", "2023-12-01")),
    }  # fmt: skip


def _sent_on(traffic: Traffic, chance: Random, end: int) -> Make:
    here, there = chance.sample(PLACES, 2)
    return {
        "location": here, "to": there, "quantity": chance.randint(1, 3), "reference": chance.choice(("T1", "T2")),
        "lot": _lot(chance), "expected": chance.choice((None, "2023-11-20")),
    }  # fmt: skip


_REASONS = {-3: "damaged", -2: "expired", -1: "recall"}


def _adjusted(traffic: Traffic, chance: Random, end: int) -> Make:
    lot, quantity = _lot(chance), chance.randint(-3, 2)
    return {"lot": lot, "quantity": quantity, "reason": _REASONS.get(quantity, "correction")}


def _arrived(traffic: Traffic, chance: Random, end: int) -> Make:
    return {
        "quantity": chance.randint(0, 3), "reference": chance.choice(("T1", "T2")), "lot": _lot(chance),
        "final": chance.random() < 0.7,
    }  # fmt: skip


def _notified(traffic: Traffic, chance: Random, end: int) -> Make:
    return _incoming(traffic, chance, end) | {"lot": _lot(chance)}


def _built(traffic: Traffic, chance: Random, end: int) -> Make:
    return _boxes(traffic, chance, end) | {"best_before": chance.choice(BEST_BEFORE)}


def _boxes(traffic: Traffic, chance: Random, end: int) -> Make:
    return {
        "sku": BOX, "quantity": 1, "lot": chance.choice(LOTS),
        "parts": [r.KitPartUsed(sku, n, _lot(chance)) for sku, n in traffic.lines(chance)],
    }  # fmt: skip


_STOCK: dict[type, Callable[[Traffic, Random, int], Make]] = {
    r.Received: _received, r.Counted: _counted, r.Shipped: _gone, r.Picked: _picked_up, r.Returned: _came_back,
    r.PolicySet: _policy, r.PurchaseOrdered: _incoming, r.PurchaseConfirmed: _incoming, r.PurchaseNotified: _notified,
    r.TransferredOut: _sent_on, r.TransferredIn: _arrived, r.KitAssembled: _built, r.KitDisassembled: _boxes,
    r.Adjusted: _adjusted,
    r.SkuDefined: lambda traffic, chance, end: {
        "flavor": "original", "packaging": "bag", "size": "100 g", "gtin": "04012345678901",
        "discontinued": chance.random() < 0.1, "case_units": chance.choice((0, 12)),
        "channels": chance.choice(([], [], [], ["shop", "grocer"])),
    },
    r.LotDefined: lambda traffic, chance, end: {
        "lot": chance.choice(LOTS), "best_before": chance.choice(BEST_BEFORE), "supplier": chance.choice(("", "farm")),
        "documents": chance.choice(([], ["certificate"])),
    },
    r.LotStatusSet: lambda traffic, chance, end: {
        "lot": chance.choice(LOTS), "status": chance.choice(("approved", "approved", "inspection", "on_hold")),
    },
    r.ConditionChanged: lambda traffic, chance, end: {
        "lot": chance.choice(LOTS), "quantity": chance.randint(1, 2),
        "condition": chance.choice(("damaged", "quarantined", "good")),
    },
    r.PurchaseClosed: lambda traffic, chance, end: {"reference": chance.choice(("PO1", "PO2"))},
    r.ChannelStockSet: lambda traffic, chance, end: {
        "channel": chance.choice(("shop", "grocer")), "ring_fence": chance.choice((0, 1, 3)),
        "buffer": chance.choice((0, 1)),
    },
}  # fmt: skip
_ANYWHERE = (r.SkuDefined, r.LotDefined, r.LotStatusSet)  # facts of a SKU, not of a location
_RULES: dict[type, Callable[[Random], Make]] = {
    r.ChannelSet: lambda chance: {
        "channel": "grocer", "minimum_life_days": chance.choice((0, 5, 30)), "promise_days": chance.choice((0, 1)),
        "locations": chance.choice(([], ["W1"], ["W2", "W1"])), "closed": chance.random() < 0.1,
        "policy": chance.choice(("all_or_nothing", "backorder", "ship_available")),
    },
    r.KitSet: lambda chance: {
        "kit": KIT, "parts": chance.choice(([], [r.KitPart("S1", 1)], [r.KitPart("S0", 1), r.KitPart("S2", 2)])),
    },
    r.RecallOpened: lambda chance: {
        "lot": chance.choice(LOTS), "skus": chance.choice(([], [], ["S0"])), "mock": chance.random() < 0.2,
    },
    r.RecallClosed: lambda chance: {"lot": chance.choice(LOTS)},
}  # fmt: skip
