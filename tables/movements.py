"""A stock fact while it is decided: lots as its movements leave them, and the effects that make them so.

Reads rows. Guarantees: every unit that a lot gains or loses is in its stock row too, available or not, and leaves a
trace; no lot and no stock row goes below nothing: what the books do not have is `missing`. Everything that follows from
the day or the policy is in the effects, so that nothing is looked up again when the fact comes again.
Does not belong here: what a fact means (`receiving`, `shelf`, `shipping`, ...), counting (`effects`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from tables import effects, lots
from tables.alerts import raised
from tables.codec import digest
from tables.outcome import At, View
from tables.rows import (
    BatchRow,
    Effect,
    Floor,
    LotEffect,
    LotRow,
    PartitionRow,
    Policy,
    PolicyEffect,
    RaisedAlert,
    RecallRow,
    SkuRow,
    StockEffect,
    TraceEffect,
    batch_key,
    lot_key,
    recall_key,
    sku_key,
    stock_key,
)

LOTS_MAX = 40  # lots one record may change the standing of: each has a stock row too, and a record at most 100 rows
STEM_MAX = 128  # characters of an id that others begin with: no more fit `LotsContinued.cause`

T = TypeVar("T")


class Decision(NamedTuple):
    """What a fact does: its effects, the units that the books did not have, what people must hear, whether the rest of
    it needs another record."""

    effects: tuple[Effect, ...]
    missing: int = 0
    alerts: tuple[RaisedAlert, ...] = ()
    more: bool = False


class Movements:
    """One fact's, in the order they happen. `occurred_at`, `order_id`, `channel` stand in each of its traces."""

    def __init__(
        self, view: View, at: At, log: PartitionRow, *, occurred_at: str | None = None, order_id: str | None = None,
        channel: str = "",
    ) -> None:  # fmt: skip
        self.view, self.at, self.log = view, at, log
        self.day = lots.today(log)
        self.missing = 0
        self.alerts: list[RaisedAlert] = []
        self.more = False
        self._about = (occurred_at or "", order_id or "", channel)
        self._lots: dict[str, LotRow] = {}
        self._effects: list[Effect] = []
        self._stock: dict[str, StockEffect] = {}
        self._policies: dict[str, Policy] = {}

    # ---- what there is

    def lots(self, sku: str, location: str) -> list[LotRow]:
        """The lots of a SKU at a location, as they are so far."""
        return [self._lots.get(key) or self.view.get(key) for key in self.view.below(f"lot|{sku}|{location}|")]

    def lot(self, sku: str, location: str, code: str) -> LotRow:
        """The lot as it is so far; one that never was here has no units, and its batch's standing."""
        key = lot_key(sku, location, code)
        row: LotRow | None = self._lots.get(key) or self.view.get(key)
        if row is not None:
            return row
        batch: BatchRow | None = self.view.get(batch_key(sku, code))
        best_before = batch.best_before if batch else ""
        return LotRow(
            self.at.place, sku, location, code, best_before, self.at.place, 0, 0, standing(self.view, sku, code),
            self.is_over(best_before), False, 0, (),
        )  # fmt: skip

    def is_over(self, best_before: str) -> bool:
        return best_before != "" and best_before < self.day

    def policy(self, sku: str, location: str) -> Policy:
        """The policy of the stock row, or the one it will be made with."""
        key = stock_key(sku, location)
        if key not in self._policies:
            stock = self.view.get(key)
            master: SkuRow | None = self.view.get(sku_key(sku)) if stock is None else None
            self._policies[key] = stock.policy if stock else master.policy if master else Policy()
        return self._policies[key]

    def due(self, lot: LotRow) -> int:
        """The next day on which time alone changes something for this lot, by the policy of its shelf; 0: never."""
        days = self.policy(lot.sku, lot.location).expiring_days
        return lots.due(lot.best_before, days, expired=lot.expired, warned=lot.warned or lot.on_hand == 0)

    # ---- what happens

    def move(
        self, lot: LotRow, units: int = 0, kind: str = "", *, blocked: int | None = None,
        best_before: str | None = None, status: str | None = None, expired: bool | None = None,
        warned: bool | None = None, known: str = "", reference: str = "",
    ) -> LotRow:  # fmt: skip
        """Signed `units` of a lot, with their trace; and what it is from now on (None: as it was).

        `blocked`: signed; None: as many as there are units left for, those in good condition leave first.
        """
        key = lot_key(lot.sku, lot.location, lot.lot)
        if best_before is not None and best_before != lot.best_before:
            expired, warned = self.is_over(best_before), False
        if blocked is None:
            blocked = min(lot.blocked, lot.on_hand + units) - lot.blocked
        new = key not in self._lots and self.view.get(key) is None
        after = replace(
            lot, on_hand=lot.on_hand + units, blocked=lot.blocked + blocked,
            best_before=lot.best_before if best_before is None else best_before,
            status=lot.status if status is None else status,
            expired=lot.expired if expired is None else expired, warned=lot.warned if warned is None else warned,
        )  # fmt: skip
        after = replace(after, due=self.due(after))
        was = effects.blank_lot(lot.sku, lot.location, lot.lot, self.at) if new else lot
        effect = LotEffect(
            lot.sku, lot.location, lot.lot, units, blocked, _if_new(was.best_before, after.best_before),
            _if_new(was.status, after.status), _if_new(was.expired, after.expired),
            _if_new(was.warned, after.warned), _if_new(was.due, after.due),
        )  # fmt: skip
        if after != lot or new:
            self._effects.append(effect)
            self._lots[key] = after
        self.stock(lot.sku, lot.location, on_hand=units, unavailable=lots.unavailable(after) - lots.unavailable(lot))
        if units and kind:
            self.trace(lot, units, kind, known=known, reference=reference)
        return after

    def leave(
        self, sku: str, location: str, units: int, named: str | None, kind: str, *, known: str = "",
        reference: str = "", floor: str = "", first: Callable[[LotRow], int] | None = None,
    ) -> list[tuple[LotRow, int]]:  # fmt: skip
        """Units leave, the named lot first. `known`: how it is known that they were of the named lot. `floor`: the
        best-before that they were promised with. `first`: those of a lot that leave before others do; without it those
        that may be promised."""
        taken, missing = self.choose(sku, location, units, named, floor, first)
        self.stock(sku, location)
        for lot, gone in taken:
            self.move(
                lot, -gone, kind, blocked=-min(gone, lot.blocked) if first is lots.apart else None,
                known=known if lot.lot == named else "presumed" if known else "", reference=reference,
            )  # fmt: skip
        self.missing += missing
        return taken

    def choose(
        self, sku: str, location: str, units: int, named: str | None, floor: str,
        first: Callable[[LotRow], int] | None = None,
    ) -> tuple[list[tuple[LotRow, int]], int]:  # fmt: skip
        """Which lots they are of, and how many no lot has (`lots.take`). By rules 5 units that are set apart are not
        presumed to have left while there are others."""
        if self.log.logic_version < 5:
            first = None
        elif first is None:
            first = lots.sellable
        return lots.take(self.lots(sku, location), units, named, self.day, floor, first)

    def stock(
        self, sku: str, location: str, *, on_hand: int = 0, unavailable: int = 0, allocated: int = 0,
        floors: tuple[Floor, ...] = (),
    ) -> None:  # fmt: skip
        """Signed units of the stock row. Without any it is marked as changed: its version is that of all that is shown
        with it."""
        key = stock_key(sku, location)
        so_far = self._stock.get(key) or StockEffect(sku, location)
        self._stock[key] = StockEffect(
            sku, location, so_far.on_hand + on_hand, so_far.unavailable + unavailable, so_far.allocated + allocated,
            so_far.backordered, so_far.floors + floors,
        )  # fmt: skip

    def trace(self, lot: LotRow, units: int, kind: str, *, known: str = "", reference: str = "") -> None:
        occurred_at, order_id, channel = self._about
        self._effects.append(TraceEffect(
            lot.lot, lot.sku, lot.location, kind, units, occurred_at, order_id, channel, known, reference
        ))  # fmt: skip

    def set_policy(self, sku: str, location: str, policy: Policy) -> None:
        self._policies[stock_key(sku, location)] = policy
        self.add(PolicyEffect(sku, location, policy))

    def add(self, effect: Effect) -> None:
        self._effects.append(effect)

    def alert(self, sku: str, location: str, kind: str, *, lot: str = "", units: int = 0, note: str = "") -> None:
        stock = self.view.get(stock_key(sku, location))
        self.alerts.append(raised(stock, sku, location, kind, lot=lot, units=units, note=note))

    def decision(self) -> Decision:
        """Everything so far. A stock row that is made by it gets the policy its SKU has now: recorded, so that a later
        one does not slip in when the fact comes again."""
        first = [
            PolicyEffect(x.sku, x.location, self.policy(x.sku, x.location))
            for key, x in self._stock.items() if self.view.get(key) is None
        ]  # fmt: skip
        return Decision((*first, *self._effects, *self._stock.values()), self.missing, tuple(self.alerts), self.more)


def stem(fact: Any) -> str:
    """What the ids of records that follow from this one begin with: its id, or its digest where those would be too
    long to be read."""
    return fact.id if len(fact.id) <= STEM_MAX else digest(fact).hex()


def _if_new(was: T, now: T) -> T | None:
    return None if now == was else now


def standing(view: View, sku: str, lot: str, otherwise: str = "approved") -> str:
    """The status of a SKU's lot, wherever it is: recalled while a recall covers it, else its batch's."""
    if is_recalled(view.get(recall_key(lot)), sku):
        return "recalled"
    batch: BatchRow | None = view.get(batch_key(sku, lot))
    return batch.status if batch else otherwise


def is_recalled(recall: RecallRow | None, sku: str) -> bool:
    if recall is None or recall.mock or recall.state != "open":
        return False
    return not recall.skus or sku in recall.skus
