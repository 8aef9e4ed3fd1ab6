"""Bytes <-> records: garbage of every kind is `Unreadable` and nothing else; packs have bounds; keys find a home."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tables import records as r
from tables import rows
from tables.codec import ORDER_LOG, STOCK_LOG, LogCodec, Unreadable, batches, digest, encode, instant, pack
from tables.examples import example
from tables.murmur2 import murmur2, partition_of, partition_of_sku
from tables.rows import TYPES

LOGS = (ORDER_LOG, STOCK_LOG)
RECEIVED = json.loads(encode(example(r.Received)))
TICK = b'{"type":"tick","id":"t","now_ms":%s}'


def received(**fields: Any) -> bytes:
    return json.dumps({**RECEIVED, **fields}).encode()


def the_one(value: bytes | None, log: LogCodec = STOCK_LOG) -> Any:
    (item,) = log.items(value)
    return item


# -- garbage -----------------------------------------------------------------------------------------------------------

GARBAGE = {
    "nothing": None,
    "empty": b"",
    "no JSON": b"hello",
    "cut off": encode(example(r.Received))[:-1],
    "something after it": encode(example(r.Received)) + b"}",
    "a list": b"[]",
    "no type": b'{"id":"x"}',
    "an unknown type": b'{"type":"teleported","id":"x"}',
    "a record of the other log": encode(example(r.OrderPlaced)),
    "a published record": encode(example(r.Alert)),
    "no id": received(id=""),
    "a long id": received(id="x" * 257),
    "NaN": TICK % b"NaN",
    "infinity": TICK % b"Infinity",
    "1e309": TICK % b"1e309",
    "a fraction": TICK % b"1.5",
    "a boolean as a number": TICK % b"true",
    "a number as text": TICK % b'"1"',
    "a negative time": TICK % b"-1",
    "a huge integer": TICK % (b"9" * 5_000),
    "invalid UTF-8": b'{"type":"tick","id":"\xff\xfe","now_ms":1}',
    "half a surrogate": b'{"type":"tick","id":"\\ud800","now_ms":1}',
    "an encoded surrogate": b'{"type":"tick","id":"\xed\xa0\x80","now_ms":1}',
    "deep nesting": b"[" * 100_000,
    "deep nesting in a field": b'{"type":"tick","id":"t","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no units": received(quantity=0),
    "too many units": received(quantity=r.QUANTITY_MAX + 1),
    "a sku with a space": received(sku="A B"),
    "a sku with our separator": received(sku="A|B"),
    "a lot of 21 characters": received(lot="x" * 21),
    "a day that is none": received(best_before="tomorrow"),
    "a time without a zone": received(occurred_at="2026-03-02T09:15:00"),
    "over the limit of bytes": received(reference="x" * r.RECORD_BYTES_MAX),
}


@pytest.mark.parametrize("value", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_unreadable_with_a_reason_of_one_short_line(value: bytes | None) -> None:
    item = the_one(value)
    assert type(item) is Unreadable
    assert 0 < len(str(item)) <= 300
    assert "\n" not in str(item)


@pytest.mark.parametrize("value", GARBAGE.values(), ids=GARBAGE)
def test_garbage_in_a_pack_spoils_nothing_beside_it(value: bytes | None) -> None:
    """As far as it is JSON at all: a pack that is not is unreadable as a whole."""
    good = encode(example(r.Received))
    items = STOCK_LOG.items(pack([good, value or b"", good]))
    assert all(type(item) in (Unreadable, r.Received) for item in items)
    assert len(items) in (1, 3)
    if len(items) == 3:
        assert [type(item) for item in items] == [r.Received, Unreadable, r.Received]


@settings(derandomize=True, max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_unreadable_and_nothing_else(value: bytes) -> None:
    for log in LOGS:
        assert all(type(item) is Unreadable for item in log.items(value))
        assert all(type(item) is Unreadable for item in log.items(b'{"type":"packed",' + value))


@settings(derandomize=True, max_examples=500, deadline=None)
@given(st.data())
def test_a_record_with_a_few_bytes_changed_is_a_record_or_unreadable(data: st.DataObject) -> None:
    log, kind = data.draw(st.sampled_from([(ORDER_LOG, r.OrderPlaced), (STOCK_LOG, r.Counted), (STOCK_LOG, r.Packed)]))
    value = bytearray(encode(example(kind)))
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    for item in log.items(bytes(value)):
        assert isinstance(item, Unreadable | r.Record)
        if isinstance(item, r.Record):
            assert log.items(encode(item)) == [item]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(derandomize=True, max_examples=400, deadline=None)
@given(st.sampled_from([r.OrderPlaced, r.CancelRequested, r.OrderShipped, r.ReserveAnswered]), st.data())
def test_a_record_with_any_value_in_any_field_is_a_record_or_unreadable(kind: type, data: st.DataObject) -> None:
    fields = json.loads(encode(example(kind)))
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(json_values)
    item = the_one(json.dumps(fields).encode(), ORDER_LOG)
    assert isinstance(item, Unreadable | kind)


def test_a_field_we_do_not_know_is_left_aside() -> None:
    assert the_one(received(colour="red")) == example(r.Received)


HOUR_99 = "2026-03-02T99:15:00Z"


@pytest.mark.parametrize("quantity", [10**30, -(10**30), 1 << 64])
def test_whatever_quantity_is_read_its_row_can_be_written(order_log: Any, quantity: int) -> None:
    """Else one order stops its partition at every checkpoint."""
    item = the_one(encode_order(quantity), ORDER_LOG)
    if not isinstance(item, Unreadable):
        order_log.append(item)
        for row in order_log.rows().values():
            rows.encode(row)


@pytest.mark.parametrize("time", [HOUR_99, "2026-13-02T09:15:00Z", "2 March, at noon, more or less"])
def test_a_reserve_with_a_time_that_is_none_is_unreadable(time: str) -> None:
    """Its day and hour are cut out of it: else one record stops its partition."""
    value = encode(example(r.Reserve, occurred_at=time))
    assert type(the_one(value, STOCK_LOG)) is Unreadable


@pytest.mark.parametrize(
    "field", [{"sku": "A\n"}, {"location": "W1\n"}, {"lot": "L\n"}, {"best_before": "2027-01-01\n"}]
)
def test_a_line_break_at_its_end_is_part_of_a_name(field: dict[str, str]) -> None:
    assert type(the_one(received(**field))) is Unreadable


@pytest.mark.parametrize("field", [{"best_before": "\u0662027-01-01"}, {"occurred_at": "\u0662026-03-02T09:15:00Z"}])
def test_digits_are_plain_ones(field: dict[str, str]) -> None:
    assert type(the_one(received(**field))) is Unreadable


@pytest.mark.parametrize(
    "value",
    [
        b'{"type":"4111-1111","id":"x"}',
        b'{"type":"it\'s 4111-1111","id":"x"}',
        b'{"type":"4111-1111\\n","id":"x"}',
        received(type="adjusted", reason="4111-1111"),
        received(type="adjusted", reason="it's 4111-1111"),  # then the other quotes are put around it
        received(type="adjusted", reason="it's \"4111-1111\" - at `$.x`"),
    ],
)
def test_a_reason_does_not_quote_the_content(value: bytes) -> None:
    assert "4111" not in str(the_one(value))


def encode_order(quantity: int) -> bytes:
    order = json.loads(encode(example(r.OrderPlaced)))
    return json.dumps({**order, "lines": [{"sku": "A", "quantity": quantity}]}).encode()


@pytest.mark.parametrize(
    "value",
    [
        received(type="counted")[:-1] + b',"as_of_offset":' + b"9" * 400 + b"}",
        encode(example(r.Reserve)).replace(b'"AUSTIN"', b'"A|B"'),  # a place is part of keys
        received(type="shipped", channel="c" * 129),
        json.dumps({**json.loads(encode(example(r.ReserveAnswered))), "parts": [
            {"sku": "A", "quantity": 1 << 62, "location": "W1"}]}).encode(),
    ],
    ids=["a position beyond any log", "a place with our separator", "a channel without end", "a sum no row can hold"],
)  # fmt: skip
def test_what_no_row_could_hold_is_unreadable(value: bytes) -> None:
    log = ORDER_LOG if b"reserve_answered" in value else STOCK_LOG
    assert type(the_one(value, log)) is Unreadable


@pytest.mark.parametrize("kind", [r.OrderPicked, r.OrderShipped])
def test_a_fact_names_skus_that_stock_can_hear_of(kind: type) -> None:
    fact = {**json.loads(encode(example(kind))), "lines": [{"sku": "A|B", "quantity": 1}]}
    assert type(the_one(json.dumps(fact).encode(), ORDER_LOG)) is Unreadable


# -- packs -------------------------------------------------------------------------------------------------------------


def ticks(count: int) -> list[bytes]:
    return [encode(r.Tick(id=f"t{n}", now_ms=n)) for n in range(count)]


def test_a_pack_holds_its_records_in_order() -> None:
    assert [item.now_ms for item in STOCK_LOG.items(pack(ticks(r.ITEMS_MAX)))] == list(range(r.ITEMS_MAX))


@pytest.mark.parametrize("items", [[], ticks(r.ITEMS_MAX + 1)], ids=["empty", "1,001 items"])
def test_a_pack_of_none_or_too_many_is_unreadable(items: list[bytes]) -> None:
    assert type(the_one(pack(items))) is Unreadable


def test_packs_are_not_nested() -> None:
    good = ticks(1)
    assert [type(item) for item in STOCK_LOG.items(pack([*good, pack(good)]))] == [r.Tick, Unreadable]
    assert "packed" in str(STOCK_LOG.items(pack([pack(good)]))[0])


def test_a_pack_that_does_not_start_with_its_type_is_unreadable_and_says_why() -> None:
    for value in (b'{ "type":"packed","items":[]}', b'{"items":[' + ticks(1)[0] + b'],"type":"packed"}'):
        assert "does not start with its type" in str(the_one(value))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([1, 100, 5_000, 200_000, r.PACKED_BYTES_MAX, 600_000]), max_size=12),
    st.integers(0, 2_500),
)
def test_batches_keep_order_and_bounds(sizes: list[int], small: int) -> None:
    """A record alone over the limit travels alone: the codec's own limit is higher."""
    encoded = [b"x" * size for size in sizes] + [b"y"] * small
    runs = list(batches(encoded))
    assert [value for run in runs for value in run] == encoded
    for run in runs:
        assert 1 <= len(run) <= r.ITEMS_MAX
        assert sum(map(len, run)) + len(run) <= r.PACKED_BYTES_MAX or len(run) == 1
    assert all(len(pack(run)) <= r.RECORD_BYTES_MAX for run in runs)


# -- what a record is --------------------------------------------------------------------------------------------------


def test_the_digest_ignores_when_we_wrote_a_record_and_nothing_else() -> None:
    fact = example(r.Received)
    assert digest(replace(fact, time="another")) == digest(fact)
    others = [replace(fact, **change) for change in ({"id": "x"}, {"quantity": 1}, {"lot": "x"}, {"best_before": None})]
    assert len({digest(fact), *map(digest, others)}) == 5
    assert len(digest(fact)) == 8


def test_an_instant_is_utc_to_the_millisecond() -> None:
    assert instant(1_772_442_900_007) == "2026-03-02T09:15:00.007Z"
    assert instant(0) == "1970-01-01T00:00:00.000Z"


def test_a_row_is_read_as_it_was_written(stock_log: Any, order_log: Any) -> None:
    """Every kind of row: what is encoded twice is the same bytes."""
    stock_log.append(example(r.SkuDefined, sku="A", channels=[]))
    stock_log.receive(5)
    stock_log.reserve(("A", 5))
    stock_log.command(r.Allocate)
    stock_log.append(r.Shipped(id="s", sku="A", location="W1", quantity=2, order_id="o1", attempt=1))
    stock_log.append(r.PolicySet(id="p", sku="A", reorder_point=5, backorder_limit=9))
    stock_log.append(r.Counted(id="c", sku="A", location="W1", lot="L1", quantity=3))
    stock_log.reserve(("A", 5), order_id="o2", policy="backorder")
    for record in (example(r.PurchaseOrdered, sku="A"), example(r.RecallOpened), example(r.ChannelSet)):
        stock_log.append(record)
    stock_log.receive(5, lot="L2", best_before="2020-01-01")
    stock_log.append(r.LotDefined(id="l", sku="A", lot="L1", best_before="2023-11-14"))
    stock_log.append(r.Tick(id="t", now_ms=stock_log.start_ms + 86_400_000), ms=stock_log.start_ms + 86_400_000)
    for _ in range(200):  # state time moves a minute a tick
        now_ms = stock_log.state.state_ms + 60_000
        stock_log.append(r.Tick(id=f"t{now_ms}", now_ms=now_ms), ms=now_ms)
    for record in (example(r.KitSet), example(r.OrderPlaced), example(r.CancelRequested), example(r.Tick)):
        order_log.append(record)
    every = [*stock_log.rows().items(), *order_log.rows().items(), (rows.PARTITION_KEY, order_log.state)]
    assert {key.partition("|")[0] for key, _ in every} == set(TYPES)
    for key, row in every:
        payload = rows.encode(row)
        assert rows.decode(key, payload) == row
        assert rows.encode(rows.decode(key, payload)) == payload


# -- partitions --------------------------------------------------------------------------------------------------------

KAFKAS_OWN = {  # signed, from Kafka's tests of its own murmur2
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "signed"), KAFKAS_OWN.items())
def test_murmur2_is_kafkas(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed % (1 << 32)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.text(max_size=30).filter(str.isprintable), st.integers(1, 1024))
def test_a_partition_is_chosen_by_the_bytes_of_the_key_without_their_sign(key: str, partitions: int) -> None:
    chosen = partition_of(key, partitions)
    assert chosen == (murmur2(key.encode("utf-8")) & 0x7FFFFFFF) % partitions == partition_of_sku(key, partitions)
    assert 0 <= chosen < partitions
