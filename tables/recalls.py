"""What holds for a lot wherever it is: its batch's data and status, and recalls. Decides; counts only the recall.

Reads the lot rows of one code. Guarantees: a lot that is recalled is so at every location of the partition, those to
come included, until its recall is closed; no record changes more than `LOTS_MAX` lots: the rest follows in others.
Does not belong here: blocked units of a lot at one location (`shelf`), expiry.
"""

from __future__ import annotations

from msgspec.structs import replace

from tables import records as r
from tables.movements import LOTS_MAX, Decision, Movements, is_recalled, stem
from tables.outcome import WAREHOUSE, At, Send, View
from tables.receiving import new_batch, of_batch
from tables.rows import BatchEffect, BatchRow, LotRow, PartitionRow, RecallRow, batch_key, recall_key


def lot_defined(view: View, fact: r.LotDefined, at: At, log: PartitionRow) -> Decision:
    """What is given replaces what was known; the day counts for its units everywhere."""
    m = Movements(view, at, log)
    was = _batch(view, fact.sku, fact.lot)
    now = replace(
        was, best_before=fact.best_before or was.best_before, produced=fact.produced or was.produced,
        supplier=fact.supplier or was.supplier, documents=tuple(fact.documents) or was.documents,
    )  # fmt: skip
    m.add(now)
    _bring_in_line(m, fact.lot, [fact.sku], recall=view.get(recall_key(fact.lot)), batch=now)
    return m.decision()


def lot_status_set(view: View, fact: r.LotStatusSet, at: At, log: PartitionRow) -> Decision:
    """Of a recalled lot only the batch changes: what it goes back to."""
    m = Movements(view, at, log)
    now = replace(_batch(view, fact.sku, fact.lot), status=fact.status, reason=fact.reason)
    m.add(now)
    _bring_in_line(m, fact.lot, [fact.sku], recall=view.get(recall_key(fact.lot)), batch=now)
    return m.decision()


def recall_opened(view: View, fact: r.RecallOpened, at: At, log: PartitionRow) -> Decision:
    m = Movements(view, at, log)
    if not fact.mock:
        recall = recall_row(view.get(recall_key(fact.lot)), fact, at)
        _bring_in_line(m, fact.lot, fact.skus, recall=recall, freezing=True)
    return m.decision()


def recall_closed(view: View, fact: r.RecallClosed, at: At, log: PartitionRow) -> Decision:
    m = Movements(view, at, log)
    _bring_in_line(m, fact.lot, [], recall=recall_row(view.get(recall_key(fact.lot)), fact, at), freezing=False)
    return m.decision()


def lots_continued(view: View, fact: r.LotsContinued, at: At, log: PartitionRow) -> Decision:
    m = Movements(view, at, log)
    _bring_in_line(m, fact.lot, fact.skus, recall=view.get(recall_key(fact.lot)))
    return m.decision()


def _batch(view: View, sku: str, lot: str) -> BatchEffect:
    row: BatchRow | None = view.get(batch_key(sku, lot))
    return of_batch(row) if row else new_batch(sku, lot)


def _bring_in_line(
    m: Movements, code: str, skus: list[str], *, recall: RecallRow | None, batch: BatchEffect | None = None,
    freezing: bool | None = None,
) -> None:  # fmt: skip
    """The first lots of this code that are not what their recall and batch say, in key order, become so.

    `skus`: only of these; empty: of all. `batch`: as it is from now on. `freezing`: only those that are to be frozen
    (True) or set free (False).
    """
    changed = 0
    for key in m.view.lots_of(code):
        lot: LotRow = m.view.get(key)
        if skus and lot.sku not in skus:
            continue
        what = batch or _batch(m.view, lot.sku, code)
        status = "recalled" if is_recalled(recall, lot.sku) else what.status
        best_before = lot.best_before if freezing is not None else what.best_before or lot.best_before
        if (status, best_before) == (lot.status, lot.best_before):
            continue
        if (freezing is True and status != "recalled") or (freezing is False and lot.status != "recalled"):
            continue
        if changed == LOTS_MAX:
            m.more = True
            return
        changed += 1
        m.move(lot, status=status, best_before=best_before)
        if status == "recalled" and lot.status != "recalled" and lot.on_hand:
            why = recall.reason if recall else ""
            m.alert(lot.sku, lot.location, "recalled", lot=code, units=lot.on_hand, note=why)


def recall_row(row: RecallRow | None, fact: r.RecallOpened | r.RecallClosed, at: At) -> RecallRow:
    """The recall as it stands after this record. A drill does not end a recall, and one that names other SKUs adds
    them to it."""
    if isinstance(fact, r.RecallClosed):
        row = row or RecallRow(at.place, fact.lot, fact.id, (), fact.reason, False, "closed", 0, at.ms)
        return replace(row, at=at.place, state="closed", closed_ms=at.ms)
    skus = tuple(sorted(set(fact.skus)))
    if row is not None and row.state == "open" and not row.mock:
        if fact.mock:
            return replace(row, at=at.place)
        skus = tuple(sorted({*skus, *row.skus})) if skus and row.skus else ()
    return RecallRow(at.place, fact.lot, fact.id, skus, fact.reason, fact.mock, "open", at.ms, 0)


def continued(
    fact: r.RecallOpened | r.RecallClosed | r.LotsContinued | r.LotDefined | r.LotStatusSet, at: At, log: PartitionRow
) -> Send:
    """The note to this partition itself that brings the next lots in line, numbered from 1."""
    if isinstance(fact, r.LotsContinued):
        number = fact.id.rpartition(":")[2]
        note = replace(fact, id=f"{fact.cause}:{int(number) + 1 if number.isdecimal() else at.place}", time="")
    else:
        skus = [] if isinstance(fact, r.RecallClosed) else fact.skus if isinstance(fact, r.RecallOpened) else [fact.sku]
        note = r.LotsContinued(
            id=f"{stem(fact)}:1", cause=stem(fact), lot=fact.lot, opens=not isinstance(fact, r.RecallClosed), skus=skus
        )  # fmt: skip
    return Send(WAREHOUSE, log.partition, None, note)
