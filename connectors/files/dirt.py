"""The rules for dirt: what each row of an order file is. The first rule that matches wins; the price has no say.

Pure, by column. Guarantees: every row is of exactly one class, so the counts of the classes add up to the rows.
Does not belong here: what becomes of the rows of a class.

1. `not_a_product`: the code (trimmed, upper-cased) is not a product's (postage, fees, vouchers, samples).
2. `cancellation`: the invoice starts with the preset's prefix: units come back. One that no record may carry is
   `unreadable`, one of no number of units is 3.
3. `impossible_quantity`: not a whole number of at least 1 (damaged goods written off as sales, coupons without goods).
4. `unreadable`: no invoice, or one that no record may carry or nobody can type, or 3.1198E+10, as which a spreadsheet
   keeps many numbers: there is no order to put the line in.
5. `unreadable_time`: something stands where a time belongs, and is none. It comes after 2, too.
6. `line`: anything else. Equal rows are lines like any other.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from connectors.files.canonical import TIME_EXPECTED
from connectors.files.presets import Preset
from tables.records import QUANTITY_MAX

CLASSES = ("line", "not_a_product", "cancellation", "impossible_quantity", "unreadable", "unreadable_time")
LINE, NOT_A_PRODUCT, CANCELLATION, IMPOSSIBLE_QUANTITY, UNREADABLE, UNREADABLE_TIME = range(len(CLASSES))
SHOWN_IF_ANY = ("unreadable", "unreadable_time")
INVOICE_CHARACTERS_MAX = 64  # with the preset's name in front it must fit into an order id
_ROUNDED = r"^[0-9](\.[0-9]+)?E\+[0-9]+$"
_CONTROL = r"[[:cntrl:]]"  # a line break within the cell, say: no page, file or shell shows such an order as it is
DEAD = {  # class -> the field it is about, what was expected there
    IMPOSSIBLE_QUANTITY: ("quantity", f"a whole number from 1 to {QUANTITY_MAX} was expected"),
    UNREADABLE: (
        "invoice", f"an invoice number of 1 to {INVOICE_CHARACTERS_MAX} printable characters was expected, unrounded",
    ),
    UNREADABLE_TIME: ("time", TIME_EXPECTED),
}  # fmt: skip
FOUND_CHARACTERS_MAX = 100  # of a cell that is told
_SERIAL = re.compile(r"[2-5][0-9]{4}([.,][0-9]+)?")  # days since 1900, or since 1904, as a spreadsheet keeps them


def classify(rows: pa.RecordBatch, preset: Preset, unread_times: pa.Array) -> pa.Array:
    """The class of each canonical row, as an index into `CLASSES`. `unread_times`: cells that are no time."""
    product = pc.match_substring_regex(rows["sku"], preset.product_pattern)
    invoice, quantity = rows["invoice"], rows["quantity"]
    possible = pc.fill_null(pc.and_(pc.greater(quantity, 0), pc.less_equal(quantity, QUANTITY_MAX)), False)
    length = pc.utf8_length(invoice)
    readable = pc.and_(pc.greater(length, 0), pc.less_equal(length, INVOICE_CHARACTERS_MAX))
    readable = pc.and_(readable, pc.invert(pc.match_substring_regex(invoice, f"{_ROUNDED}|{_CONTROL}")))
    found = pc.if_else(readable, pc.if_else(unread_times, UNREADABLE_TIME, LINE), UNREADABLE)
    found = pc.if_else(possible, found, IMPOSSIBLE_QUANTITY)
    if preset.cancellation_prefix:
        cancels = pc.starts_with(invoice, preset.cancellation_prefix)
        cancellation = pc.if_else(unread_times, UNREADABLE_TIME, CANCELLATION)
        cancellation = pc.if_else(pc.is_null(quantity), IMPOSSIBLE_QUANTITY, cancellation)
        found = pc.if_else(cancels, pc.if_else(readable, cancellation, UNREADABLE), found)
    return pc.if_else(product, found, NOT_A_PRODUCT).cast(pa.int8())


def reason(kind: int, row: int, column: str, found: str) -> str:
    """Why a row is dead, for who looks at the file: `row` 1 is the first below the heads of the columns."""
    _, expected = DEAD[kind]
    said = f"{CLASSES[kind]}: row {row + 1}, column {column}: {found[:FOUND_CHARACTERS_MAX]!r} stands where {expected}"
    if kind == UNREADABLE_TIME and _SERIAL.fullmatch(found.strip()):
        said += ". That may be a spreadsheet's count of days: give its column a date format there, and save it again"
    return said
