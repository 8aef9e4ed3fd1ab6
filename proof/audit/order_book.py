"""The auditor's own fold of the order log: what every order is, and the one decision it had to get.

Reads records of the order log, in order, per partition; keeps one small object per order. Shares no code with the
agents: where this and they disagree, one of them is wrong. Does not belong here: stock, comparing (`check_orders`).
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from proof.audit.dead_letters import DeadLetters
from proof.audit.intake import LogState
from proof.audit.order import OPEN, OWED, Change, Order, decide, spoke
from proof.audit.order_answers import answered, ask, ask_again, confirm, deadline, move_answered
from proof.audit.order_edits import edited
from proof.audit.order_facts import cancelled, checked, not_paid, paid, paid_back
from proof.audit.order_parcels import delivered, filled, packed, picked, shipped, tracked
from proof.audit.order_returns import all_came_back, came_back
from proof.audit.seen import ORDERS
from tables import records as r
from tables.codec import digest

FACTS_MAX = 500
LINES_TOLD_MAX = 4_000


class OrderBook:
    """All orders of the log, and the rules it was told. `broken`: places at which a line's equation did not hold.
    `touched`: orders that changed since somebody looked."""

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters
        self.orders: dict[str, Order] = {}
        self.broken: list[tuple[str, int, int]] = []  # (order, partition, place), since somebody looked
        self.touched: set[str] = set()
        self.channels: dict[tuple[int, str], r.ChannelSet] = {}

    def take(self, log: LogState, record: Any, place: int, ms: int) -> str:
        """Apply one record; a text says why it belongs to the dead letters instead."""
        kind = type(record)
        if kind is r.Prune:
            return self._prune(log, record, place)
        if kind in (r.ReservationOverdue, r.Tick, r.TickContinued):
            return ""  # what was decided is said once more; time itself changes no order
        if kind is r.ChannelSet:
            self.channels[log.number, record.channel] = record
            return ""
        if kind is r.KitSet:
            log.kits[record.kit] = in_one = {}
            for part in record.parts:
                in_one[part.sku] = in_one.get(part.sku, 0) + part.quantity
            return ""
        return self._order(log, record, place, ms)

    def _order(self, log: LogState, record: Any, place: int, ms: int) -> str:
        order = self.orders.get(record.order_id)
        if order is not None and (order.deleted or log.is_past(order.forget_ms)):
            order = None
        known = order is not None
        if order is None:
            order = Order(log.number, record.order_id)
        kind = type(record)
        content = b""
        if kind not in _CLOCKED:
            content = digest(record)
            before = order.seen.get(record.id)
            if before is not None:
                return "" if before == content else "id_conflict"
            if len(order.seen) >= FACTS_MAX and kind is not r.BackorderFilled:
                return "too_many_facts"
            near = _lines_told(order, record) > LINES_TOLD_MAX // 4
            if near and self._letters.is_said((ORDERS, log.number, place), "too_many_lines"):
                return "too_many_lines"
        if kind is r.OrderPlaced:
            done: bool | str = self._placed(order, record, place, ms, log)
        elif log.logic >= 4 and kind in _OF_GOODS and (order.state in OPEN or not _has_its_turn(order, record)):
            done = _wait(order, record, place, ms, log)
        else:
            done = _do(order, record, place, ms, log)
        if isinstance(done, str):
            return done
        while turn := next((x for x in order.untimely if _has_its_turn(order, x[0])), None):
            order.untimely.remove(turn)
            _do(order, turn[0], place, turn[1], log)  # what is wrong with it is noted, it is no dead letter any more
        if content:
            order.seen[record.id] = content
            order.lines_told = _lines_told(order, record)
        if content or done:
            self._changed(order, place, log)
            if not known:
                self.orders[record.order_id] = order
        return ""

    def _changed(self, order: Order, place: int, log: LogState) -> None:
        order.at = place
        self.touched.add(order.id)
        owed = order.state in ("pending", "on_hold", *OWED) or bool(order.awaited or order.edit)
        order.forget_ms = 0 if owed else log.from_now(log.limits.order_keep_seconds)
        if not order.check_lines():
            self.broken.append((order.id, order.partition, place))

    def _placed(self, order: Order, record: r.OrderPlaced, place: int, ms: int, log: LogState) -> bool | str:
        content = digest(replace(record, id="") if log.logic >= 6 else record)
        if order.placed:
            return False if order.placed in (content, digest(record)) else "id_conflict"
        rules = self.channels.get((log.number, record.channel))
        order.placed, order.channel = content, record.channel
        order.locations = list(dict.fromkeys(record.locations or (rules.locations if rules else ())))
        order.policy = record.policy or (rules.policy if rules else "all_or_nothing")
        order.exchange_of = record.exchange_of or ""
        if record.payment == "paid" and order.payment not in ("partially_refunded", "refunded"):
            order.payment = "captured"
        elif order.payment == "none":
            order.payment = record.payment
        order.payment_seconds = record.payment_seconds or log.limits.payment_seconds
        for check in dict.fromkeys(record.checks):
            order.open_check(check)
        self._explode(order, record, log)
        order.state = "pending"
        if len(order.wanted) > r.LINES_MAX:
            order.wanted = {}
            decide(order, "rejected", "too_many_lines", place, ms)
        elif order.cancelled_early:
            decide(order, "rejected", "cancelled", place, ms)
        else:
            order.deadline = log.deadline(log.limits.undecided_seconds, ms)
            ask(order, log)
        return True

    def _explode(self, order: Order, record: r.OrderPlaced, log: LogState) -> None:
        """Kits into their parts, everything of one SKU summed."""
        for line in record.lines:
            in_one = log.kits.get(line.sku)
            if not in_one:
                order.alone[line.sku] = order.alone.get(line.sku, 0) + line.quantity
                order.wanted[line.sku] = order.wanted.get(line.sku, 0) + line.quantity
                continue
            before = order.kits.get(line.sku, (0, ()))[0]
            order.kits[line.sku] = (before + line.quantity, tuple(in_one.items()))
            order.whole[line.sku] += line.quantity
            for sku, units in in_one.items():
                order.wanted[sku] = order.wanted.get(sku, 0) + units * line.quantity
        most = r.WANTED_MAX
        order.wanted = {sku: max(-most, min(most, units)) for sku, units in order.wanted.items()}
        order.reset_lines()

    def _prune(self, log: LogState, record: r.Prune, place: int) -> str:
        for item in record.items:
            order = self.orders.get(item.order_id)
            if order is not None and not order.deleted and log.is_past(order.forget_ms):
                order.deleted, order.at, order.state = True, place, "deleted"
                order.let_go()
                self.touched.add(item.order_id)
        return ""

    def after(self, log: LogState, place: int) -> None:
        """Nothing is compared on the way."""


def is_due(order: Order, log: LogState, late_ms: int = 0) -> bool:
    """Whether the order's deadline passed more than `late_ms` of state time ago."""
    deadline = order.deadline if order.deadline >= 0 else log.first_ms - order.deadline
    return order.deadline != 0 and log.state_ms > 0 and deadline + late_ms <= log.state_ms


def _do(order: Order, record: Any, place: int, ms: int, log: LogState) -> bool | str:
    """What the record does to its order, as the order is now."""
    owed = order.owed() if order.policy == "backorder" else {}
    done: bool | str = _DO[type(record)](order, record, place, ms, log)
    if not isinstance(done, str):
        _end(order, owed)
    return done


def _wait(order: Order, record: Any, place: int, ms: int, log: LogState) -> bool:
    """What is told of goods too early is kept; of an order on hold a parcel shows that the hold is over."""
    order.untimely.append((record, ms))
    if order.state == "unplaced" and not order.deadline:
        order.deadline = log.deadline(log.limits.undecided_seconds, ms)
    elif order.state == "on_hold" and type(record) is r.OrderShipped:
        confirm(order, place, ms, log)
    return True


def _has_its_turn(order: Order, record: Any) -> bool:
    """There is an order that owes the goods, or will never be; a carrier speaks of a parcel that somebody told of."""
    if order.state in OPEN:
        return order.state == "unplaced" and not order.deadline
    if order.state not in OWED or type(record) is not r.TrackingUpdated:
        return True
    return any(record.tracking in x.tracking for x in order.fulfilments.values())


def _end(order: Order, owed: dict[tuple[int, str], None]) -> None:
    """Of a SKU of which nothing is owed any more, stock gives back whatever it still holds: units may have left before
    their stock came."""
    still = order.owed()
    for attempt, sku in owed:
        if (attempt, sku) not in still:
            units = sum(x.quantity for x in order.lines if (x.attempt, x.sku) == (attempt, sku))
            order.speaking.append(Change(sku, "", attempt, -units))
    spoke(order)


def _lines_told(order: Order, record: Any) -> int:
    """Lines named by facts about the order, this one included (without lines: all it has)."""
    lines = getattr(record, "lines", None)
    return order.lines_told if lines is None else order.lines_told + (len(lines) or len(order.lines))


# Known by the order itself, not by their ids.
_CLOCKED = (r.OrderPlaced, r.ReserveAnswered, r.MoveAnswered, r.DeadlineReached, r.AskAgain)
# What is told of goods: nothing before there is an order that owes them.
_OF_GOODS = (
    r.OrderPicked, r.OrderPacked, r.OrderShipped, r.TrackingUpdated, r.OrderDelivered, r.OrderReturned,
    r.ReturnAuthorized, r.ReturnReceived, r.ReturnInspected,
)  # fmt: skip
# Each returns whether the order changed, or why the record is dead.
_DO: dict[type, Any] = {
    r.ReserveAnswered: answered, r.MoveAnswered: move_answered, r.DeadlineReached: deadline, r.AskAgain: ask_again,
    r.CancelRequested: cancelled, r.OrderEdited: edited, r.PaymentAuthorized: paid, r.PaymentCaptured: paid,
    r.PaymentFailed: not_paid, r.PaymentRefunded: paid_back, r.PaymentVoided: paid_back, r.CheckOpened: checked,
    r.CheckPassed: checked, r.CheckFailed: checked, r.OrderPicked: picked, r.OrderPacked: packed,
    r.OrderShipped: shipped, r.BackorderFilled: filled, r.TrackingUpdated: tracked, r.OrderDelivered: delivered,
    r.OrderReturned: all_came_back, r.ReturnAuthorized: came_back, r.ReturnReceived: came_back,
    r.ReturnInspected: came_back,
}  # fmt: skip
