"""Placing an order and asking stock for it: kits taken apart, lines summed, one command per stock partition.

Reads the order's row, and when it is placed the rules of its channel and its kits: from then on they stand in the row.
Does not belong here: what stock answers (`order_answers`).
"""

from __future__ import annotations

from msgspec.structs import replace

from tables import records as r
from tables.codec import digest, utc
from tables.murmur2 import murmur2, partition_of_sku
from tables.order_states import TRANSITIONS, checks_opened, deadline, decide, whole
from tables.outcome import At, View
from tables.rows import (
    ChannelRow,
    Entry,
    EntryLine,
    KitLine,
    KitRow,
    OrderLine,
    OrderRow,
    PartitionRow,
    channel_key,
    kit_key,
)

HOPS_BITS_MAX = 5  # a contended order waits at most 31 turns of its log, some ten milliseconds each
PLACED_OTHERWISE = "id_conflict: this order was placed with other content before"


def placed(view: View, row: OrderRow, record: r.OrderPlaced, at: At, log: PartitionRow) -> OrderRow | str:
    """Ask stock for everything, unless it is cancelled already or too big."""
    if row.digest:
        return row if is_the_same(row, record, log) else PLACED_OTHERWISE
    rules: ChannelRow | None = view.get(channel_key(record.channel))
    kits: dict[str, KitLine] = {}
    summed: dict[str, int] = {}
    for line in record.lines:  # the same SKU twice, or through kits, is summed before anything is asked
        parts = kit_parts(view, line.sku)
        if not parts:
            summed[line.sku] = summed.get(line.sku, 0) + line.quantity
            continue
        count = line.quantity + (kits[line.sku].quantity if line.sku in kits else 0)
        kits[line.sku] = KitLine(line.sku, count, parts, count)
        for sku, units in parts:
            summed[sku] = summed.get(sku, 0) + units * line.quantity
    row = replace(
        row, state=TRANSITIONS[row.state, "place"], channel=record.channel, digest=_content(record, log),
        payment=_payment(row.payment, record.payment),
        payment_seconds=record.payment_seconds or log.limits.payment_seconds,
        checks=checks_opened(row, record.checks), occurred_at=utc(record.occurred_at),
        policy=record.policy or (rules.policy if rules else "all_or_nothing"),
        locations=tuple(dict.fromkeys(record.locations)) or (rules.locations if rules else ()),
        kits=tuple(kits.values()), exchange_of=record.exchange_of or "", deadline_ms=0,
        lines=tuple([OrderLine(sku, bounded(n), "", 0, 0, 0, 0, "", 0) for sku, n in summed.items()]),
    )  # fmt: skip
    if row.reason == "cancelled":  # its cancellation came first
        return decide(row, "cancel", "cancelled", (), at)
    if len(summed) > r.LINES_MAX:
        return decide(replace(row, lines=()), "refuse", "too_many_lines", (), at)
    return ask(row, 1, at, log)


def is_the_same(row: OrderRow, record: r.OrderPlaced, log: PartitionRow) -> bool:
    """Whether this is the order that was placed, told once more; one of before rules 6 under the same id alone."""
    return row.digest in (digest(record), _content(record, log))


def _content(record: r.OrderPlaced, log: PartitionRow) -> bytes:
    """An order is what it asks for: its channel may tell it again under another id."""
    return digest(replace(record, id="") if log.logic_version >= 6 else record)


def kit_parts(view: View, sku: str) -> tuple[tuple[str, int], ...]:
    """(SKU, units in one) of a kit as it is made now; none: it is no kit, or has stock of its own."""
    kit: KitRow | None = view.get(kit_key(sku))
    return kit.parts if kit is not None else ()


def _payment(known: str, told: str) -> str:
    """What was told about the payment before the order came is the later word, but for one that was missing then."""
    if told == "paid":
        return known if known in ("partially_refunded", "refunded") else "captured"
    if known != "none":
        return known
    return "authorized" if told == "authorized" else "pending"


def bounded(quantity: int) -> int:
    """A sum beyond what a record may hold is beyond what anybody has, too."""
    return max(-r.WANTED_MAX, min(quantity, r.WANTED_MAX))


def ask(row: OrderRow, attempt: int, at: At, log: PartitionRow) -> OrderRow:
    """Ask each stock partition for its lines, as this attempt."""
    partitions = tuple(sorted({partition_of_sku(x.sku, log.partitions) for x in row.lines}))
    odd = min([line.quantity for line in row.lines]) <= 0  # such a line will not stay as it is: its words are kept
    lines = tuple(EntryLine(x.sku, x.quantity, "") for x in row.lines) if odd else ()
    entry = Entry(at.place, "ask", at.ms, attempt, partitions, state_ms=log.state_ms, lines=lines)
    return replace(
        row, attempt=attempt, awaited=partitions, granted=(), refused=(), could=(),
        deadline_ms=row.deadline_ms or deadline(log, log.limits.undecided_seconds, at),
        entries=(*row.entries, entry),
    )  # fmt: skip


def ask_later(row: OrderRow, at: At) -> OrderRow:
    """Only contended: give back what was granted, and ask again in a few turns."""
    entries = row.entries
    if row.granted:
        entries = (*entries, Entry(at.place, "give_back", at.ms, row.attempt, row.granted))
    later = Entry(at.place, "later", at.ms, row.attempt + 1, hops=_hops(row))
    lines = tuple(replace(x, location="") for x in whole(row.lines))
    return replace(row, granted=(), could=(), lines=lines, entries=(*entries, later))


def _hops(row: OrderRow) -> int:
    """Turns to wait before the next attempt. Orders that want each other's units must not ask in step for ever, so
    each waits differently, and longer the more often it was refused; the same at every replay."""
    return murmur2(f"{row.order_id}:{row.attempt}".encode()) % (1 << min(row.attempt, HOPS_BITS_MAX))


def ask_again(row: OrderRow, record: r.AskAgain, at: At, log: PartitionRow) -> OrderRow:
    """The order's own note came round: one turn less to wait, or ask."""
    if row.state != "pending" or record.attempt != row.attempt + 1:
        return row  # asked, or decided, meanwhile
    for n in reversed(range(len(row.entries))):  # a shipment told meanwhile stands behind it
        waits = row.entries[n]
        if (waits.kind, waits.attempt, waits.hops) == ("later", record.attempt, record.hops):
            break
    else:
        return row
    if waits.hops:
        turned = replace(waits, at=at.place, hops=waits.hops - 1)
        return replace(row, entries=(*row.entries[:n], turned, *row.entries[n + 1 :]))
    return ask(row, record.attempt, at, log)
