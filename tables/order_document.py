"""The order as it stands, for everybody: the document in `order-status`.

Pure; reads the order's row. Guarantees: per line quantity = open + allocated + shipped + cancelled, and picked is at
most what is allocated. Does not belong here: what is said once (`order_speech`).
"""

from __future__ import annotations

from tables import records as r
from tables.codec import instant
from tables.order_progress import STEPS, at_location, held, in_hands, owed_lines
from tables.order_states import LOST, OWED, open_checks
from tables.outcome import version_of
from tables.rows import Fulfilment, OrderLine, OrderRow, PartitionRow

_GRANTED = (*OWED, "shipped", "delivered", "returned", "cancelled")
_PARCELS = (  # the worst of a location's parcels speaks for it
    "failure", "return_to_sender", "pre_transit", "in_transit", "out_for_delivery", "delivered",
)  # fmt: skip


def status(row: OrderRow, log: PartitionRow) -> r.OrderStatus:
    """The order document as it stands."""
    places = _places(row) if row.state in _GRANTED else []
    picked = _picked(row) if row.state in OWED else {}
    return r.OrderStatus(
        id=f"{row.order_id}:{row.at}", time=_time(row), order_id=row.order_id, channel=row.channel,
        status=_state(row, places), reason=row.reason, payment=row.payment,
        payment_wanted=payment_wanted(row), policy=row.policy, sourcing=row.sourcing, checks=list(open_checks(row)),
        lines=[_line(row, x, picked.get(n, 0)) for n, x in enumerate(row.lines)],
        fulfilments=[
            r.FulfilmentStatus(x.location, x.state, list(x.cartons), [n for n, _ in x.tracking], _parcels(x))
            for x in places
        ],
        returns=[r.ReturnStatus(x.return_id, x.state, sum(n for _, n in x.lines)) for x in row.returns],
        kits={x.kit: x.quantity for x in row.kits}, exchange_of=row.exchange_of,
        attempt=row.attempt, occurred_at=row.occurred_at, decided_at=instant(row.decided_ms) if row.decided_ms else "",
        late=list(row.late), version=version_of(log.log_id, row.at),
    )  # fmt: skip


def _time(row: OrderRow) -> str:
    """Of the last thing said. What was told before the decision and waited for it is older, and stands behind it."""
    return instant(max(row.entries[-1].ms, row.decided_ms)) if row.entries else ""


def payment_wanted(row: OrderRow) -> str:
    """What whoever talks to the bank has to do now; "" if nothing."""
    ended = row.state in (*LOST, "cancelled", "returned")
    if row.payment == "authorized":
        return "void" if ended else "capture" if row.state in (*OWED, "shipped", "delivered") else ""
    if row.payment in ("captured", "partially_refunded") and ended:
        return "refund"
    if row.payment == "captured" and any(line.cancelled or line.returned for line in row.lines):
        return "refund"  # of the units that never left, or came back
    return ""


def _line(row: OrderRow, line: OrderLine, picked: int) -> r.StatusLine:
    waiting, allocated, cancelled = line.open, 0, line.cancelled
    if row.state in LOST:
        waiting, cancelled = 0, line.cancelled + line.open
    elif row.state in OWED and (row.edit is None or row.edit.attempt != line.attempt):
        waiting, allocated = line.back, held(line)
    return r.StatusLine(
        line.sku, line.quantity, line.location, waiting, allocated, line.shipped, cancelled, line.returned,
        line.due if waiting else "", picked,
    )  # fmt: skip


def _picked(row: OrderRow) -> dict[int, int]:
    """Units in hands of each of the order's lines, by number. What is packed is in hands, told or not."""
    hands = in_hands(row)
    packed = {x.location for x in row.fulfilments if x.state == "packed"}
    picked: dict[int, int] = {}
    for n, line in owed_lines(row):
        place = line.sku, line.location
        picked[n] = held(line) if line.location in packed else min(hands[place], held(line))
        hands[place] -= min(hands[place], picked[n])
    return picked


def _places(row: OrderRow) -> list[Fulfilment]:
    """What each location does that holds something or did something, in the order of the lines."""
    known = {x.location for x in row.fulfilments}
    places = [x.location for _, x in owed_lines(row) if held(x) > 0 or x.location in known]
    places += [x.location for x in row.fulfilments]
    return [at_location(row, place) for place in dict.fromkeys(places)]


def _state(row: OrderRow, places: list[Fulfilment]) -> str:
    """The state, and whether some of the order is further."""
    if row.state not in OWED:
        return row.state
    if any(line.shipped for line in row.lines):
        return "partially_shipped"
    furthest = max((STEPS.index(x.state) for x in places if x.state in STEPS), default=0)
    return f"partially_{STEPS[furthest]}" if furthest > STEPS.index(row.state) else row.state


def _parcels(done: Fulfilment) -> str:
    told = {status for _, status in done.tracking}
    return next((status for status in _PARCELS if status in told), "")
