"""The auditor's own fold of the order log: what every order's decision had to be, and what it still has a claim to.

Reads records of the order log, in order, per partition; keeps one small object per order. Shares no code with the
agents: where this and they disagree, one of them is wrong. Does not belong here: stock, comparing (`check_orders`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from proof.audit.intake import LogState
from tables import records as r
from tables.codec import digest
from tables.murmur2 import murmur2, partition_of_sku

FACTS_MAX = 500
LINES_TOLD_MAX = 4_000
TURN_BITS = 5  # a contended order waits fewer than 2 ** min(attempt, TURN_BITS) turns: which, its id says
OPEN = ("unplaced", "pending", "on_hold")
OWED = ("confirmed", "picked", "packed")
STEPS = {
    r.OrderPicked: {"confirmed": "picked"},
    r.OrderPacked: {"confirmed": "packed", "picked": "packed"},
    r.OrderDelivered: {"shipped": "delivered"},
    r.OrderReturned: {"shipped": "returned", "delivered": "returned"},
}


class Decision(NamedTuple):
    """What must stand in `reservations`. `lines`: (sku, quantity, location, reason, available)."""

    status: str
    reason: str
    place: int
    ms: int
    attempt: int
    lines: tuple[tuple[str, int, str, str, int | None], ...]


class Line:
    __slots__ = ("cancelled", "location", "quantity", "shipped", "sku")

    def __init__(self, sku: str, quantity: int) -> None:
        self.sku, self.quantity, self.location, self.shipped, self.cancelled = sku, quantity, "", 0, 0

    @property
    def open(self) -> int:
        return self.quantity - self.shipped - self.cancelled


class Order:
    """`at`: place of the last record that changed it. `deadline`: negative counts from the first tick, 0 is none.
    `turns`: of the log, until a contended order asks again; None: it does not wait for that."""

    __slots__ = (
        "at", "attempt", "awaited", "cancelled_early", "cancels", "channel", "check_failed", "checks", "deadline",
        "decision", "deleted", "forget_ms", "lines", "locations", "partition", "payment", "payment_seconds", "placed",
        "refused", "seen", "sent_lines", "state", "turns", "waiting",
    )  # fmt: skip

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.at = self.attempt = self.deadline = self.payment_seconds = self.sent_lines = 0
        self.state, self.channel, self.payment, self.placed = "unplaced", "", "none", b""
        self.cancelled_early = self.check_failed = self.deleted = False
        self.forget_ms = 0  # state time from which it counts as never there
        self.checks: list[str] = []
        self.lines: list[Line] = []
        self.locations: list[str] = []
        self.awaited: set[int] = set()
        self.turns: int | None = None
        self.refused: dict[str, r.Refusal] = {}  # by SKU, in the order they came
        self.waiting: list[tuple[str, dict[str, int]]] = []  # cancellations of units, until it is decided
        self.seen: dict[str, bytes] = {}
        self.decision: Decision | None = None
        self.cancels: list[Decision] = []


class OrderBook:
    """All orders of the log."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}

    def take(self, log: LogState, record: Any, place: int, ms: int) -> str:
        """Apply one record to its order; a text says why it belongs to the dead letters instead."""
        if type(record) is r.Prune:
            return self._prune(log, record, place)
        if type(record) is r.ReservationOverdue:
            return ""  # what was decided is said once more: nothing changes
        order = self.orders.get(record.order_id)
        if order is not None and (order.deleted or log.is_past(order.forget_ms)):
            order = None
        known = order is not None
        if order is None:
            order = Order(log.number)
        kind = type(record)
        content = b""
        if kind not in _CLOCKED:
            content = digest(record)
            before = order.seen.get(record.id)
            if before is not None:
                return "" if before == content else "id_conflict"
            if len(order.seen) >= FACTS_MAX:
                return "too_many_facts"
            if _lines_told(order, record) > LINES_TOLD_MAX:
                return "too_many_lines"
        done = _DO[kind](order, record, place, ms, log)
        if isinstance(done, str):
            return done
        if content:
            order.seen[record.id] = content
        if content or done:
            order.at = place
            owed = order.state in ("pending", "on_hold", *OWED) or bool(order.awaited)
            order.forget_ms = 0 if owed else log.from_now(log.limits.order_keep_seconds)
            if not known:
                self.orders[record.order_id] = order
        return ""

    def _prune(self, log: LogState, record: r.Prune, place: int) -> str:
        for item in record.items:
            order = self.orders.get(item.order_id)
            if order is not None and not order.deleted and log.is_past(order.forget_ms):
                order.deleted, order.at, order.state = True, place, "deleted"
        return ""

    def after(self, log: LogState, place: int) -> None:
        """Nothing is compared on the way."""


# -- until it is decided. Each returns whether the order changed, or why the record is dead. ---------------------------


def _placed(order: Order, record: r.OrderPlaced, place: int, ms: int, log: LogState) -> bool | str:
    content = digest(record)
    if order.placed:
        return False if order.placed == content else "id_conflict"
    order.placed, order.channel, order.locations = content, record.channel, record.locations
    if record.payment == "paid":
        order.payment = "captured"
    elif order.payment == "none":
        order.payment = "pending"
    order.payment_seconds = record.payment_seconds or log.limits.payment_seconds
    order.checks += [x for x in dict.fromkeys(record.checks) if x not in order.checks]
    units: dict[str, int] = {}
    for line in record.lines:
        units[line.sku] = units.get(line.sku, 0) + line.quantity
    order.lines = [Line(sku, quantity) for sku, quantity in units.items()]
    order.state = "pending"
    if order.cancelled_early:
        _decide(order, "rejected", "cancelled", place, ms)
    else:
        order.deadline = log.from_now(log.limits.undecided_seconds)
        _ask(order, log)
    return True


def _ask(order: Order, log: LogState) -> None:
    order.attempt += 1
    order.awaited = {partition_of_sku(line.sku, log.partitions) for line in order.lines}
    order.turns, order.refused = None, {}


def _answered(order: Order, record: r.ReserveAnswered, place: int, ms: int, log: LogState) -> bool | str:
    if order.state == "unplaced":
        return "unknown_order"
    if record.attempt != order.attempt or record.partition not in order.awaited:
        return False
    mine = [x for x in order.lines if partition_of_sku(x.sku, log.partitions) == record.partition]
    if order.state == "pending" and not record.refused and len(record.locations) != len(mine):
        return "answer of another size"
    order.awaited.discard(record.partition)
    if order.state != "pending":
        return True
    if record.refused:
        for refusal in record.refused:
            order.refused[refusal.sku] = refusal
    else:
        for line, location in zip(mine, record.locations, strict=True):
            line.location = location
    if order.awaited:
        return True
    final = [x.reason for x in order.refused.values() if x.reason != "contended"]
    if final or (order.refused and order.attempt >= log.limits.attempts):
        _decide(order, "rejected", final[0] if final else "contended", place, ms)
    elif order.refused:
        for line in order.lines:
            line.location = ""
        order.turns = murmur2(f"{record.order_id}:{order.attempt}".encode()) % (1 << min(order.attempt, TURN_BITS))
    else:
        _grant(order, place, ms, log)
    return True


def _ask_again(order: Order, record: r.AskAgain, place: int, ms: int, log: LogState) -> bool:
    if order.state != "pending" or order.turns != record.hops or record.attempt != order.attempt + 1:
        return False
    if order.turns:
        order.turns -= 1
    else:
        _ask(order, log)
    return True


def _grant(order: Order, place: int, ms: int, log: LogState) -> None:
    if order.payment == "failed":
        _decide(order, "rejected", "payment_failed", place, ms)
    elif order.check_failed:
        _decide(order, "rejected", "check_failed", place, ms)
    elif order.payment == "captured" and not order.checks:
        waiting = order.waiting
        _decide(order, "confirmed", "", place, ms)
        for reason, units in waiting:
            _give_back(order, reason, units, place, ms)
    elif order.state == "pending":
        order.state = "on_hold"
        seconds = order.payment_seconds if order.payment == "pending" else log.limits.check_seconds
        order.deadline = log.from_now(seconds)


def _decide(order: Order, status: str, reason: str, place: int, ms: int) -> None:
    if status == "confirmed":
        lines = tuple((x.sku, x.quantity, x.location, "", None) for x in order.lines)
    else:
        why = order.refused
        lines = tuple(
            (x.sku, x.quantity, "", why[x.sku].reason, why[x.sku].available) if x.sku in why
            else (x.sku, x.quantity, "", "", None)
            for x in order.lines
        )  # fmt: skip
    order.state, order.deadline, order.waiting = status, 0, []
    order.decision = Decision(status, reason, place, ms, order.attempt, lines)


def _deadline(order: Order, record: r.DeadlineReached, place: int, ms: int, log: LogState) -> bool:
    if order.state not in ("pending", "on_hold") or order.deadline != record.deadline_ms:
        return False
    if order.state == "pending":
        reason = "no_answer"
    else:
        reason = "payment_deadline" if order.payment == "pending" else "check_deadline"
    _decide(order, "expired", reason, place, ms)
    return True


def is_due(order: Order, log: LogState, late_ms: int = 0) -> bool:
    """Whether the order's deadline passed more than `late_ms` of state time ago."""
    deadline = order.deadline if order.deadline >= 0 else log.first_ms - order.deadline
    return order.deadline != 0 and log.state_ms > 0 and deadline + late_ms <= log.state_ms


def _lines_told(order: Order, record: Any) -> int:
    """Lines named by shipments and cancellations, this one included."""
    lines = getattr(record, "lines", None)
    if lines is None:
        return 0
    waiting = sum(len(units) for _, units in order.waiting)
    return order.sent_lines + sum(len(x.lines) for x in order.cancels) + waiting + (len(lines) or len(order.lines))


# -- facts -------------------------------------------------------------------------------------------------------------


def _cancel(order: Order, record: r.CancelRequested, place: int, ms: int, log: LogState) -> bool:
    if record.lines:
        units: dict[str, int] = {}
        for line in record.lines:
            units[line.sku] = units.get(line.sku, 0) + line.quantity
        if order.state in OPEN:
            order.waiting.append((record.reason, units))
        else:
            _give_back(order, record.reason, units, place, ms)
    elif order.state == "unplaced":
        order.cancelled_early = True
    elif order.state in OPEN:
        _decide(order, "rejected", "cancelled", place, ms)
    else:
        _give_back(order, record.reason, {x.sku: x.open for x in order.lines}, place, ms)
    return True


def _give_back(order: Order, reason: str, units: dict[str, int], place: int, ms: int) -> None:
    if order.state not in OWED:
        return
    given = []
    for line in order.lines:
        count = min(line.open, units.get(line.sku, 0))
        if count > 0:
            line.cancelled += count
            given.append((line.sku, count, line.location, "", None))
    if given:
        order.cancels.append(Decision("cancelled", reason or "cancelled", place, ms, order.attempt, tuple(given)))
        _close_if_empty(order)


def _close_if_empty(order: Order) -> None:
    if not any(x.open for x in order.lines):
        order.state = "shipped" if any(x.shipped for x in order.lines) else "cancelled"


def _shipped(order: Order, record: r.OrderShipped, place: int, ms: int, log: LogState) -> bool | str:
    for said in record.lines:
        own = [x.location for x in order.lines if x.sku == said.sku]
        if not (said.location or (own and own[0]) or order.locations):
            return "unknown_location"
    everything = [(x.sku, x.open) for x in order.lines if x.open]
    sent = [(x.sku, x.quantity) for x in record.lines] or everything
    order.sent_lines += len(sent)
    if order.state not in OWED:
        return True
    for sku, count in sent:
        for line in order.lines:
            if line.sku == sku:
                line.shipped += min(count, line.open)
    if not any(x.open for x in order.lines):
        order.state = "shipped"
    return True


def _paid(order: Order, record: r.PaymentCaptured, place: int, ms: int, log: LogState) -> bool:
    late = order.payment == "captured"
    order.payment = "captured"
    if order.state == "on_hold" and not late:
        _grant(order, place, ms, log)
        if order.state == "on_hold":
            order.deadline = log.from_now(log.limits.check_seconds)
    return True


def _not_paid(order: Order, record: r.PaymentFailed, place: int, ms: int, log: LogState) -> bool:
    if order.payment != "captured" and order.state in OPEN:
        order.payment = "failed"
        if order.state == "on_hold":
            _grant(order, place, ms, log)
    return True


def _check(order: Order, record: Any, place: int, ms: int, log: LogState) -> bool:
    kind = type(record)
    if kind is r.CheckOpened:
        if order.state in OPEN and record.check not in order.checks:
            order.checks.append(record.check)
    elif kind is r.CheckPassed:
        if record.check in order.checks:
            order.checks.remove(record.check)
            if order.state == "on_hold":
                _grant(order, place, ms, log)
    elif order.state in OPEN:
        order.check_failed = True
        if order.state == "on_hold":
            _grant(order, place, ms, log)
    return True


def _stepped(order: Order, record: Any, place: int, ms: int, log: LogState) -> bool:
    order.state = STEPS[type(record)].get(order.state, order.state)
    return True


# Known by the order itself, not by their ids.
_CLOCKED = (r.OrderPlaced, r.ReserveAnswered, r.DeadlineReached, r.AskAgain)
_DO = {
    r.OrderPlaced: _placed, r.ReserveAnswered: _answered, r.DeadlineReached: _deadline, r.AskAgain: _ask_again,
    r.CancelRequested: _cancel, r.PaymentCaptured: _paid, r.PaymentFailed: _not_paid, r.CheckOpened: _check,
    r.CheckPassed: _check, r.CheckFailed: _check, r.OrderShipped: _shipped, **dict.fromkeys(STEPS, _stepped),
}  # fmt: skip
