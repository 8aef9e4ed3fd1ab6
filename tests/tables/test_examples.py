"""Every record has an example that its codec reads; and the names that stand in two places agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

import tables
from streams import topics
from tables import examples, outcome
from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG, encode, pack

RECORD_TYPES = [x for x in vars(r).values() if isinstance(x, type) and issubclass(x, r.Record) and x is not r.Record]


def name(value: Any) -> str:
    return getattr(value, "__name__", type(value).__name__)


@pytest.mark.parametrize("kind", [*RECORD_TYPES, r.Packed], ids=name)
def test_every_record_type_has_an_example(kind: type) -> None:
    assert type(examples.example(kind)) is kind


@pytest.mark.parametrize("record", [*examples.BOTH_LOGS, *examples.ORDER_LOG], ids=name)
def test_an_example_of_the_order_log_is_read_as_it_was_written(record: Any) -> None:
    assert ORDER_LOG.items(encode(record)) == [record]


@pytest.mark.parametrize("record", [*examples.BOTH_LOGS, *examples.STOCK_LOG], ids=name)
def test_an_example_of_the_stock_log_is_read_as_it_was_written(record: Any) -> None:
    assert STOCK_LOG.items(encode(record)) == [record]


@pytest.mark.parametrize("record", [*examples.PUBLISHED, *examples.PLANNING], ids=name)
def test_a_published_example_is_read_as_it_was_written(record: Any) -> None:
    assert msgspec.json.decode(encode(record), type=type(record)) == record


def test_the_packed_example_holds_records_of_the_stock_log() -> None:
    assert encode(examples.PACKED) == pack([encode(record) for record in examples.STOCK_LOG[-4:]])
    assert STOCK_LOG.items(encode(examples.PACKED)) == list(examples.STOCK_LOG[-4:])


def test_the_examples_of_a_log_are_exactly_what_its_codec_may_read() -> None:
    orders = {type(record) for record in (*examples.BOTH_LOGS, *examples.ORDER_LOG)}
    stock = {type(record) for record in (*examples.BOTH_LOGS, *examples.STOCK_LOG)}
    assert (orders, stock) == (set(get_args(r.OrderRecord)), set(get_args(r.StockRecord)))


def test_an_example_fills_every_field_that_the_record_type_has() -> None:
    """A field left at its default would be missing on the wire, and in the docs made from the examples."""
    empty = {
        (type(record).__name__, field)
        for record in (*examples.ORDER_LOG, *examples.STOCK_LOG)
        for field in record.__struct_fields__
        if f'"{field}"'.encode() not in encode(record)
    }
    assert empty == {  # the default is the common one
        ("OrderPlaced", "payment"),
        ("SkuDefined", "discontinued"),
        ("Reserve", "demand"),
        ("TransferredIn", "final"),
        ("Counted", "reason"),
        ("RecallOpened", "mock"),
    }


def test_the_tables_imported_are_ours() -> None:
    """PyTables installs a package of the same name."""
    assert Path(tables.__file__).parent == Path(__file__).parents[2] / "tables"


def test_what_a_step_sends_to_are_topics_of_the_catalogue() -> None:
    named = (outcome.ORDERS, outcome.WAREHOUSE, outcome.RESERVATIONS, outcome.ALERTS)
    assert named == (topics.ORDERS.name, topics.WAREHOUSE.name, topics.RESERVATIONS.name, topics.ALERTS.name)
