"""One partition's books: its SKUs with their shelves, what it promised, which facts it knows, and its rules.

Does not belong here: what changes them (`stock_facts`, `promises`).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from proof.audit.intake import LogState
from proof.audit.promise import Promise
from proof.audit.shelves import Batch, Lot, Master, Policy, Recall, Shelf, day_of
from tables import records as r


def _sellable(lot: Lot) -> int:
    return lot.sellable


def _blocked(lot: Lot) -> int:
    return lot.blocked


_THROWN_AWAY = {  # reasons of an adjustment that say of which units it speaks
    "damaged": _blocked, "quality": _blocked,
    "expired": lambda lot: lot.on_hand * lot.expired, "recall": lambda lot: lot.on_hand * (lot.status == "recalled"),
}  # fmt: skip


class Day:
    """What is known of a SKU's demand at a location on one day; `at`: the place of the last record that counted in it.
    `hours`: UTC hours in which an order met no stock, or took the last."""

    __slots__ = ("at", "cancelled", "hours", "ordered", "orders", "refused", "returned", "shipped")

    def __init__(self) -> None:
        self.at = self.ordered = self.orders = self.refused = self.cancelled = self.shipped = self.returned = 0
        self.hours: set[int] = set()


class Room:
    """`today`: the day of its state time. `rules`: those that hold in its log. `heard`: units the orders' own facts
    told: order -> (what, SKU). `new_facts`, `new_days`, `touched`: facts, days of demand, and orders that were spoken
    of, since somebody looked."""

    def __init__(self) -> None:
        self.today = ""
        self.rules = 0
        self.skus: dict[str, Master] = {}
        self.promises: dict[tuple[str, int], Promise] = {}
        self.facts: dict[str, tuple[bytes, int]] = {}  # id -> (content, place)
        self.attempts: dict[str, set[int]] = {}  # order -> its attempts in `promises`
        self.forgotten: set[str] = set()  # orders with promises that are past their time
        self.channels: dict[str, r.ChannelSet] = {}
        self.recalls: dict[str, Recall] = {}
        self.lots_of: dict[str, dict[str, Lot]] = {}  # lot code -> row key -> lot
        self.calendar: list[tuple[int, str]] = []  # heap of (day, row key): when a lot is to be looked at, or was once
        self.heard: dict[str, Counter[tuple[str, str]]] = {}
        self.kits: dict[str, tuple[str, int, int]] = {}  # id a part's move must have -> (SKU, units, place), until seen
        self.told_kits: set[str] = set()
        self.days: dict[tuple[str, str, str], Day] = {}  # (SKU, location, day)
        self.new_days: set[tuple[str, str, str]] = set()
        self.new_facts: list[str] = []
        self.touched: set[str] = set()

    def promise(self, key: tuple[str, int], promise: Promise) -> None:
        """A new promise of an order's attempt."""
        self.promises[key] = promise
        self.attempts.setdefault(key[0], set()).add(key[1])

    def day(self, sku: str, location: str, name: str, place: int) -> Day:
        """A day's demand, changed by the record at `place`."""
        key = sku, location, name
        day = self.days.get(key)
        if day is None:
            day = self.days[key] = Day()
        day.at = place
        self.new_days.add(key)
        return day

    def shelf(self, sku: str, location: str) -> Shelf | None:
        master = self.skus.get(sku)
        return master.shelves.get(location) if master else None

    def shown(self, sku: str, location: str) -> Shelf:
        """The shelf, or one that holds nothing: a row of nothing may stand anywhere."""
        master = self.skus.get(sku)
        return self.shelf(sku, location) or Shelf(sku, location, master.policy if master else Policy())

    def master(self, sku: str, place: int) -> Master:
        """What is known of a SKU, from now on at the latest."""
        known = self.skus.get(sku)
        if known is None:
            known = self.skus[sku] = Master()
            known.at = place
        return known

    def shelf_of(self, sku: str, location: str, place: int) -> Shelf:
        """The shelf, made if it is new, and changed by the record at `place`."""
        master = self.master(sku, place)
        shelf = master.shelves.get(location)
        if shelf is None:
            shelf = master.shelves[location] = Shelf(sku, location, master.policy, self.calendar)
        shelf.at = place
        return shelf

    def lot_of(self, shelf: Shelf, code: str, place: int) -> Lot:
        """The lot on this shelf; a new one is what its batch is, or recalled."""
        lot = shelf.lots.get(code)
        if lot is None:
            batch = self.batch(shelf.sku, code)
            lot = Lot(shelf, code, batch.best_before if batch else "", self.status(shelf.sku, code), place)
            lot.expired = self.dated(lot.best_before)["expired"]
            shelf.lots[code] = lot
            self.lots_of.setdefault(code, {})[lot.key] = lot
        return lot

    def batch(self, sku: str, code: str) -> Batch | None:
        master = self.skus.get(sku)
        return master.batches.get(code) if master else None

    def status(self, sku: str, code: str) -> str:
        """Of a lot, by its recall, then by its batch."""
        recall = self.recalls.get(code)
        if recall is not None and recall.freezes(sku):
            return "recalled"
        batch = self.batch(sku, code)
        return batch.status if batch else "approved"

    def dated(self, best_before: str) -> dict[str, Any]:
        """What a lot is that has this best-before from now on."""
        expired = bool(best_before and self.today and best_before < self.today)
        return {"best_before": best_before, "expired": expired, "warned": False}

    def leave(
        self, shelf: Shelf, units: int, code: str | None, kind: str, place: int, floor: str = "", reason: str = ""
    ) -> list[tuple[Lot, int]]:
        """Units go from a shelf. By rules 5 those that may be sold go before the others, unless `reason` says why some
        of the others are thrown away."""
        if self.rules < 5:
            return shelf.leave(units, code, kind, place, self.today, floor)
        ahead = _THROWN_AWAY.get(reason, _sellable)
        return shelf.leave(units, code, kind, place, self.today, floor, ahead, blocked=ahead is _blocked)

    def look_at_clock(self, log: LogState) -> None:
        self.today = day_of(log.state_ms)
