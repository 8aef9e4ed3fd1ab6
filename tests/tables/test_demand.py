"""What a day knows beside what was ordered: what of it was cancelled, and what left and came back on that day."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables import rows as row_types
from tables.outcome import place_of
from tables.rows import DemandRow, demand_key

DAY = "2026-03-02"
ORDERED: dict[str, Any] = {"occurred_at": f"{DAY}T09:15:00Z"}


def day(log: Any, name: str = DAY, location: str = "W1") -> tuple[int, int, int, int]:
    """Units ordered, cancelled, shipped, returned."""
    row = log.table.get(demand_key("A", location, name)) or DemandRow(0, "A", location, name)
    return row.ordered, row.cancelled, row.shipped, row.returned


def ship(log: Any, quantity: int, occurred_at: str | None = None, **more: Any) -> None:
    fact_id = f"shipped-{len(log.records)}"
    log.append(r.Shipped(
        id=fact_id, sku="A", location="W1", quantity=quantity, occurred_at=occurred_at, **more
    ))  # fmt: skip


def back(log: Any, quantity: int, disposition: str = "restock", occurred_at: str | None = None) -> None:
    fact_id = f"returned-{len(log.records)}"
    log.append(r.Returned(
        id=fact_id, sku="A", location="W1", quantity=quantity, disposition=disposition, occurred_at=occurred_at
    ))  # fmt: skip


@pytest.mark.parametrize("promise", [r.Hold, r.Allocate])
def test_an_order_that_is_cancelled_later_is_netted_with_the_day_it_was_placed(stock_log: Any, promise: type) -> None:
    stock_log.receive(9)
    stock_log.reserve(("A", 4), **ORDERED)
    stock_log.command(promise)
    assert day(stock_log) == (4, 0, 0, 0)
    stock_log.command(r.Release)
    assert day(stock_log) == (4, 4, 0, 0)
    assert [row.day for row in stock_log.rows("demand").values()] == [DAY], "no other day knows of it"


def test_units_that_are_named_are_cancelled_alone(stock_log: Any) -> None:
    stock_log.receive(9)
    stock_log.reserve(("A", 4), **ORDERED)
    stock_log.command(r.Allocate)
    stock_log.append(r.Release(id="some", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 3)]))
    assert day(stock_log) == (4, 3, 0, 0)
    stock_log.append(r.Release(id="some", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 3)]))
    assert day(stock_log) == (4, 3, 0, 0), "the same wish twice is one"


def test_what_was_never_promised_was_wanted_all_the_same(stock_log: Any) -> None:
    """Given back because another partition lacked its lines, or before stock was asked: nobody changed his mind."""
    stock_log.receive(9)
    stock_log.reserve(("A", 4), **ORDERED)
    stock_log.command(r.Release)
    stock_log.reserve(("A", 99), order_id="o2", **ORDERED)
    stock_log.command(r.Release, order_id="o2")
    stock_log.command(r.Release, order_id="o3")
    assert day(stock_log) == (103, 0, 0, 0)


def test_backordered_units_that_are_given_up_are_cancelled_too(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=9))
    stock_log.receive(1)
    stock_log.reserve(("A", 5), policy="backorder", locations=["W1"], **ORDERED)
    stock_log.command(r.Allocate)
    stock_log.command(r.Release)
    assert day(stock_log) == (5, 5, 0, 0)


def test_what_is_given_up_counts_with_its_day_even_if_nothing_else_was_counted_there(stock_log: Any) -> None:
    """An order that asks again wants no more than it did: only its first attempt is demand."""
    stock_log.receive(9)
    stock_log.reserve(("A", 4), attempt=2, demand=False, **ORDERED)
    stock_log.command(r.Allocate, attempt=2)
    assert stock_log.rows("demand") == {}
    stock_log.command(r.Release, attempt=2)
    assert stock_log.rows("demand") == {
        demand_key("A", "W1", DAY): DemandRow(place_of(stock_log.end), "A", "W1", DAY, cancelled=4)
    }  # fmt: skip


def test_a_line_that_is_no_demand_does_not_hide_those_behind_it(stock_log: Any) -> None:
    stock_log.receive(9)
    stock_log.reserve(("NOBODY-KNOWS-IT", 1), ("A", 4), **ORDERED)
    assert day(stock_log) == (4, 0, 0, 0)
    assert len(stock_log.rows("demand")) == 1


def test_as_many_units_as_a_line_may_have_are_demand_and_one_more_is_a_mistake(stock_log: Any) -> None:
    stock_log.receive(9)
    stock_log.reserve(("A", r.QUANTITY_MAX), **ORDERED)
    assert day(stock_log) == (r.QUANTITY_MAX, 0, 0, 0)
    stock_log.reserve(("A", r.QUANTITY_MAX + 1), order_id="o2", **ORDERED)
    assert day(stock_log) == (r.QUANTITY_MAX, 0, 0, 0)


@pytest.mark.parametrize("lost", ["A", "B"])
def test_of_a_command_that_comes_again_the_day_that_was_lost_is_counted_whatever_the_others_know(
    stock_log: Any, lost: str
) -> None:
    for sku in "AB":
        stock_log.receive(9, sku=sku)
    stock_log.reserve(("A", 4), ("B", 2), **ORDERED)
    counted, key = stock_log.rows("demand"), demand_key(lost, "W1", DAY)
    stock_log.table.put({key: DemandRow(0, lost, "W1", DAY)})
    stock_log.deliver(stock_log.end)
    assert stock_log.rows("demand") == counted


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        ("2026-03-05T23:30:00-02:00", "2026-03-06"),  # days are UTC days
        ("2026-03-05T00:30:00Z", "2026-03-05"),
        (None, "2023-11-14"),  # the broker's
        ("no time", "2023-11-14"),
    ],
)
def test_shipments_and_returns_count_on_the_day_they_happened(stock_log: Any, told: str | None, counted: str) -> None:
    stock_log.receive(9)
    ship(stock_log, 3, told)
    back(stock_log, 2, "scrap", told)
    back(stock_log, 1, "restock", told)
    assert day(stock_log, counted) == (0, 0, 3, 3)
    assert len(stock_log.rows("demand")) == 1


def test_a_shipment_beyond_the_books_left_all_the_same(stock_log: Any) -> None:
    stock_log.receive(1)
    ship(stock_log, 3, f"{DAY}T10:00:00Z")
    assert day(stock_log) == (0, 0, 3, 0)


def test_all_of_it_is_counted_once_whatever_is_delivered_again_and_whatever_rows_were_lost(stock_log: Any) -> None:
    """A crash keeps some rows of a checkpoint and loses others: the log is read again over whatever there is."""
    stock_log.receive(50)
    for n in range(6):
        stock_log.reserve(("A", 3), order_id=f"o{n}", **ORDERED)
        stock_log.command(r.Allocate, order_id=f"o{n}")
    before = [stock_log.rows()]
    for n in range(3):
        stock_log.command(r.Release, order_id=f"o{n}")
        ship(stock_log, 2, f"{DAY}T12:00:00Z", order_id=f"o{n + 3}", attempt=1)
        back(stock_log, 1, occurred_at=f"{DAY}T13:00:00Z")
        before.append(stock_log.rows())
    expected, counted = stock_log.rows(), stock_log.rows("demand", "stock")
    assert day(stock_log) == (18, 9, 6, 3)
    rng = random.Random(7)
    for _ in range(60):
        older = rng.choice(before[:-1])
        for key, row in expected.items():
            outcome_row = key[0] in "fr"  # written before the rows that count it
            lost = not outcome_row and rng.random() < 0.5 and key in older
            stock_log.table.put({key: older[key] if lost else row})
        for offset in range(len(stock_log.records) - 9, len(stock_log.records)):
            stock_log.deliver(offset)
        assert stock_log.rows("demand", "stock") == counted


def test_a_ledger_made_anew_from_the_log_is_the_same_byte_for_byte(stock_log: Any, new_stock_log: Any) -> None:
    stock_log.receive(50)
    for n in range(9):
        stock_log.reserve(("A", n + 1), order_id=f"o{n}", **ORDERED)
        stock_log.command(r.Allocate if n % 3 else r.Hold, order_id=f"o{n}")
        if n % 2:
            stock_log.command(r.Release, order_id=f"o{n}")
        ship(stock_log, n + 1, f"2026-03-0{n % 3 + 1}T12:00:00Z", order_id=f"o{n}", attempt=1)
        back(stock_log, 1, occurred_at=f"2026-03-0{n % 2 + 5}T12:00:00Z")
    anew = new_stock_log()
    for record, ms in stock_log.records[1:]:
        anew.append(record, ms)
    written = [{key: row_types.encode(row) for key, row in log.rows("demand").items()} for log in (stock_log, anew)]
    assert len(written[0]) == 5
    assert written[0] == written[1]


def test_days_written_before_these_columns_are_read_with_nothing_in_them() -> None:
    old = row_types.encode(DemandRow(7, "A", "W1", DAY, 3, 2, 1, 1 << 9))
    shorter = old.replace(bytes([0x90 + 11]), bytes([0x90 + 8]), 1)[:-3]
    assert row_types.decode(demand_key("A", "W1", DAY), shorter) == replace(
        DemandRow(7, "A", "W1", DAY, 3, 2, 1, 1 << 9), cancelled=0, shipped=0, returned=0
    )
