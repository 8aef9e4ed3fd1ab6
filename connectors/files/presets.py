"""What the known kinds of order file look like: which column holds which field, and what counts as a product code.

Pure. Guarantees: a file without a needed column is refused with the columns it has and the way to map them.
Does not belong here: reading files, what becomes of a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tables.records import SKU_PATTERN

FIELDS = ("invoice", "sku", "quantity", "time", "customer", "description")
NEEDED = ("invoice", "sku", "quantity")


class FileRefused(ValueError):
    """The file cannot be imported as it is. The message says what is wrong with it and what to do next."""


@dataclass(frozen=True, slots=True)
class Preset:
    """`columns`: field -> column. `product_pattern`: what a trimmed, upper-cased code must match to be a product.

    `cancellation_prefix`: invoices that start with it give units back; empty: the file knows no cancellations.
    """

    name: str
    columns: Mapping[str, str]
    product_pattern: str
    cancellation_prefix: str = ""


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "online-retail",
            {
                "invoice": "InvoiceNo", "sku": "StockCode", "quantity": "Quantity", "time": "InvoiceDate",
                "customer": "CustomerID", "description": "Description",
            },
            product_pattern=r"^[0-9]{5}[A-Z]{0,2}$",
            cancellation_prefix="C",
        ),
        Preset(
            "complete-journey",
            {
                "invoice": "basket_id", "sku": "product_id", "quantity": "quantity", "time": "transaction_timestamp",
                "customer": "household_id",
            },
            product_pattern=SKU_PATTERN,
        ),
    )
}  # fmt: skip


def preset_named(name: str) -> Preset:
    """The preset of this name; `FileRefused` names those there are."""
    if name not in PRESETS:
        raise FileRefused(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]


def choose_columns(preset: Preset, found: Sequence[str], mapped: Iterable[str] = ()) -> dict[str, str]:
    """field -> column of this file, from the preset and `column=field` pairs; `FileRefused` if a needed one lacks."""
    columns = dict(preset.columns)
    named: dict[str, str] = {}
    for pair in mapped:
        column, equals, field = pair.rpartition("=")
        if not equals or field not in FIELDS:
            raise FileRefused(f"--map {pair!r}: give COLUMN=FIELD, where FIELD is one of {', '.join(FIELDS)}")
        if column not in found:
            raise FileRefused(f"--map {pair!r}: the file has no column {column!r}; it has: {', '.join(found)}")
        if named.setdefault(field, column) != column:
            raise FileRefused(f"--map names two columns for {field}, {named[field]!r} and {column!r}: leave one out")
    columns.update(named)
    missing = [field for field in NEEDED if columns.get(field) not in found]
    if missing:
        wanted = ", ".join(f"{columns.get(field, '?')} ({field})" for field in missing)
        raise FileRefused(
            f"the file has no column {wanted}; it has: {', '.join(found)}. "
            f"Name the right one with --map COLUMN={missing[0]}"
        )
    used = {field: column for field, column in columns.items() if column in found}
    if twice := [column for column in used.values() if found.count(column) > 1]:
        raise FileRefused(f"the file has more than one column {twice[0]}: give each a name of its own")
    return used
