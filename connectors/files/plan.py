"""Reads an order file once and plans its import: receipts, orders and cancellations, dead letters.

Reads one file; writes nothing, knows no broker and no clock. Guarantees: the same rows give the same plan, as CSV or as
parquet; classes add up to the rows. What is kept of a row is a few integers: a file of a million lines needs some tens
of megabytes. An order stands at its first line's row, with all of its lines, wherever in the file they are.
Does not belong here: records and their bytes (`speech`), sending (`importer`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import blake2b
from itertools import pairwise
from os import fsencode

import pyarrow as pa
import pyarrow.compute as pc

from connectors.files.cancellations import CancelledRow, match
from connectors.files.canonical import canonical, cells, fingerprint, is_day_first, unread_times, with_told_times
from connectors.files.dirt import (
    CANCELLATION,
    CLASSES,
    DEAD,
    FOUND_CHARACTERS_MAX,
    INVOICE_CHARACTERS_MAX,
    LINE,
    SHOWN_IF_ANY,
    UNREADABLE_TIME,
    classify,
    reason,
)
from connectors.files.presets import FileRefused, Preset, choose_columns
from connectors.files.reading import OrderFile, refusing
from tables.records import LINES_MAX, QUANTITY_MAX

SLICE_ORDERS = 4_096  # orders whose lines are Python objects at one time
DEAD_ROWS_MAX = 100_000  # each is an object and a dead letter: beyond it is the file that is not understood


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """`lines`: (sku, units), summed per SKU, in order of appearance."""

    row: int
    invoice: str
    time_ms: int | None
    lines: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class PlannedCancel:
    cancel: CancelledRow
    invoice: str  # of the order it gives back to


@dataclass(frozen=True, slots=True)
class DeadRow:
    """A row that became no record, and why. Of its content what tells the row: not who the customer is.

    `place`: its number among the dead rows of the same content, from 1.
    """

    row: int
    invoice: str
    reason: str
    content: dict[str, object]
    place: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """`import_id`: a hash of the canonical rows. `receipts`: units to receive per SKU, before the first order, where no
    earlier import placed any.
    """

    preset: Preset
    name: str
    rows: int
    classes: dict[str, int]
    import_id: str
    flavors: dict[str, str]
    receipts: dict[str, int]
    invoices: list[str]  # of the orders to place, in file order
    cancels: list[PlannedCancel]
    unmatched: int
    dead: list[DeadRow]
    stock_share: Fraction
    _lines: _Lines

    def orders(self) -> Iterator[PlannedOrder]:
        """The orders in file order, made a slice at a time."""
        return self._lines.orders()

    def receipts_without(self, invoices: Collection[str]) -> dict[str, int]:
        """Units to receive per SKU where the orders of these invoices have theirs already.

        What both imports receive is what one of everything does, to the unit: the share of all less that of these.
        """
        theirs = self._lines.receipts(self.stock_share, invoices)
        return {sku: units - theirs.get(sku, 0) for sku, units in self.receipts.items()}


def plan_import(
    file: OrderFile,
    preset: Preset,
    mapped: Sequence[str] = (),
    stock_share: Fraction = Fraction(4, 5),
    on_rows: Callable[[int], None] = lambda rows: None,
) -> Plan:
    """Read `file` and plan its import. `on_rows` is told of rows as they are read; `FileRefused` if it cannot be."""
    columns = choose_columns(preset, file.columns, mapped)
    hashed = blake2b(preset.name.encode(), digest_size=6)
    sifted = _Sifted(preset, columns)
    for batch in file.batches(list(dict.fromkeys(columns.values()))):
        with refusing(file.path):  # a column of lists, say
            rows = canonical(batch, columns)
            unread = unread_times(cells(batch, columns, "time"), rows["time"])
        hashed.update(fingerprint(rows))
        sifted.add(with_told_times(rows), unread, lambda field, batch=batch: cells(batch, columns, field))
        on_rows(rows.num_rows)
    lines = _Lines.grouped(sifted.lines())
    cancels, unmatched = _matched(sifted, lines)
    return Plan(
        preset=preset, name=fsencode(file.path.name).decode(errors="replace"), rows=sifted.rows,
        classes={name: n for name, n in zip(CLASSES, sifted.counts, strict=True) if n or name not in SHOWN_IF_ANY},
        import_id=hashed.hexdigest(), flavors=sifted.flavors, receipts=lines.receipts(stock_share),
        invoices=lines.placed_invoices(), cancels=cancels, unmatched=unmatched,
        dead=_numbered((*sifted.dead, *lines.too_long())), stock_share=stock_share, _lines=lines,
    )  # fmt: skip


class _Sifted:
    """Rows by class: lines as compact columns, cancellations and dead rows (few) as objects."""

    def __init__(self, preset: Preset, columns: Mapping[str, str]) -> None:
        self.rows = 0
        self.counts = [0] * len(CLASSES)
        self.flavors: dict[str, str] = {}
        self.cancelled: list[CancelledRow] = []
        self.dead: list[DeadRow] = []
        self._preset, self._columns = preset, columns
        self._places: Counter[tuple[str, str, int]] = Counter()  # equal rows of a cancelling invoice so far
        self._parts: list[pa.Table] = []

    def add(self, rows: pa.RecordBatch, unread_times: pa.Array, found: Callable[[str], pa.Array]) -> None:
        """Canonical rows. `unread_times`: which have a cell that is no time; `found`: a field as the file has it."""
        kinds = classify(rows, self._preset, unread_times)
        for kind in pc.value_counts(kinds).to_pylist():
            self.counts[kind["values"]] += kind["counts"]
        numbered = rows.append_column("row", pa.array(range(self.rows, self.rows + rows.num_rows), pa.int32()))
        self.rows += rows.num_rows
        lines = numbered.filter(pc.equal(kinds, LINE))
        self._note_flavors(lines)
        kept = ["invoice", "sku", "quantity", "time", "row"]
        if self._preset.cancellation_prefix:
            kept.append("customer")
            self._note_cancellations(numbered.filter(pc.equal(kinds, CANCELLATION)))
        self._parts.append(pa.table({name: _compact(lines[name]) for name in kept}))
        for kind, (field, _) in DEAD.items():
            dead = pc.equal(kinds, kind)
            self._note_dead(kind, numbered.filter(dead), found(field).filter(dead).cast(pa.string()))

    def lines(self) -> pa.Table:
        """All order lines; texts as dictionaries whose entries stand in order of appearance."""
        if not self._parts:
            raise FileRefused("the file holds no rows")
        return pa.concat_tables(self._parts).unify_dictionaries().combine_chunks()

    def _note_flavors(self, lines: pa.RecordBatch) -> None:
        once = pa.table({"sku": lines["sku"], "description": lines["description"]})
        once = once.filter(pc.not_equal(once["description"], ""))
        once = once.group_by("sku", use_threads=False).aggregate([("description", "first")])
        for sku, text in zip(once["sku"].to_pylist(), once["description_first"].to_pylist(), strict=True):
            self.flavors.setdefault(sku, text)

    def _note_cancellations(self, cancels: pa.RecordBatch) -> None:
        for cell in cancels.to_pylist():
            equal = invoice, sku, units = cell["invoice"], cell["sku"], -(cell["quantity"] or 0)
            self._places[equal] += 1
            self.cancelled.append(
                CancelledRow(cell["row"], invoice, self._places[equal], cell["customer"], sku, units, cell["time"])
            )

    def _note_dead(self, kind: int, rows: pa.RecordBatch, found: pa.Array) -> None:
        field, _ = DEAD[kind]
        column = self._columns.get(field, field)
        for cell, text in zip(rows.drop_columns("customer").to_pylist(), found.to_pylist(), strict=True):
            row = cell.pop("row")
            invoice = cell["invoice"] = cell["invoice"][:INVOICE_CHARACTERS_MAX]
            if cell[field] is None:  # what cannot be read is told as it stands
                cell[field] = (text or "")[:FOUND_CHARACTERS_MAX]
            why = reason(kind, row, column, text or "")
            if kind == UNREADABLE_TIME and is_day_first(text):
                raise FileRefused(f"{why}; its day comes first, so 3/1/2011 would be taken for March: write 2011-01-31")
            self.dead.append(DeadRow(row, invoice, why, cell))
        if len(self.dead) > DEAD_ROWS_MAX:
            raise FileRefused(f"more than {DEAD_ROWS_MAX:,} rows cannot be read, the first: {self.dead[0].reason}")


@dataclass(frozen=True, slots=True)
class _Lines:
    """Order lines, summed per order and SKU: parallel columns, and where each order's lines start."""

    invoices: list[str]
    rows: list[int]
    times: list[int | None]
    starts: list[int]  # one more than orders
    order: pa.Array  # of each line
    skus: list[str]
    sku: pa.Array
    units: pa.Array
    table: pa.Table  # as they stood in the file

    @classmethod
    def grouped(cls, table: pa.Table) -> _Lines:
        codes = pa.table({
            "invoice": _indices(table["invoice"]), "sku": _indices(table["sku"]),
            "quantity": table["quantity"], "time": table["time"], "row": table["row"],
        })  # fmt: skip
        # One thread: then groups come in order of appearance, and `first` is the first.
        summed = codes.group_by(["invoice", "sku"], use_threads=False).aggregate([("quantity", "sum"), ("row", "min")])
        summed = summed.sort_by([("invoice", "ascending"), ("row_min", "ascending")])  # of an order, side by side
        orders = codes.group_by("invoice", use_threads=False).aggregate([("row", "min"), ("time", "first")])
        counts = summed.group_by("invoice", use_threads=False).aggregate([([], "count_all")])["count_all"]
        ends = pc.cumulative_sum(counts).to_pylist()
        return cls(
            _texts(table["invoice"]), orders["row_min"].to_pylist(), orders["time_first"].to_pylist(), [0, *ends],
            _whole(summed["invoice"]), _texts(table["sku"]), _whole(summed["sku"]), _whole(summed["quantity_sum"]),
            table,
        )  # fmt: skip

    def orders(self) -> Iterator[PlannedOrder]:
        for first in range(0, len(self.invoices), SLICE_ORDERS):
            last = min(first + SLICE_ORDERS, len(self.invoices))
            base = self.starts[first]
            skus = [self.skus[n] for n in self.sku.slice(base, self.starts[last] - base).to_pylist()]
            units = self.units.slice(base, self.starts[last] - base).to_pylist()
            for n in range(first, last):
                a, b = self.starts[n] - base, self.starts[n + 1] - base
                if b - a <= LINES_MAX:
                    lines = list(zip(skus[a:b], units[a:b], strict=True))
                    yield PlannedOrder(self.rows[n], self.invoices[n], self.times[n], lines)

    def _is_placed(self) -> list[bool]:
        return [b - a <= LINES_MAX for a, b in pairwise(self.starts)]

    def placed_invoices(self) -> list[str]:
        return [invoice for invoice, placed in zip(self.invoices, self._is_placed(), strict=True) if placed]

    def too_long(self) -> list[DeadRow]:
        """Orders of more lines than one record may carry."""
        return [
            DeadRow(
                self.rows[n], self.invoices[n],
                f"too_many_lines: {self.starts[n + 1] - self.starts[n]}; an order has at most {LINES_MAX}",
                {"invoice": self.invoices[n]},
            )
            for n, placed in enumerate(self._is_placed()) if not placed
        ]  # fmt: skip

    def receipts(self, share: Fraction, invoices: Collection[str] | None = None) -> dict[str, int]:
        """Units to receive per SKU: share of the units ordered, rounded up, in whole numbers throughout.

        Of the orders that are placed, or those of `invoices` among them.
        """
        meant = self._is_placed()
        if invoices is not None:
            meant = [placed and invoice in invoices for placed, invoice in zip(meant, self.invoices, strict=True)]
        lines = pa.table({"sku": self.sku, "units": self.units}).filter(pa.array(meant, pa.bool_()).take(self.order))
        totals = lines.group_by("sku").aggregate([("units", "sum")])
        ordered = dict(zip(totals["sku"].to_pylist(), totals["units_sum"].to_pylist(), strict=True))
        received = {
            self.skus[n]: -(-units * share.numerator // share.denominator) for n, units in sorted(ordered.items())
        }
        for sku, units in received.items():
            if units > QUANTITY_MAX:
                raise FileRefused(f"SKU {sku}: {units} units to receive; one receipt holds at most {QUANTITY_MAX}")
        return received


def _matched(sifted: _Sifted, lines: _Lines) -> tuple[list[PlannedCancel], int]:
    if not sifted.cancelled:
        return [], 0
    cancelled = sifted.cancelled
    table = lines.table
    # Only lines that a cancellation could mean become Python objects.
    for column, wanted in (("customer", {c.customer for c in cancelled}), ("sku", {c.sku for c in cancelled})):
        named = pc.is_in(table[column].combine_chunks().dictionary, value_set=pa.array(sorted(wanted), pa.string()))
        table = table.filter(pc.take(named, _indices(table[column])))
    placed = set(lines.placed_invoices())
    columns = (table[name].to_pylist() for name in ("row", "invoice", "customer", "sku", "quantity"))
    rows = (row for row in zip(*columns, strict=True) if row[1] in placed)
    found = match(rows, cancelled)
    pairs = [PlannedCancel(c, invoice) for c, invoice in zip(cancelled, found, strict=True) if invoice is not None]
    return pairs, len(cancelled) - len(pairs)


def _numbered(dead: Iterable[DeadRow]) -> list[DeadRow]:
    """In row order, equal ones told apart by their number."""
    places: Counter[tuple[object, ...]] = Counter()
    found = []
    for one in sorted(dead, key=lambda dead: dead.row):
        equal = tuple(one.content.values())
        places[equal] += 1
        found.append(replace(one, place=places[equal]))
    return found


def _compact(column: pa.Array) -> pa.Array:
    return pc.dictionary_encode(column) if pa.types.is_string(column.type) else column


def _whole(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def _indices(column: pa.ChunkedArray) -> pa.Array:
    return _whole(column).indices


def _texts(column: pa.ChunkedArray) -> list[str]:
    return _whole(column).dictionary.to_pylist()
