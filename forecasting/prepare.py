"""Make the daily file that `forecasting.evaluate` reads from a file of transactions (order lines).

    python -m forecasting.prepare FILE --out DAILY.parquet --order InvoiceNo --sku StockCode --time InvoiceDate
                                  --quantity Quantity [--customer CustomerID] [--price UnitPrice]
                                  [--line-id COLUMN] [--products REGEX] [--fold-case]

Reads FILE (parquet or CSV); writes `unique_id, ds, y` (units ordered per SKU and day of order); prints one JSON object
that says what became of every line. Guarantees:
- a line without SKU, time or quantity is left out, and so is one at no price, or whose SKU does not match `--products`;
- a line below zero is a cancellation: it is taken off its own order, and both are gone from the day of the order;
  where no such order is found it is a later return, which is supply, and changes no demand;
- nothing is dropped for looking like another line: only a repeated `--line-id` is a repeat.
Does not belong here: forecasts, days without sales (a reader's matter).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from forecasting.panel import Floats, UnreadableFileError, numbers, only_column, read_table

# A cancellation of only a part of its order: later than this it is rather a return of goods that were wanted.
PART_CANCELLED_WITHIN = np.timedelta64(3, "D")


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of a file's columns; the last three may be absent (empty)."""

    order: str
    sku: str
    time: str
    quantity: str
    customer: str = ""
    price: str = ""
    line_id: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """`daily` holds `unique_id, ds, y`; the rest counts lines."""

    daily: pa.Table
    lines: int
    repeats: int  # a line id seen before
    not_products: int
    unusable: int  # no time, or no quantity
    at_no_price: int
    cancelled: int  # netted against their own order
    returned: int  # below zero, without an order to net against
    ordered: int

    def report(self) -> dict[str, int]:
        counts = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "daily"}
        return counts | {"series": len(pc.unique(self.daily["unique_id"])), "days": self.daily.num_rows}


def prepare(table: pa.Table, columns: Columns, *, products: str = "", fold_case: bool = False) -> Prepared:
    """Daily units per SKU. `products` is a regular expression that the whole SKU must match.

    A missing column, or a time or quantity that is none, is an `UnreadableFileError`.
    """
    wanted = [getattr(columns, field.name) for field in fields(columns)]
    missing = [name for name in wanted if name and name not in table.column_names]
    if missing:
        raise UnreadableFileError(f"no column {', '.join(missing)}; there are {', '.join(table.column_names)}")
    lines = table.num_rows
    if columns.line_id:
        table = _first_of_each(table, columns.line_id)
    repeats = lines - table.num_rows
    sku = pc.utf8_trim_whitespace(_text(table, columns.sku))
    if fold_case:
        sku = pc.utf8_upper(sku)
    is_product = pc.match_substring_regex(sku, f"^(?:{products or '.+'})$").fill_null(False)
    not_products = table.num_rows - pc.sum(is_product).as_py() if table.num_rows else 0
    table, sku = table.filter(is_product), sku.filter(is_product)

    time, quantity = _times(table, columns.time), numbers(table, columns.quantity)
    usable = ~np.isnat(time) & np.isfinite(quantity) & (quantity != 0)
    free = np.zeros(len(usable), dtype=bool)
    if columns.price:
        free = usable & ~(numbers(table, columns.price) > 0)
    orders = _text(table, columns.order).to_pylist()
    customers = _text(table, columns.customer).to_pylist() if columns.customer else [None] * table.num_rows
    names = sku.to_pylist()
    left, cancelled, returned = net(orders, customers, names, time, np.where(usable & ~free, quantity, 0.0))
    return Prepared(
        daily=_daily(names, time, left),
        lines=lines, repeats=repeats, not_products=not_products, unusable=int((~usable).sum()),
        at_no_price=int(free.sum()), cancelled=cancelled, returned=returned, ordered=int((left > 0).sum()),
    )  # fmt: skip


def net(
    orders: Sequence[str | None], customers: Sequence[str | None], skus: Sequence[str], time: np.ndarray, units: Floats
) -> tuple[Floats, int, int]:
    """Units left of every line (0 for what is below zero), and how many lines were cancellations and returns.

    A cancellation belongs to the newest line of the same SKU before it which (the first rule that finds one)
    has the same order id and at least as many units; is of the same customer and has exactly as many; is of the
    same customer, less than `PART_CANCELLED_WITHIN` old, and has at least as many.
    """
    left = np.maximum(units, 0.0)
    of_order: dict[tuple[str, str], list[int]] = {}
    of_customer: dict[tuple[str, str], list[int]] = {}
    cancelled = returned = 0
    # By time; at the same moment orders come before cancellations, and lines stay in the file's order.
    for n in np.lexsort((units < 0, time)).tolist():
        order, customer, sku = orders[n], customers[n], skus[n]
        if units[n] > 0:
            if order is not None:
                of_order.setdefault((order, sku), []).append(n)
            if customer is not None:
                of_customer.setdefault((customer, sku), []).append(n)
        elif units[n] < 0:
            asked = -float(units[n])
            same_order = of_order.get((order, sku), []) if order is not None else []
            same_customer = of_customer.get((customer, sku), []) if customer is not None else []
            own = next((line for line in reversed(same_order) if left[line] >= asked), None)
            if own is None:
                own = next((line for line in reversed(same_customer) if left[line] == asked), None)
            if own is None:
                recent = (line for line in reversed(same_customer) if time[n] - time[line] < PART_CANCELLED_WITHIN)
                own = next((line for line in recent if left[line] >= asked), None)
            if own is None:
                returned += 1
            else:
                cancelled += 1
                left[own] -= asked
    return left, cancelled, returned


def _daily(names: Sequence[str], time: np.ndarray, left: Floats) -> pa.Table:
    kept = np.flatnonzero(left > 0)
    table = pa.table({
        "unique_id": pa.array([names[n] for n in kept.tolist()], pa.string()),
        "ds": pa.array(time[kept].astype("datetime64[D]"), pa.date32()),
        "y": pa.array(left[kept], pa.float64()),
    })  # fmt: skip
    summed = table.group_by(["unique_id", "ds"]).aggregate([("y", "sum")]).rename_columns(["unique_id", "ds", "y"])
    return summed.sort_by([("unique_id", "ascending"), ("ds", "ascending")])


def _first_of_each(table: pa.Table, column: str) -> pa.Table:
    """Lines whose id has not come before; a line without an id is nobody's repeat."""
    seen: set[object] = set()
    keep = []
    for value in only_column(table, column).to_pylist():
        keep.append(value is None or value not in seen)
        seen.add(value)
    return table.filter(pa.array(keep, pa.bool_()))


def _text(table: pa.Table, column: str) -> pa.Array:
    values = only_column(table, column)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_floating(values.type):  # a column of whole numbers with gaps, as pandas writes it
        values = pc.cast(values, pa.int64(), safe=False)
    values = pc.cast(values, pa.string())
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)  # an empty cell of a CSV is nobody


def _times(table: pa.Table, column: str) -> np.ndarray:
    values = only_column(table, column)
    try:
        values = pc.cast(values, pa.timestamp("us"), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:  # pyarrow has no such cast
        raise UnreadableFileError(f"{column} holds something that is no time: {error}") from error
    return values.to_numpy(zero_copy_only=False).astype("datetime64[us]")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr when the file cannot be used."""
    options = _parser().parse_args(arguments)
    columns = Columns(
        options.order, options.sku, options.time, options.quantity, options.customer, options.price, options.line_id
    )
    try:
        table = read_table(options.file, {name for name in (columns.order, columns.sku, columns.customer) if name})
        prepared = prepare(table, columns, products=options.products, fold_case=options.fold_case)
    except (UnreadableFileError, pa.ArrowInvalid) as error:
        print(f"error: {options.file}: {error}", file=sys.stderr)
        return 2
    if not prepared.daily.num_rows:
        print(f"error: {options.file}: no line is left: {json.dumps(prepared.report())}", file=sys.stderr)
        return 2
    write = pyarrow.csv.write_csv if options.out.suffix == ".csv" else pyarrow.parquet.write_table
    write(prepared.daily, options.out)
    print(json.dumps(prepared.report()))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m forecasting.prepare", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("file", type=Path, help="parquet or CSV, one row per order line")
    parser.add_argument("--out", type=Path, required=True, help="parquet, or CSV by its suffix: unique_id, ds, y")
    for name in ("order", "sku", "time", "quantity"):
        parser.add_argument(f"--{name}", required=True, metavar="COLUMN")
    parser.add_argument("--customer", default="", metavar="COLUMN", help="finds the order of a cancellation")
    parser.add_argument("--price", default="", metavar="COLUMN", help="lines at or under 0 are no demand")
    parser.add_argument("--line-id", default="", metavar="COLUMN", help="a line with an id seen before is left out")
    parser.add_argument("--products", default="", metavar="REGEX", help="what a whole SKU matches if it is a product")
    parser.add_argument("--fold-case", action="store_true", help="85123a is 85123A")
    return parser


if __name__ == "__main__":
    sys.exit(main())
