"""Plans are read as they were written, stand under the key that their newest record replaces, and make sense."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from forecasting.planning import PLANNING, key_of
from tables import examples
from tables import records as r
from tables.codec import Unreadable, encode, pack

KEYS = {
    r.SupplierTerms: "supplier|Hill Country Beef",
    r.Supply: f"supply|{examples.SKU}",
    r.PromotionPlanned: "promotion|SPRING",
    r.ReorderDecision: f"decision|{examples.SKU}|AUSTIN|2026-03-02.001",
    r.ServiceSet: "service|",
}


@pytest.mark.parametrize("record", examples.PLANNING, ids=lambda x: type(x).__name__)
def test_a_plan_is_read_as_it_was_written_and_has_its_key(record: Any):
    assert PLANNING.read(encode(record)) == record
    assert key_of(record) == KEYS[type(record)]


@pytest.mark.parametrize(("kind", "changes", "reason"), [
    (r.SupplierTerms, {"supplier": "a|b"}, "supplier"),
    (r.SupplierTerms, {"lead_days": 366}, "lead_days"),
    (r.SupplierTerms, {"review_days": 0}, "review_days"),
    (r.SupplierTerms, {"order_weekdays": ["monday"]}, "order_weekdays"),
    (r.SupplierTerms, {"closed": ["2026-02-31"]}, "closed: not all"),
    (r.SupplierTerms, {"budget_cents": -1}, "budget_cents"),
    (r.SupplierTerms, {"budget_cents": r.CENTS_MAX + 1}, "budget_cents"),
    (r.Supply, {"case_pack": 0}, "case_pack"),
    (r.Supply, {"shelf_life_days": 3651}, "shelf_life_days"),
    (r.Supply, {"sku": "a b"}, "sku"),
    (r.PromotionPlanned, {"depth": 1.01}, "depth"),
    (r.PromotionPlanned, {"depth": -0.1}, "depth"),
    (r.PromotionPlanned, {"last_day": "2026-03-19"}, "before first_day"),
    (r.PromotionPlanned, {"last_day": "2036-03-19"}, "last_day: more than 1500 days"),
    (r.PromotionPlanned, {"first_day": "2026-02-30"}, "days of the calendar"),
    (r.ReorderDecision, {"run": "today"}, "run"),
    (r.ReorderDecision, {"run": "2026-13-01.001"}, "run"),
    (r.ReorderDecision, {"order_by": "2026-02-30"}, "order_by: not a day"),
    (r.ReorderDecision, {"quantity": 0}, "nothing is accepted"),
    (r.ReorderDecision, {"from_location": None}, "of a transfer"),
    (r.ServiceSet, {"service": 1.0}, "service"),
])  # fmt: skip
def test_what_is_out_of_bounds_or_makes_no_sense_is_unreadable_and_says_where(
    kind: type[r.Record], changes: dict[str, Any], reason: str
):
    with pytest.raises(Unreadable, match=reason):
        PLANNING.read(encode(replace(examples.example(kind), **changes)))


@pytest.mark.parametrize("value", [
    None, b"", b"{", b"[]", b"\xff\xfe", b'{"type":"received"}', b'{"type":"supply","id":"x"}',
    b'{"type":"packed","items":[]}', pack([encode(x) for x in examples.PLANNING[:2]]),
])  # fmt: skip
def test_bytes_that_are_no_plan_say_why(value: bytes | None):
    with pytest.raises(Unreadable, match=r"\w"):
        PLANNING.read(value)
