"""The account of a lot: where it came from, what was made of it, who got it, what is left. Pure, made of rows.

Reads what the stock partitions know of a lot (`LotPartition`), and of the kit lots that were made of it. Guarantees:
every unit of every movement stands in one section; what came in and what became of it are compared per SKU and lot, and
a difference is named; the same rows give the same account, in whatever order they come. Does not belong here: who is
asked for the rows (`streams.lot_answers`), how the account is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from tables.codec import instant
from tables.lot_sections import (
    Balance,
    Batch,
    Bound,
    Comeback,
    LotAccount,
    LotPartition,
    Made,
    Movement,
    OnHand,
    Recall,
    Receipt,
    Shipment,
    Totals,
    Transit,
)
from tables.rows import BatchRow, IncomingRow, LotRow, RecallRow, TraceRow

_Row = TypeVar("_Row", BatchRow, LotRow, IncomingRow, TraceRow)
KIT_LOTS_MAX = 200  # kit lots that one account follows; more are named, not followed
GONE_AFTER_RETURN = ("scrap", "to_supplier")  # what came back and is no stock again


def account(
    lot: str,
    ask: Callable[[str], Sequence[LotPartition]],
    *,
    skus: Sequence[str] = (),
    missing: Sequence[int] = (),
) -> LotAccount:
    """The account of `lot`, of these SKUs or of all, and of the kit lots made of it, which `ask` is asked for in turn.

    `ask` gives what every partition knows of a lot code; `missing` names partitions that could not be asked.
    """
    found = list(ask(lot))
    book = _Book()
    book.add(lot, found, frozenset(skus), through="")
    own = frozenset(book.nodes)
    followed = 0
    while book.kits:
        kit, kit_lot = book.kits.pop(0)
        if followed < KIT_LOTS_MAX:
            book.add(kit_lot, ask(kit_lot), frozenset((kit,)), through=f"{kit} {kit_lot}")
        followed += 1
    notes = []
    if followed > KIT_LOTS_MAX:
        notes.append(f"{followed - KIT_LOTS_MAX} more kit lots contain units of it and are not followed here")
    recall = recall_of(found)
    return book.closed(lot, own, recall, found, tuple(missing), [*notes, *_kit_notes(book, recall)])


def recall_of(found: Iterable[LotPartition]) -> Recall | None:
    """The last recall of the lot; None if none was ever opened."""
    rows = [(p.partition, p.recall) for p in found if p.recall is not None]
    if not rows:
        return None
    newest = max((row for _, row in rows), key=lambda row: (row.opened_ms, row.closed_ms, row.id))
    return told(newest, (number for number, row in rows if row.id == newest.id and row.state == newest.state))


def told(row: RecallRow, partitions: Iterable[int]) -> Recall:
    """A recall row as a person reads it."""
    return Recall(
        id=row.id, lot=row.lot, skus=row.skus, reason=row.reason, mock=row.mock, state=row.state,
        opened_at=_instant(row.opened_ms), closed_at=_instant(row.closed_ms), partitions=tuple(sorted(partitions)),
    )  # fmt: skip


class _Book:
    """Rows of one lot after the other, sorted into the account's sections."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.received: list[Receipt] = []
        self.made: list[Made] = []
        self.shipped: list[Shipment] = []
        self.transit: list[Transit] = []
        self.on_hand: list[OnHand] = []
        self.returned: list[Comeback] = []
        self.bound: list[Bound] = []
        self.changed: list[Movement] = []
        self.sums: dict[tuple[str, str], defaultdict[str, int]] = {}
        self.nodes: set[tuple[str, str]] = set()  # (SKU, lot) that are in here
        self.kits: list[tuple[str, str]] = []  # kit lots to be followed, each once
        self._named: set[tuple[str, str]] = set()

    def add(self, lot: str, found: Iterable[LotPartition], skus: frozenset[str], through: str) -> None:
        """What is known of these SKUs (none: all) of a lot; what is in here already is left alone."""
        there = {sku for sku, of in self.nodes if of == lot}

        def mine(rows: Iterable[_Row]) -> list[_Row]:
            kept = [row for row in rows if row.sku not in there and (not skus or row.sku in skus)]
            self.nodes.update((row.sku, lot) for row in kept)
            return kept

        for part in sorted(found, key=lambda x: x.partition):
            batches = {row.sku: row for row in mine(part.batches)}
            self.batches += [_batch(row) for row in batches.values()]
            traces = sorted(mine(part.traces), key=lambda t: t.at)
            for trace in traces:
                self._trace(trace, batches.get(trace.sku), through)
            self._picks(traces)
            for row in mine(part.lots):
                self._lot(row)
            for incoming in mine(part.incoming):
                self._incoming(lot, incoming)

    def _trace(self, t: TraceRow, batch: BatchRow | None, through: str) -> None:
        units, sums = abs(t.units), self._sums(t.sku, t.lot)
        base: dict[str, str] = {
            "sku": t.sku, "lot": t.lot, "location": t.location, "at": _instant(t.ms), "occurred_at": t.occurred_at,
            "through": through,
        }  # fmt: skip
        match t.kind:
            case "received" | "assembled":
                sums["received" if t.kind == "received" else "made"] += units
                self.received.append(Receipt(
                    **base, units=units, reference=t.reference if t.kind == "received" else "assembled",
                    supplier=batch.supplier if batch else "", documents=batch.documents if batch else (),
                    best_before=batch.best_before if batch else "",
                ))  # fmt: skip
            case "shipped":
                sums["shipped"] += units
                self.shipped.append(Shipment(
                    **base, units=units, reference=t.reference, order_id=t.order_id, channel=t.channel, known=t.known
                ))  # fmt: skip
            case "made_into":
                sums["in_kits"] += units
                kit, _, kit_lot = t.reference.partition(" ")
                self.made.append(Made(**base, units=units, reference=t.reference, kit=kit, kit_lot=kit_lot))
                if kit_lot and (kit, kit_lot) not in self._named:
                    self._named.add((kit, kit_lot))
                    self.kits.append((kit, kit_lot))
            case "returned" | "scrapped" | "to_supplier":
                said = t.reference or {"returned": "restock", "scrapped": "scrap"}.get(t.kind, t.kind)
                sums["returned"] += units
                sums["scrapped"] += units if said in GONE_AFTER_RETURN else 0
                self.returned.append(Comeback(
                    **base, units=units, reference=t.reference, order_id=t.order_id, disposition=said
                ))  # fmt: skip
            case "picked":
                pass  # binds units, moves none: `_picks`
            case _:
                sums[_CHANGES.get(t.kind, "adjusted")] += t.units
                how = f"{t.kind}: {t.reference}" if t.reference else t.kind
                self.changed.append(Movement(**base, units=t.units, reference=how))

    def _picks(self, traces: Iterable[TraceRow]) -> None:
        """What was picked of a lot for an order, less what was shipped of it since: what left before was in no box."""
        left: dict[tuple[str, str, str, str], int] = defaultdict(int)
        last: dict[tuple[str, str, str, str], TraceRow] = {}
        for t in traces:
            key = (t.sku, t.lot, t.location, t.order_id)
            if t.kind == "picked":
                left[key] += abs(t.units)
                last[key] = t
            elif t.kind == "shipped" and t.order_id:
                left[key] -= min(left[key], abs(t.units))
        for key, units in left.items():
            if units > 0:
                t = last[key]
                self.bound.append(Bound(
                    sku=t.sku, lot=t.lot, location=t.location, order_id=t.order_id, units=units, known=t.known,
                    at=_instant(t.ms),
                ))  # fmt: skip

    def _lot(self, row: LotRow) -> None:
        self._sums(row.sku, row.lot)["on_hand"] += row.on_hand
        self.on_hand.append(OnHand(
            sku=row.sku, lot=row.lot, location=row.location, units=row.on_hand, blocked=row.blocked,
            frozen=row.on_hand if row.status == "recalled" else 0, status=row.status, expired=row.expired,
            best_before=row.best_before,
        ))  # fmt: skip

    def _incoming(self, lot: str, row: IncomingRow) -> None:
        units = sum(n for name, n in row.lots if name == lot) if row.state == "open" else 0
        if units > 0:
            self._sums(row.sku, lot)["in_transit"] += units
            self.transit.append(Transit(
                sku=row.sku, lot=lot, source=row.source, location=row.location, units=units,
                reference=row.reference, expected=row.expected,
            ))  # fmt: skip

    def _sums(self, sku: str, lot: str) -> defaultdict[str, int]:
        return self.sums.setdefault((sku, lot), defaultdict(int))

    def closed(
        self, lot: str, own: frozenset[tuple[str, str]], recall: Recall | None, found: Sequence[LotPartition],
        missing: tuple[int, ...], notes: list[str],
    ) -> LotAccount:  # fmt: skip
        mine = [x for x in self.shipped if not x.through]
        frozen = sum(x.frozen for x in self.on_hand)
        by_channel: defaultdict[str, int] = defaultdict(int)
        by_known: defaultdict[str, int] = defaultdict(int)
        for x in self.shipped:
            by_channel[x.channel or "(none)"] += x.units
            by_known[x.known or "(unknown)"] += x.units
        balances = tuple(_balance(key, self.sums[key]) for key in sorted(self.sums, key=lambda k: (k not in own, k)))
        of_lot = [self.sums[key] for key in own if key in self.sums]
        return LotAccount(
            lot=lot, recall=recall, missing=missing, batches=_sorted(self.batches, lambda x: (x.lot != lot, x.sku)),
            as_of=tuple(sorted((p.partition, p.offset, _instant(_known_ms(p))) for p in found)),
            totals=Totals(
                received=sum(x["received"] for x in of_lot), made=sum(x["made"] for x in of_lot),
                shipped=sum(x.units for x in mine), shipped_in_kits=sum(x.units for x in self.shipped if x.through),
                orders=len({x.order_id for x in self.shipped if x.order_id}),
                returned=sum(x.units for x in self.returned if not x.through),
                in_transit=sum(x["in_transit"] for x in of_lot), on_hand=sum(x["on_hand"] for x in of_lot),
                frozen=frozen,
                bound=sum(x.units for x in self.bound), by_channel=_counted(by_channel), by_known=_counted(by_known),
            ),
            received=_sorted(self.received, _by_time), made_into=_sorted(self.made, _by_time),
            shipped=_sorted(self.shipped, _by_time),
            in_transit=_sorted(self.transit, lambda x: (x.lot != lot, x.sku, x.location, x.reference)),
            on_hand=_sorted(self.on_hand, lambda x: (x.lot != lot, x.sku, x.lot, x.location)),
            returned=_sorted(self.returned, _by_time), bound=_sorted(self.bound, lambda x: (x.at, x.order_id, x.sku)),
            changed=_sorted(self.changed, _by_time), balances=balances, notes=tuple(notes),
        )  # fmt: skip


_CHANGES = {"transferred_out": "transfers", "transferred_in": "transfers", "made_from": "made", "disassembled": "apart"}


def _batch(row: BatchRow) -> Batch:
    return Batch(
        sku=row.sku, lot=row.lot, best_before=row.best_before, produced=row.produced, supplier=row.supplier,
        documents=row.documents, status=row.status, reason=row.reason,
    )  # fmt: skip


def _balance(key: tuple[str, str], sums: defaultdict[str, int]) -> Balance:
    sku, lot = key
    in_kits = sums["in_kits"] - sums["apart"]  # kits taken apart stand there as negative units
    lost = -sums["transfers"] - sums["in_transit"]
    came = sums["received"] + sums["made"] + sums["returned"] + sums["adjusted"]
    went = sums["shipped"] + in_kits + sums["scrapped"] + sums["in_transit"] + lost + sums["on_hand"]
    off = came - went
    says = (
        "" if off == 0 and lost == 0
        else f"{off} units came in that neither left nor are there" if off > 0
        else f"{-off} units left or are there that never came in" if off < 0
        else f"{lost} units were sent to another location and did not arrive" if lost > 0
        else f"{-lost} units arrived from another location that were not sent"
    )  # fmt: skip
    return Balance(
        sku=sku, lot=lot, received=sums["received"], made=sums["made"], returned=sums["returned"],
        adjusted=sums["adjusted"], shipped=sums["shipped"], in_kits=in_kits, scrapped=sums["scrapped"],
        in_transit=sums["in_transit"], lost_in_transit=lost, on_hand=sums["on_hand"], difference=off, says=says,
    )  # fmt: skip


def _kit_notes(book: _Book, recall: Recall | None) -> list[str]:
    """Kit lots with units of a recalled lot that are not frozen themselves: each wants a recall of its own."""
    if recall is None or recall.mock or recall.state != "open":
        return []
    kits = {(m.kit, m.kit_lot) for m in book.made if m.kit_lot}
    free: defaultdict[tuple[str, str], int] = defaultdict(int)
    for x in book.on_hand:
        if (x.sku, x.lot) in kits and x.units > x.frozen:
            free[x.sku, x.lot] += x.units - x.frozen
    return [
        f"{units} kits {sku} of lot {lot} contain units of this lot and are not frozen: "
        f"smokehouse recall open {lot} --sku {sku} --reason TEXT"
        for (sku, lot), units in sorted(free.items())
    ]


def _by_time(x: Movement) -> tuple[str, str, str, str, str]:
    return x.at, x.sku, x.lot, x.location, x.reference


def _sorted(rows: Iterable, key: Callable) -> tuple:
    return tuple(sorted(rows, key=key))


def _counted(counts: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _known_ms(part: LotPartition) -> int:
    """State time, or the stamp of what came since: a log on which nothing waits is told the time once a minute."""
    recall = (part.recall.opened_ms, part.recall.closed_ms) if part.recall else ()
    return max([part.state_ms, *recall, *(trace.ms for trace in part.traces)])


def _instant(ms: int) -> str:
    return instant(ms) if ms else ""
