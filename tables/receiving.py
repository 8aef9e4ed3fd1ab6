"""What comes in: receipts, what is known of a batch, purchases, transfers between locations. Decides; counts nothing.

Reads the batch, recall, lot and incoming rows concerned. Guarantees: whatever arrives is on the books at once, expected
or not; a difference from what was expected is an alert. Does not belong here: units that leave for other reasons
(`shelf`, `shipping`), recalls.
"""

from __future__ import annotations

from msgspec.structs import asdict, replace

from tables import records as r
from tables.lots import UNKNOWN_LOT
from tables.movements import Decision, Movements, standing
from tables.outcome import At, View
from tables.rows import (
    BatchEffect,
    BatchRow,
    IncomingEffect,
    IncomingRow,
    PartitionRow,
    batch_key,
    incoming_key,
)

EARLY = "early"  # it came, and nobody said that it would: a purchase that is told later has come as far


def received(view: View, fact: r.Received, at: At, log: PartitionRow) -> Decision:
    m = Movements(view, at, log, occurred_at=fact.occurred_at)
    receive(
        m, fact.sku, fact.location, fact.lot, fact.quantity, "received", reference=fact.reference,
        batch=new_batch(
            fact.sku, fact.lot, fact.best_before or "", fact.produced or "", fact.supplier, fact.status
        ),
    )  # fmt: skip
    if not fact.reference:
        return m.decision()
    row: IncomingRow | None = view.get(incoming_key(fact.sku, fact.location, fact.reference))
    if log.logic_version >= 6 and (row is None or row.state == EARLY):
        was = _purchase(view, fact.sku, fact.location, fact.reference)
        m.add(replace(was, received=was.received + fact.quantity, state=EARLY))
    elif row is not None and row.kind == "purchase" and row.state == "open":
        now = _settled(replace(_effect(row), received=row.received + fact.quantity))
        m.add(now)
        over = now.received - _expected(now)
        if over > 0:
            m.alert(fact.sku, fact.location, "discrepancy", lot=fact.lot, units=over, note=f"over {fact.reference}")
    return m.decision()


def receive(
    m: Movements, sku: str, location: str, lot: str, units: int, kind: str, *, batch: BatchEffect, reference: str = ""
) -> None:
    """Units of a batch come in. The first mention of the batch makes it; later ones fill what was not known."""
    was: BatchRow | None = m.view.get(batch_key(sku, lot))
    known = batch if was is None else replace(
        of_batch(was), best_before=was.best_before or batch.best_before, produced=was.produced or batch.produced,
        supplier=was.supplier or batch.supplier,
    )  # fmt: skip
    if was is None or known != of_batch(was):
        m.add(known)
    row = m.lot(sku, location, lot)
    m.move(
        row, units, kind, best_before=row.best_before or known.best_before,
        status=standing(m.view, sku, lot, known.status), reference=reference,
    )  # fmt: skip


def new_batch(
    sku: str, lot: str, best_before: str = "", produced: str = "", supplier: str = "", status: str = "approved"
) -> BatchEffect:
    return BatchEffect(sku, lot, best_before, produced, supplier, (), status, "")


def of_batch(row: BatchRow) -> BatchEffect:
    """The batch as it is, to be changed."""
    return BatchEffect(
        row.sku, row.lot, row.best_before, row.produced, row.supplier, row.documents, row.status, row.reason
    )  # fmt: skip


# -- purchases ---------------------------------------------------------------------------------------------------------


def purchase_ordered(view: View, fact: r.PurchaseOrdered, at: At, log: PartitionRow) -> Decision:
    row = _purchase(view, fact.sku, fact.location, fact.reference)
    return _incoming(view, at, log, replace(
        row, ordered=fact.quantity, expected=fact.expected or row.expected, source=fact.supplier or row.source
    ))  # fmt: skip


def purchase_confirmed(view: View, fact: r.PurchaseConfirmed, at: At, log: PartitionRow) -> Decision:
    row = _purchase(view, fact.sku, fact.location, fact.reference)
    return _incoming(view, at, log, replace(row, confirmed=fact.quantity, expected=fact.expected))


def purchase_notified(view: View, fact: r.PurchaseNotified, at: At, log: PartitionRow) -> Decision:
    row = _purchase(view, fact.sku, fact.location, fact.reference)
    return _incoming(view, at, log, replace(
        row, notified=fact.quantity, expected=fact.expected or row.expected
    ))  # fmt: skip


def purchase_closed(view: View, fact: r.PurchaseClosed, at: At, log: PartitionRow) -> Decision:
    row = _purchase(view, fact.sku, fact.location, fact.reference)
    return _incoming(view, at, log, replace(row, state="closed"))


def _incoming(view: View, at: At, log: PartitionRow, now: IncomingEffect) -> Decision:
    """What is expected from now on. What is closed stays so, whichever of its records came first; a reference that
    names a transfer is not for a purchase to change."""
    m = Movements(view, at, log)
    row: IncomingRow | None = view.get(incoming_key(now.sku, now.location, now.reference))
    if row is not None and row.kind != "purchase":
        return m.decision()
    was_open = row is None or row.state != "closed"
    now = _settled(now)
    m.add(now)
    m.stock(now.sku, now.location)
    less = _expected(now) - now.received
    if was_open and now.state == "closed" and less > 0:
        m.alert(now.sku, now.location, "discrepancy", units=-less, note=f"less than {now.reference} said")
    if row is not None and row.state == EARLY and now.state == "closed" and _expected(now) and less < 0:
        m.alert(now.sku, now.location, "discrepancy", units=-less, note=f"over {now.reference}")
    return m.decision()


def _purchase(view: View, sku: str, location: str, reference: str) -> IncomingEffect:
    row: IncomingRow | None = view.get(incoming_key(sku, location, reference))
    if row is not None:
        return replace(_effect(row), state="open") if row.state == EARLY else _effect(row)
    return IncomingEffect(sku, location, reference, "purchase", "", 0, 0, 0, 0, "", (), "open")


def _effect(row: IncomingRow) -> IncomingEffect:
    fields = asdict(row)
    del fields["at"]
    return IncomingEffect(**fields)


def _settled(row: IncomingEffect) -> IncomingEffect:
    """A purchase is closed once everything came."""
    return replace(row, state="closed") if row.received >= _expected(row) > 0 else row


def _expected(row: IncomingEffect | IncomingRow) -> int:
    """Units that are to come in all: as ordered or confirmed, else as notified."""
    return max(row.ordered, row.confirmed) or row.notified


# -- transfers ---------------------------------------------------------------------------------------------------------


def transferred_out(view: View, fact: r.TransferredOut, at: At, log: PartitionRow) -> Decision:
    """What they say left is expected at the other end, of the lot they name, or else of those that the books took."""
    m = Movements(view, at, log, occurred_at=fact.occurred_at)
    gone = m.leave(fact.sku, fact.location, fact.quantity, fact.lot, "transferred_out", reference=fact.to)
    row = _transfer(view, fact.sku, fact.to, fact.reference)
    under_way = dict(row.lots) if row and row.state == "open" else {}
    sent = [(lot.lot, units) for lot, units in gone]
    if fact.lot and log.logic_version >= 5:
        sent = [(fact.lot, fact.quantity)]
    for code, units in sent:
        under_way[code] = under_way.get(code, 0) + units
    ordered, came = fact.quantity + (row.ordered if row else 0), row.received if row else 0
    m.add(_closed_if_whole(IncomingEffect(
        fact.sku, fact.to, fact.reference, "transfer", fact.location, ordered, ordered, 0, came,
        fact.expected or (row.expected if row else ""), tuple(under_way.items()), "open",
    ), log))  # fmt: skip
    m.stock(fact.sku, fact.to)
    return m.decision()


def transferred_in(view: View, fact: r.TransferredIn, at: At, log: PartitionRow) -> Decision:
    """What came, lot by lot as it was sent unless a lot is named. One that was never announced is a receipt; what
    leaves for it later finds that it came."""
    m = Movements(view, at, log, occurred_at=fact.occurred_at)
    row = _transfer(view, fact.sku, fact.location, fact.reference)
    was = _effect(row) if row else IncomingEffect(
        fact.sku, fact.location, fact.reference, "transfer", "", 0, 0, 0, 0, "", (), "open"
    )  # fmt: skip
    came, under_way = _distributed(was.lots, fact.quantity, fact.lot, named_to_the_end=log.logic_version >= 5)
    m.stock(fact.sku, fact.location)
    for lot, units in came:
        receive(
            m, fact.sku, fact.location, lot, units, "transferred_in", reference=was.source or fact.reference,
            batch=new_batch(fact.sku, lot),
        )  # fmt: skip
    now = replace(was, received=was.received + fact.quantity, lots=under_way)
    now = _closed(now, log) if fact.final else _closed_if_whole(now, log)
    m.add(now)
    if now.state == "closed" and now.received != now.ordered:
        m.alert(
            fact.sku, fact.location, "discrepancy", lot=fact.lot or "", units=now.received - now.ordered,
            note=f"transfer {fact.reference}",
        )  # fmt: skip
    return m.decision()


def _transfer(view: View, sku: str, location: str, reference: str) -> IncomingRow | None:
    """What is known of it; that something was received under its number is another matter."""
    row: IncomingRow | None = view.get(incoming_key(sku, location, reference))
    return None if row is not None and row.state == EARLY else row


def _closed_if_whole(now: IncomingEffect, log: PartitionRow) -> IncomingEffect:
    return _closed(now, log) if now.received >= now.ordered else now


def _closed(now: IncomingEffect, log: PartitionRow) -> IncomingEffect:
    """By rules 5 its lots stay named: what comes after all was sent from somewhere, and may be held or recalled."""
    return replace(now, state="closed", lots=now.lots if log.logic_version >= 5 else ())


def _distributed(
    sent: tuple[tuple[str, int], ...], units: int, named: str | None, *, named_to_the_end: bool
) -> tuple[list[tuple[str, int]], tuple[tuple[str, int], ...]]:
    """Units that came by lot, and what is under way still: if that is nothing, `named_to_the_end`, the last lot with no
    units. More than was sent is of the named lot, or of the last."""
    came: dict[str, int] = {}
    left = units
    for lot, there in sorted(sent, key=lambda x: x[0] != named):  # stable: as they were sent, the named one first
        if gone := min(there, left):
            came[lot] = gone
            left -= gone
    under_way = tuple((lot, rest) for lot, there in sent if (rest := there - came.get(lot, 0)))
    if named_to_the_end and sent and not under_way:
        under_way = ((sent[-1][0], 0),)
    if named is not None:
        return ([(named, units)] if units else []), under_way
    if left:
        last = sent[-1][0] if sent else UNKNOWN_LOT
        came[last] = came.get(last, 0) + left
    return list(came.items()), under_way
