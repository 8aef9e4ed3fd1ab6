"""What a worker says of a lot is of one place in the log, whatever happens between two pieces of its answer."""

from __future__ import annotations

import msgspec
import pytest
from faust.types import TP

from streams import lot_rows
from streams.lot_rows import lot_pieces, recalls
from streams.outbox import Outbox
from streams.owner import PartitionOwner
from streams.transport import Partitions
from streams.wiring import ROLES
from tables import records as r
from tables.codec import encode
from tables.lot_sections import LotPartition
from tables.murmur2 import partition_of

JERKY = next(f"SKU-{n}" for n in range(40) if partition_of(f"SKU-{n}", 4) == 0)
LOT = "L1"


class Seam(Partitions):
    """The transport's seam, without a consumer: what is opened is being handled, until it is lost."""

    def __init__(self, owner):
        super().__init__(owner, {}, 1_000)
        self.there = set()

    def opened(self):
        return self.there


class Worker:
    """One owner of partition 0 of the stock log, and the log."""

    def __init__(self, topics):
        self.topics = topics
        self.owner = PartitionOwner(topics.settings, {"warehouse": ROLES["stock"]}, Outbox(topics.settings, 4), "one")
        self.owner.seam = self.seam = Seam(self.owner)
        self.tp = TP(topics.settings.prefix + "warehouse", 0)
        self.read = 0
        self.shipped = 0

    async def open(self):
        await self.owner.open(self.tp, None)
        self.seam.there.add(self.tp)

    def take(self, *records):
        """Records written to the log, and handled."""
        self.topics.write("warehouse", [encode(record) for record in records])
        found = [m for m in self.topics.read("warehouse", 0) if m.offset() >= self.read]
        self.read = found[-1].offset() + 1
        self.owner.handle(self.tp, found)
        self.owner.outbox.leave()

    def ship(self, times):
        """So many shipments of a unit each."""
        ids = range(self.shipped, self.shipped + times)
        self.shipped += times
        self.take(*(
            r.Shipped(id=f"s{n}", sku=JERKY, location="W1", quantity=1, lot=LOT, order_id=f"order-{n}") for n in ids
        ))  # fmt: skip

    async def said(self, **more):
        """The whole answer, as who asks reads it."""
        return parsed([piece async for piece in lot_pieces(self.owner, LOT, **more)])

    async def close(self):
        await self.owner.close({self.tp}, lost=True)
        await self.owner.outbox.barrier()


def parsed(pieces):
    return msgspec.json.decode(b"".join(pieces), type=list[LotPartition])


def orders(part):
    return sorted((t.order_id for t in part.traces if t.kind == "shipped"), key=lambda name: int(name[6:]))


@pytest.fixture
async def worker(embedded_topics, monkeypatch):
    """A lot of 1,000 units, 250 of them shipped; slices are small."""
    monkeypatch.setattr(lot_rows, "SLICE_ROWS", 40)
    embedded_topics.apply()
    made = Worker(embedded_topics)
    await made.open()
    made.take(r.Received(id="in", sku=JERKY, location="W1", quantity=1_000, lot=LOT, supplier="Ranch"))
    made.ship(250)
    yield made
    await made.close()


async def test_rows_not_written_yet_rows_in_the_store_and_both_together_say_the_same(worker):
    [fresh] = await worker.said()
    await worker.owner.checkpoint()
    [stored] = await worker.said()
    worker.ship(10)
    [both] = await worker.said()
    assert fresh.whole
    assert orders(fresh) == orders(stored) == [f"order-{n}" for n in range(250)]
    assert orders(both) == [f"order-{n}" for n in range(260)]
    assert (both.lots[0].on_hand, both.batches[0].supplier, both.offset) == (740, "Ranch", worker.read)


async def test_what_is_handled_between_two_pieces_is_left_out_as_if_asked_before(worker):
    await worker.owner.checkpoint()
    worker.ship(30)  # these wait for the next checkpoint when the question comes
    pieces = []
    async for piece in lot_pieces(worker.owner, LOT):
        pieces.append(piece)
        if len(pieces) in (2, 4):
            worker.ship(20)
            await worker.owner.checkpoint()
    [part] = parsed(pieces)
    assert orders(part) == [f"order-{n}" for n in range(280)]
    assert part.lots[0].on_hand == 1_000 - 280
    assert len({(t.at, t.order_id) for t in part.traces}) == len(part.traces) == 281


async def test_a_partition_lost_between_two_pieces_is_not_whole(worker):
    await worker.owner.checkpoint()
    pieces = []
    async for piece in lot_pieces(worker.owner, LOT):
        pieces.append(piece)
        if len(pieces) == 3:
            await worker.close()
    [part] = parsed(pieces)
    assert not part.whole


async def test_a_partition_that_stands_still_says_nothing(worker):
    worker.take(r.LogicVersionSet(id="newer", version=99))
    assert worker.owner.status()[0]["state"] == "halted"
    assert await worker.said() == []
    assert recalls(worker.owner) == []


async def test_movements_are_left_out_where_nobody_asks_for_them(worker):
    [part] = await worker.said(traces=False)
    assert (part.traces, part.lots[0].on_hand, part.whole) == ([], 750, True)


async def test_transfers_under_way_and_recalls_are_told(worker):
    worker.take(
        r.TransferredOut(id="out", sku=JERKY, location="W1", to="W2", quantity=9, reference="T-1", lot=LOT),
        r.RecallOpened(id="recall", lot=LOT, reason="metal"),
    )
    [part] = await worker.said()
    assert [(x.location, x.lots) for x in part.incoming] == [("W2", ((LOT, 9),))]
    assert (part.recall.id, part.recall.state, part.lots[0].status) == ("recall", "open", "recalled")
    [told] = recalls(worker.owner)
    assert (told["partition"], told["partitions"], [row.id for row in told["recalls"]]) == (0, 4, ["recall"])
    [other] = parsed([piece async for piece in lot_pieces(worker.owner, "OTHER")])
    assert (other.lots, other.traces, other.recall) == ([], [], None)
