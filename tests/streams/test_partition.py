"""A partition's records: applied in order, sent where they belong, or a dead letter; a defect stops it there."""

from __future__ import annotations

import pytest
from confluent_kafka import Message
from msgspec.structs import replace

from streams.agents import order, stock
from streams.outbox import HOPS, Outbox
from streams.partition import Partition, Role
from streams.wiring import ROLES
from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG, encode, pack
from tables.murmur2 import partition_of
from tables.outcome import place_of
from tables.rows import order_key, stock_key
from tables.table import Table

SKUS = [f"SKU-{n}" for n in range(40)]
HERE, ALSO_HERE, *_ = (sku for sku in SKUS if partition_of(sku, 4) == 0)
THERE = next(sku for sku in SKUS if partition_of(sku, 4) == 3)
ORDER_HERE = next(f"o{n}" for n in range(40) if partition_of(f"o{n}", 4) == 0)
ORDER_THERE = next(f"o{n}" for n in range(40) if partition_of(f"o{n}", 4) == 2)
OPENED = r.LogOpened(id="log", log_id=7, partitions=4, logic_version=1)
NAME = "__connect.errors."


def received(sku=HERE, name="in", units=10):
    return r.Received(id=name, sku=sku, location="W1", quantity=units, lot="L1")


def reserve(*skus):
    lines = [r.Line(sku, 1) for sku in skus]
    return r.Reserve(id="o:1:0", order_id="o", attempt=1, order_partition=0, lines=lines, locations=["W1"])


def placed(order_id):
    return r.OrderPlaced(
        id=order_id, order_id=order_id, channel="shop", lines=[r.Line(HERE, 1)], locations=["W1"], payment="paid"
    )


class Bench:
    """Partition 0 of a log, its records given by hand at offsets 0, 1, 2 ... and its words on a real broker."""

    def __init__(self, topics, role: Role, opened=True):
        self.topics = topics
        self.outbox = Outbox(topics.settings, 4)
        self.table = Table()
        self.partition = Partition(role, 0, self.table, self.outbox, 0)
        self.offset = 0
        if opened:
            self.give(OPENED)
            self.table.take_dirty()

    def give(self, *records, key=None, headers=None):
        """Records (or bytes as they are), as one batch."""
        batch = []
        for record in records:
            value = record if isinstance(record, bytes | None) else encode(record)
            batch.append(Message("x", 0, self.offset, key, value, headers, None, (1, 1_234_567)))
            self.offset += 1
        self.partition.handle(batch)
        self.outbox.leave()

    def moved(self):
        return sorted(self.table.dirty)

    async def said(self, topic):
        await self.outbox.barrier()
        return self.topics.read(topic)

    async def letters(self):
        return [{k.removeprefix(NAME): v.decode() for k, v in m.headers()} for m in await self.said("dead-letters")]


@pytest.fixture
def made(embedded_topics):
    embedded_topics.make("orders", "warehouse", "alerts", "dead-letters", "reservations")
    return embedded_topics


@pytest.fixture
def warehouse(made):
    return Bench(made, ROLES["stock"])


@pytest.fixture
def orders(made):
    return Bench(made, ROLES["order"])


# -- where a record belongs --------------------------------------------------------------------------------------------


async def test_a_record_of_another_partition_is_forwarded_to_it_and_not_applied(warehouse):
    warehouse.give(received(THERE), key=b"any")
    (forwarded,) = await warehouse.said("warehouse")
    assert (forwarded.partition(), forwarded.key()) == (3, THERE.encode())
    assert STOCK_LOG.items(forwarded.value()) == [received(THERE)]
    assert (forwarded.headers(), forwarded.timestamp()[1]) == ([(HOPS, b"1")], 1_234_567)
    assert warehouse.moved() == []
    assert await warehouse.letters() == []
    assert (warehouse.partition.halt, warehouse.partition.next_offset) == (None, 2)


async def test_an_order_in_the_wrong_partition_is_forwarded_under_its_own_key(orders):
    orders.give(placed(ORDER_THERE), key=b"any")
    (forwarded,) = await orders.said("orders")
    assert (forwarded.partition(), forwarded.key()) == (2, ORDER_THERE.encode())
    assert orders.moved() == []


async def test_a_record_forwarded_once_that_is_wrong_again_is_a_dead_letter(warehouse):
    warehouse.give(received(THERE), headers=[(HOPS, b"1")])
    assert await warehouse.letters() == [
        {"topic": "warehouse", "partition": "0", "offset": "1", "index": "0", "exception.message": "misrouted twice"}
    ]
    assert await warehouse.said("warehouse") == []
    assert warehouse.moved() == []


async def test_a_record_forwarded_once_that_is_right_now_is_applied(warehouse):
    warehouse.give(received(HERE), headers=[(HOPS, b"1")])
    assert stock_key(HERE, "W1") in warehouse.moved()
    assert await warehouse.letters() == []


async def test_a_packed_record_is_taken_apart_each_item_goes_its_own_way(warehouse):
    items = [received(HERE, "a"), received(THERE, "b"), r.Tick(id="t", now_ms=5), received(ALSO_HERE, "c")]
    warehouse.give(pack(map(encode, items)))
    (forwarded,) = await warehouse.said("warehouse")
    assert STOCK_LOG.items(forwarded.value()) == [items[1]]
    assert {stock_key(HERE, "W1"), stock_key(ALSO_HERE, "W1")} <= set(warehouse.moved())
    assert warehouse.table.get(stock_key(ALSO_HERE, "W1")).at == place_of(1, 3), "each item has a place of its own"
    assert warehouse.partition.next_offset == 2


async def test_a_reserve_with_lines_of_several_partitions_is_a_dead_letter(warehouse):
    warehouse.give(received(HERE))
    warehouse.table.take_dirty()
    warehouse.give(reserve(HERE, THERE))
    (letter,) = await warehouse.letters()
    assert letter["exception.message"] == "misrouted: its lines belong to several partitions"
    assert letter["offset"] == "2"
    assert warehouse.moved() == []
    assert await warehouse.said("orders") == [], "nobody is told that anything was reserved"


async def test_a_reserve_that_wants_its_answer_in_a_partition_nobody_has_is_a_dead_letter(warehouse):
    """To produce it there would end the process, at every start again."""
    warehouse.give(received(HERE))
    warehouse.table.take_dirty()
    warehouse.give(replace(reserve(HERE), order_partition=4))
    (letter,) = await warehouse.letters()
    assert letter["exception.message"].startswith("misrouted")
    assert warehouse.moved() == []
    assert await warehouse.said("orders") == []


async def test_an_answer_from_a_partition_nobody_has_is_a_dead_letter(orders):
    orders.give(placed(ORDER_HERE))
    orders.table.take_dirty()
    orders.give(r.ReservationOverdue(id="o", order_id=ORDER_HERE, attempt=1, partition=4))
    (letter,) = await orders.letters()
    assert letter["exception.message"].startswith("misrouted")
    assert orders.moved() == []


async def test_a_reserve_with_lines_of_this_partition_alone_is_answered(warehouse):
    warehouse.give(received(HERE), received(ALSO_HERE, "in-2"), reserve(HERE, ALSO_HERE))
    (answer,) = await warehouse.said("orders")
    assert ORDER_LOG.items(answer.value())[0].parts == [r.Part(HERE, 1, "W1"), r.Part(ALSO_HERE, 1, "W1")]


async def test_an_answer_finds_its_order_where_it_lives_though_its_key_points_elsewhere(orders):
    answer = r.ReserveAnswered(
        id="a", order_id=ORDER_THERE, attempt=1, partition=0, parts=[r.Part(HERE, 1, "W1")], could=[0b1]
    )
    orders.give(answer)
    (forwarded,) = await orders.said("orders")
    assert forwarded.partition() == 2, "an order that is not known here"
    orders.give(placed(ORDER_HERE))
    lives_here = replace(orders.table.get(order_key(ORDER_HERE)), order_id=ORDER_THERE)
    orders.table.put({order_key(ORDER_THERE): lives_here})
    orders.give(answer)
    assert len(await orders.said("orders")) == 1, "not forwarded again"
    assert orders.table.get(order_key(ORDER_THERE)).state == "confirmed"


# -- what cannot be used -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty value"),
        (b"", "empty value"),
        (b"{", "truncated"),
        (b'{"type":"sold"}', "Invalid value"),
        (b"\xff\xfe", "malformed"),
        (b'{"type":"packed","items":[]}', "length >= 1"),
    ],
    ids=repr,
)
async def test_what_cannot_be_read_is_a_dead_letter_with_its_place_and_reason(warehouse, value, reason):
    warehouse.give(value, received(HERE), key=b"k")
    (letter,) = await warehouse.letters()
    assert reason in letter["exception.message"]
    assert (letter["topic"], letter["partition"], letter["offset"]) == ("warehouse", "0", "1")
    (found,) = warehouse.topics.read("dead-letters")
    assert (found.key(), found.value()) == (b"k", value)
    assert stock_key(HERE, "W1") in warehouse.moved(), "the next record is applied"


async def test_an_unreadable_item_names_its_place_among_the_others_which_are_applied(warehouse):
    warehouse.give(pack([encode(received(HERE, "a")), b'{"type":"received"}', encode(received(ALSO_HERE, "b"))]))
    (letter,) = await warehouse.letters()
    assert (letter["offset"], letter["index"]) == ("1", "1")
    assert {stock_key(HERE, "W1"), stock_key(ALSO_HERE, "W1")} <= set(warehouse.moved())


async def test_an_id_used_again_with_other_content_is_a_dead_letter_and_moves_nothing(warehouse):
    warehouse.give(received(HERE, "in", 10))
    warehouse.table.take_dirty()
    warehouse.give(received(HERE, "in", 11))
    (letter,) = await warehouse.letters()
    assert "id_conflict" in letter["exception.message"]
    assert warehouse.moved() == []


# -- what stops it -----------------------------------------------------------------------------------------------------


def _raises(step, error=None):
    def broken(view, record, at, state):
        outcome = step(view, record, at, state)
        if record.id == "poison":
            raise error or RuntimeError("a defect in a step")
        return outcome

    return broken


async def test_a_step_that_raises_stops_there_and_nothing_behind_it_is_applied(made):
    bench = Bench(made, ROLES["stock"]._replace(step=_raises(stock.step)))
    bench.give(received(HERE, "before"), received(ALSO_HERE, "poison"), received(HERE, "after"), b"{")
    assert bench.partition.halt == (2, 0, "RuntimeError: a defect in a step")
    assert bench.partition.next_offset == 2
    assert bench.table.get(stock_key(HERE, "W1")).on_hand == 10
    assert bench.table.get(stock_key(ALSO_HERE, "W1")) is None
    assert await bench.letters() == []


async def test_memory_that_ends_in_a_step_is_no_fault_of_the_record_and_halts_nothing(made):
    """A halt would stand until somebody retries it; a process that starts again has memory."""
    bench = Bench(made, ROLES["stock"]._replace(step=_raises(stock.step, MemoryError())))
    with pytest.raises(MemoryError):
        bench.give(received(HERE, "before"), received(ALSO_HERE, "poison"), received(HERE, "after"))
    assert (bench.partition.halt, bench.partition.next_offset) == (None, 2)
    assert bench.table.get(stock_key(ALSO_HERE, "W1")) is None


async def test_a_defect_within_a_packed_record_names_the_item(made):
    bench = Bench(made, ROLES["stock"]._replace(step=_raises(stock.step)))
    bench.give(pack([encode(received(HERE, "before")), encode(received(ALSO_HERE, "poison"))]))
    assert bench.partition.halt[:2] == (1, 1)
    assert bench.partition.next_offset == 1, "the whole record is read again; what it applied it knows"


async def test_what_a_raising_step_was_about_to_say_is_not_said(made):
    bench = Bench(made, ROLES["order"]._replace(step=_raises(order.step)))
    bench.give(replace(placed(ORDER_HERE), id="poison"))
    assert bench.partition.halt is not None
    assert await bench.said("warehouse") == []
    assert bench.moved() == []


async def test_a_log_that_was_not_opened_halts_at_its_first_record(made):
    bench = Bench(made, ROLES["stock"], opened=False)
    bench.give(received(HERE))
    assert bench.partition.halt.offset == 0
    assert "the log was not opened" in bench.partition.halt.reason
    assert "smokehouse topics apply" in bench.partition.halt.reason
    assert bench.partition.position_row() is None
    assert bench.moved() == []


async def test_a_second_log_within_a_log_halts(warehouse):
    warehouse.give(OPENED, r.LogOpened(id="log:8", log_id=8, partitions=4, logic_version=1))
    assert warehouse.partition.halt.offset == 2, "the same log_opened again is no matter"
    assert "here begins log 8" in warehouse.partition.halt.reason


async def test_rules_newer_than_this_worker_knows_halt_it(warehouse):
    warehouse.give(received(HERE), r.LogicVersionSet(id="v", version=99))
    assert "start a newer worker" in warehouse.partition.halt.reason
    assert warehouse.partition.next_offset == 2


# -- the position it ends a checkpoint with ----------------------------------------------------------------------------


async def test_the_position_is_the_last_record_handled_even_when_it_changed_nothing(warehouse):
    warehouse.give(received(HERE), b"{", received(THERE))
    assert warehouse.partition.position_row().at == place_of(4) - 1
    assert warehouse.partition.next_offset == 4
    assert warehouse.partition.state.at == place_of(0), "the log's own state was not touched"
