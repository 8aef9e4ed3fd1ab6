"""The states of an order as one table, its one decision, and the small moves that every rule of an order makes.

Pure functions on the order's row. Guarantees: whatever decides whether an order may move stands in `TRANSITIONS`.
Does not belong here: what a record means (`orders` names who handles it), what entries say (`order_speech`).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from tables import records as r
from tables.outcome import At, InvariantBroken
from tables.rows import Entry, EntryLine, OrderLine, OrderRow, PartitionRow

# (state, event) -> state. What is not here does not happen: the fact is noted as late, and changes nothing.
TRANSITIONS: dict[tuple[str, str], str] = {
    ("unplaced", "place"): "pending",
    ("pending", "grant"): "confirmed",
    ("pending", "wait"): "on_hold",
    ("pending", "refuse"): "rejected",
    ("pending", "cancel"): "rejected",
    ("pending", "expire"): "expired",
    ("on_hold", "grant"): "confirmed",
    ("on_hold", "refuse"): "rejected",
    ("on_hold", "cancel"): "rejected",
    ("on_hold", "expire"): "expired",
    ("expired", "late_payment"): "paid_unallocated",
    ("confirmed", "pick"): "picked",
    ("confirmed", "pack"): "packed",
    ("confirmed", "ship"): "shipped",
    ("confirmed", "cancel"): "cancelled",
    ("picked", "pack"): "packed",
    ("picked", "ship"): "shipped",
    ("picked", "cancel"): "cancelled",
    ("picked", "back"): "confirmed",
    ("packed", "ship"): "shipped",
    ("packed", "cancel"): "cancelled",
    ("packed", "back"): "confirmed",
    ("shipped", "deliver"): "delivered",
    ("shipped", "return"): "returned",
    ("delivered", "return"): "returned",
}
DECISIONS = {"grant": "confirmed", "refuse": "rejected", "cancel": "rejected", "expire": "expired"}
UNDECIDED = ("unplaced", "pending", "on_hold")
OWED = ("confirmed", "picked", "packed")
TOO_MANY = f"too_many_units: of one SKU a fact moves at most {r.QUANTITY_MAX}; a kit counts as its parts"
NOWHERE = "unknown_location: where did {} of this order leave from? name the location"
STANDSTILL_MS_MAX = 86_400_000
LOST = ("rejected", "expired", "paid_unallocated")  # it never held anything for good


def move(row: OrderRow, event: str) -> OrderRow:
    """`row` after this event; the caller has looked whether it may happen."""
    return replace(row, state=TRANSITIONS[row.state, event])


def add(row: OrderRow, entry: Entry) -> OrderRow:
    """`row` with one more thing said."""
    return replace(row, entries=(*row.entries, entry))


def late(row: OrderRow, event: str) -> OrderRow:
    """`row` with the note that this came when it could change nothing."""
    return noted(row, f"{event} while {row.state}")


def noted(row: OrderRow, text: str) -> OrderRow:
    return replace(row, late=(*row.late, text))


def open_checks(row: OrderRow) -> tuple[str, ...]:
    """The checks that this order waits for."""
    return _parted(row.checks)[0]


def checks_opened(row: OrderRow, told: Iterable[str]) -> tuple[str, ...]:
    """The row's checks with these opened too; one that was passed before holds nothing, once."""
    waits, passed = _parted(row.checks)
    opened = dict.fromkeys(told)
    waits = tuple(dict.fromkeys((*waits, *(x for x in opened if x not in passed))))
    return _joined(waits, tuple(x for x in passed if x not in opened))


def check_closed(row: OrderRow, check: str) -> tuple[str, ...]:
    """The row's checks without this one; if it is not open yet, with the note that it was passed."""
    waits, passed = _parted(row.checks)
    if check in waits:
        return _joined(tuple(x for x in waits if x != check), passed)
    return _joined(waits, tuple(dict.fromkeys((*passed, check))))


def _parted(checks: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(open, passed before they were opened)"""
    if "" not in checks:
        return checks, ()
    n = checks.index("")
    return checks[:n], checks[n + 1 :]


def _joined(waits: tuple[str, ...], passed: tuple[str, ...]) -> tuple[str, ...]:
    return (*waits, "", *passed) if passed else waits


def deadline(log: PartitionRow, seconds: int, at: At) -> int:
    """State time so many seconds after the record at `at`; before the first tick negative: from that tick.

    State time stands still while no worker runs, and then goes on by a minute a tick: what came meanwhile has the whole
    of its time, from when the broker stamped it. A broker's clock that is ahead lengthens it by a day at most.
    """
    if not log.state_ms:
        return -seconds * 1000
    behind = at.ms - log.state_ms if log.logic_version >= 2 else 0
    return log.state_ms + min(max(behind, 0), STANDSTILL_MS_MAX) + seconds * 1000


def decide(row: OrderRow, event: str, reason: str, partitions: tuple[int, ...], at: At) -> OrderRow:
    """The one decision of an order. `partitions`: where the attempt's reservation is promoted or given back."""
    lines, told = row.lines, ()
    if event != "grant":
        lines = whole(lines)
    elif any([x.back or not x.location for x in lines]):  # what waits or is missing will change: its words are kept
        told = tuple(EntryLine(x.sku, x.quantity, x.location, back=x.back) for x in lines)
        lines = tuple(x if x.location else _given_up(x) for x in lines)
    entry = Entry(at.place, "decide", at.ms, row.attempt, partitions, DECISIONS[event], reason, lines=told)
    return replace(
        row, state=TRANSITIONS[row.state, event], entries=(*row.entries, entry), reason=reason, deadline_ms=0,
        decided_ms=at.ms, lines=lines, moving=(), could=(), waiting=row.waiting if event == "grant" else (),
    )  # fmt: skip


def _given_up(line: OrderLine) -> OrderLine:
    """Units that stock did not have; a malformed quantity counts as none."""
    units = max(line.quantity, 0)
    return replace(line, quantity=units, cancelled=units)


def whole(lines: tuple[OrderLine, ...]) -> tuple[OrderLine, ...]:
    """One line per SKU again, where it was first, nothing of it waiting."""
    firsts: dict[str, OrderLine] = {}
    for line in lines:
        first = firsts.get(line.sku)
        if first is None:
            firsts[line.sku] = line
        else:
            location = first.location or line.location
            firsts[line.sku] = replace(first, quantity=first.quantity + line.quantity, location=location)
    return tuple(replace(x, back=0, due="") if x.back else x for x in firsts.values())


def asked(row: OrderRow) -> tuple[int, ...]:
    """Every partition the present attempt was sent to, answered or not: late grants are covered too."""
    for entry in reversed(row.entries):
        if entry.kind == "ask":
            return entry.partitions
    return ()


def in_parts(row: OrderRow, sku: str, quantity: int) -> list[tuple[str, int]]:
    """(SKU, units): a kit of the order is what it was taken apart into, anything else itself."""
    for kit in row.kits:
        if kit.kit == sku:
            return [(part, units * quantity) for part, units in kit.parts]
    return [(sku, quantity)]


def check_lines(row: OrderRow) -> None:
    """quantity = waiting + allocated + shipped + cancelled, none of them negative. Raises `InvariantBroken`."""
    for x in row.lines:
        if 0 <= x.back <= x.quantity - x.shipped - x.cancelled and x.shipped >= x.returned >= 0 <= x.cancelled:
            continue
        if x.quantity > 0 or x.shipped or x.cancelled or x.back:  # else a malformed quantity, refused or about to be
            raise InvariantBroken(f"order {row.order_id}: a line does not add up: {x}")
