"""The rules for dirt: what each row of an order file is. The first rule that matches wins; the price has no say.

Pure, by column. Guarantees: every row is of exactly one class, so the counts of the classes add up to the rows.
Does not belong here: what becomes of the rows of a class.

1. `not_a_product`: the code (trimmed, upper-cased) is not a product's (postage, fees, vouchers, samples).
2. `cancellation`: the invoice starts with the preset's prefix: units come back. One that no record may carry is
   `unreadable`.
3. `impossible_quantity`: not a whole number of at least 1 (damaged goods written off as sales, coupons without goods).
4. `unreadable`: no invoice, or one that no record may carry: there is no order to put the line in.
5. `line`: anything else. Equal rows are lines like any other.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connectors.files.presets import Preset
from tables.records import QUANTITY_MAX

CLASSES = ("line", "not_a_product", "cancellation", "impossible_quantity", "unreadable")
LINE, NOT_A_PRODUCT, CANCELLATION, IMPOSSIBLE_QUANTITY, UNREADABLE = range(len(CLASSES))
DEAD = {
    IMPOSSIBLE_QUANTITY: f"impossible_quantity: not a whole number from 1 to {QUANTITY_MAX}",
    UNREADABLE: "unreadable: the invoice number is empty or longer than 64 characters",
}
INVOICE_CHARACTERS_MAX = 64  # with the preset's name in front it must fit into an order id


def classify(rows: pa.RecordBatch, preset: Preset) -> pa.Array:
    """The class of each canonical row, as an index into `CLASSES`."""
    product = pc.match_substring_regex(rows["sku"], preset.product_pattern)
    invoice, quantity = rows["invoice"], rows["quantity"]
    possible = pc.fill_null(pc.and_(pc.greater(quantity, 0), pc.less_equal(quantity, QUANTITY_MAX)), False)
    length = pc.utf8_length(invoice)
    readable = pc.and_(pc.greater(length, 0), pc.less_equal(length, INVOICE_CHARACTERS_MAX))
    found = pc.if_else(readable, LINE, UNREADABLE)
    found = pc.if_else(possible, found, IMPOSSIBLE_QUANTITY)
    if preset.cancellation_prefix:
        cancels = pc.starts_with(invoice, preset.cancellation_prefix)
        found = pc.if_else(cancels, pc.if_else(readable, CANCELLATION, UNREADABLE), found)
    return pc.if_else(product, found, NOT_A_PRODUCT).cast(pa.int8())
