"""The owner: a log that does not fit the rows halts its partition; rows and answers are there before the offset is."""

from __future__ import annotations

import asyncio

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from faust.types import TP

from streams import owner
from streams.agents import stock
from streams.outbox import Outbox
from streams.owner import PartitionOwner
from streams.reader import last_offsets
from streams.settings import client_config
from streams.transport import BEGINNING, PartitionHalted, Partitions
from streams.wiring import ROLES
from tables import records as r
from tables import rows
from tables.codec import ORDER_LOG, STOCK_LOG, encode
from tables.murmur2 import partition_of
from tables.outcome import place_of
from tables.rows import PARTITION_KEY
from tables.store import VERSION_BYTES, changelog_key, split_changelog_key, version_bytes

CHANGELOG = "stock-changelog"
SKUS = [f"SKU-{n}" for n in range(40)]
JERKY, PEPPER, *_ = (sku for sku in SKUS if partition_of(sku, 4) == 0)
ELSEWHERE = next(sku for sku in SKUS if partition_of(sku, 4) == 1)


class Witness(Partitions):
    """The transport's seam, without a consumer: looks at the broker in the moment an offset is committed."""

    def __init__(self, owner, topics):
        super().__init__(owner, {}, 1_000)
        self._topics = topics
        self.committed = {}
        self.seen = []

    def opens(self, tp):
        self._epochs[tp] = 1
        self._open.add(tp)

    def commit(self, offsets):
        self.committed |= offsets
        self.seen.append({name: self._topics.read(name) for name in (CHANGELOG, "orders", "stock-levels")})
        super().commit(offsets)


class Worker:
    """One owner with the log it reads; `step` may be another one than the product's."""

    def __init__(self, topics, name="worker", step=stock.step):
        self.topics = topics
        role = ROLES["stock"]._replace(step=step)
        self.owner = PartitionOwner(topics.settings, {"warehouse": role}, Outbox(topics.settings, 4), name)
        self.owner.seam = self.seam = Witness(self.owner, topics)
        self.read = {}

    def tp(self, partition=0):
        return TP(self.topics.settings.prefix + "warehouse", partition)

    async def open(self, committed=None, partition=0):
        offset = await self.owner.open(self.tp(partition), committed)
        self.read[partition] = 0 if offset == BEGINNING else offset
        return offset

    def handle(self, partition=0):
        """Everything of the log that was not handled yet, as one batch; the outbox is left to itself."""
        found = [m for m in self.topics.read("warehouse", partition) if m.offset() >= self.read[partition]]
        self.read[partition] += len(found)
        self.owner.handle(self.tp(partition), found)
        self.owner.outbox.leave()

    async def close(self, *, lost=False, partition=0):
        offsets = await self.owner.close({self.tp(partition)}, lost=lost)
        await self.owner.outbox.barrier()  # nothing of ours arrives in a later test
        return offsets

    def status(self):
        (told,) = self.owner.status()
        return told


def send(topics, *records, partition=0):
    topics.write("warehouse", [encode(record) for record in records], partition=partition)


def received(name="in", units=10, sku=JERKY):
    return r.Received(id=name, sku=sku, location="W1", quantity=units, lot="L1")


def reserve(order_id="o1", sku=JERKY, units=2):
    return r.Reserve(
        id=f"{order_id}:1:0", order_id=order_id, attempt=1, order_partition=0, lines=[r.Line(sku, units)],
        locations=["W1"],
    )  # fmt: skip


def partition_row(log_id, offset):
    return rows.PartitionRow(place_of(offset), log_id, 0, 4, 1, r.Limits(), 0, 0)


def write_row(topics, key, row, log_id, writer="a" * 32):
    value = version_bytes(log_id, row.at) + rows.encode(row)
    topics.write(CHANGELOG, [value], changelog_key(key, writer))


def log_id_of(topics):
    return STOCK_LOG.items(topics.read("warehouse", 0)[0].value())[0].log_id


def kinds(messages):
    """The kinds of rows, in the order in which they stand."""
    return [split_changelog_key(m.key())[0].partition(b"|")[0].decode() for m in messages]


@pytest.fixture
def opened(topics):
    """Topics with both logs open, on both brokers in turn."""
    topics.apply()
    return topics


@pytest.fixture
def log(embedded_topics):
    embedded_topics.apply()
    return embedded_topics


# -- a log that does not fit the rows ----------------------------------------------------------------------------------


async def halted(topics, committed):
    """Open and be refused: returns what the status says, once nothing was seen to move."""
    before = {name: last_offsets(topics.settings, name) for name in ("warehouse", "orders", CHANGELOG)}
    worker = Worker(topics)
    with pytest.raises(PartitionHalted) as refused:
        await worker.open(committed)
    told = worker.status()
    assert told["state"] == "halted"
    assert told["reason"] == str(refused.value)
    assert told["remedy"].endswith("smokehouse partition retry warehouse 0")
    worker.owner.handle(worker.tp(), topics.read("warehouse", 0))
    await worker.owner.checkpoint()
    assert not worker.seam.committed
    assert {name: last_offsets(topics.settings, name) for name in before} == before
    assert worker.owner.retry("warehouse", 0), "it stands still here"
    assert not worker.owner.retry("warehouse", 1)
    return told


async def test_an_offset_committed_past_the_changelog_means_a_lost_changelog(opened):
    send(opened, received())
    told = await halted(opened, committed=2)
    assert told["reason"] == "offset 2 is committed, but the changelog ends at 0: rows are missing"
    assert told["offset"] == 2


async def test_a_changelog_that_was_cut_halts_as_well(log):
    write_row(log, PARTITION_KEY, partition_row(log_id_of(log), 0), log_id_of(log))
    send(log, received())
    assert "the changelog ends at 1" in (await halted(log, committed=2))["reason"]


async def test_a_log_shorter_than_its_rows_halts(opened):
    write_row(opened, PARTITION_KEY, partition_row(log_id_of(opened), 50), log_id_of(opened))
    told = await halted(opened, committed=1)
    assert told["reason"] == "the log regressed: it ends at 1, these rows have seen offset 50"


async def test_a_log_of_another_id_halts(log):
    write_row(log, PARTITION_KEY, partition_row(7, 0), 7)
    told = await halted(log, committed=1)
    assert told["reason"] == f"the log regressed: it is log {log_id_of(log)}, these rows belong to log 7"


@pytest.mark.kafka
async def test_a_log_that_starts_past_the_offset_needed_halts(kafka_topics):
    kafka_topics.apply()
    send(kafka_topics, received("a"), received("b"), received("c"))
    start = TopicPartition(kafka_topics.settings.prefix + "warehouse", 0, 2)
    admin = AdminClient(client_config(kafka_topics.settings))
    for future in admin.delete_records([start]).values():
        future.result(10)
    told = await halted(kafka_topics, committed=None)
    assert told["reason"] == "the log starts at 2, records from 0 on are needed"


async def test_two_contents_of_one_version_halt(log):
    for writer, partitions in (("a", 4), ("b", 8)):
        row = rows.PartitionRow(place_of(0), 7, 0, partitions, 1, r.Limits(), 0, 0)
        write_row(log, PARTITION_KEY, row, 7, writer * 32)
    assert "two contents of one version" in (await halted(log, committed=1))["reason"]


async def test_a_log_that_fits_opens_where_it_was_committed(log):
    worker = Worker(log)
    assert await worker.open() == BEGINNING
    send(log, received())
    worker.handle()
    await worker.owner.checkpoint()
    offset = worker.seam.committed[worker.tp()]
    await worker.close(lost=True)

    heir = Worker(log, "heir")
    assert await heir.open(offset) == offset
    assert not heir.owner.retry("warehouse", 0), "it does not stand still"
    assert await heir.close() == {heir.tp(): offset}


# -- one checkpoint ----------------------------------------------------------------------------------------------------


async def test_when_an_offset_is_committed_its_rows_answers_and_views_are_on_the_broker(opened):
    worker = Worker(opened)
    await worker.open()
    send(opened, received(), reserve())
    worker.handle()
    await worker.owner.checkpoint()
    (at_the_commit,) = worker.seam.seen
    order = kinds(at_the_commit[CHANGELOG])
    outcomes = [kind for kind in order if kind in ("fact", "res")]
    assert sorted(outcomes) == ["fact", "res"]
    assert order[: len(outcomes)] == outcomes, "outcome rows stand before the rows that count them"
    assert {"stock", "lot", "sku"} <= set(order)
    assert order.index("partition") == len(order) - 1, "the partition row is the last word"
    position = rows.decode(PARTITION_KEY, at_the_commit[CHANGELOG][-1].value()[VERSION_BYTES:])
    committed = worker.seam.committed[worker.tp()]
    assert position.at < place_of(committed)
    assert place_of(committed) - position.at == 1
    answers = [x for m in at_the_commit["orders"] for x in ORDER_LOG.items(m.value())]
    assert [x.order_id for x in answers if isinstance(x, r.ReserveAnswered)] == ["o1"]
    assert at_the_commit["stock-levels"][-1].key() == JERKY.encode()
    await worker.close(lost=True)


async def test_a_row_changed_often_is_written_once_a_checkpoint(log):
    worker = Worker(log)
    await worker.open()
    send(log, *(received(f"in-{n}", 1) for n in range(10)))
    worker.handle()
    await worker.owner.checkpoint()
    counted = [m for m in log.read(CHANGELOG) if split_changelog_key(m.key())[0] == f"stock|{JERKY}|W1".encode()]
    assert len(counted) == 1
    assert rows.decode("stock|", counted[0].value()[VERSION_BYTES:]).on_hand == 10
    await worker.close(lost=True)


async def test_a_checkpoint_on_time_rests_between_two_partitions_unless_one_is_given_up(log, monkeypatch):
    """Orders go on meanwhile; a rebalance, for which the whole group waits, does not wait for them."""
    monkeypatch.setattr(owner, "REST", 1e6)
    monkeypatch.setattr(owner, "CHECKPOINT_SECONDS", 0.05)
    worker = Worker(log)
    await worker.open()
    await worker.open(partition=1)
    send(log, received("here"))
    send(log, received("there", sku=ELSEWHERE), partition=1)
    worker.handle()
    worker.handle(partition=1)
    timer = asyncio.create_task(worker.owner.run_checkpoints())
    await asyncio.sleep(0.5)
    await worker.owner.outbox.barrier()
    assert [m.partition() for m in log.read(CHANGELOG)] == [0] * len(log.read(CHANGELOG, 0)) != []
    assert worker.seam.committed == {}
    both = {worker.tp(n): worker.read[n] for n in (0, 1)}
    assert await asyncio.wait_for(worker.owner.close(set(both), lost=False), 10) == worker.seam.committed == both
    timer.cancel()


async def test_a_checkpoint_without_news_writes_and_commits_nothing(log):
    worker = Worker(log)
    await worker.open()
    worker.handle()
    await worker.owner.checkpoint()
    end = last_offsets(log.settings, CHANGELOG)
    worker.seam.committed.clear()
    await worker.owner.checkpoint()
    assert worker.seam.committed == {}
    assert last_offsets(log.settings, CHANGELOG) == end
    await worker.close(lost=True)


async def test_a_crash_before_the_checkpoint_says_the_same_again(log):
    worker = Worker(log)
    await worker.open()
    send(log, received(), reserve())
    worker.handle()
    await worker.owner.outbox.barrier()  # answers leave at once, rows do not
    assert last_offsets(log.settings, CHANGELOG)[0] == 0

    heir = Worker(log, "heir")
    await heir.open()
    heir.handle()
    await heir.owner.checkpoint()
    answers = [x for m in log.read("orders") for x in ORDER_LOG.items(m.value()) if isinstance(x, r.ReserveAnswered)]
    assert len(answers) == 2
    assert encode(answers[0]) == encode(answers[1])
    newest = rows.decode("stock|", _newest(log, f"stock|{JERKY}|W1"))
    assert (newest.on_hand, newest.claimed) == (10, 2)
    await worker.close(lost=True)
    await heir.close(lost=True)


def _newest(topics, key):
    found = [m.value() for m in topics.read(CHANGELOG) if m.value() and split_changelog_key(m.key())[0] == key.encode()]
    return max(found)[VERSION_BYTES:]


async def test_an_old_writers_copy_is_taken_away_only_behind_ours(opened):
    first = Worker(opened, "first")
    await first.open()
    send(opened, received(), received("other", sku=PEPPER))
    first.handle()
    await first.owner.checkpoint()
    offset = first.seam.committed[first.tp()]
    await first.close(lost=True)
    old = {m.key() for m in opened.read(CHANGELOG)}

    heir = Worker(opened, "heir")
    await heir.open(offset)
    send(opened, received("more", 1))
    heir.handle()
    await heir.owner.checkpoint()
    await heir.owner.outbox.barrier()
    ours, gone = {}, {}
    for message in opened.read(CHANGELOG):
        key, _ = split_changelog_key(message.key())
        if message.value() is None:
            assert message.key() in old
            gone[key] = message.offset()
        elif message.key() not in old:
            ours[key] = message.offset()
    replaced = {f"stock|{JERKY}|W1".encode(), f"lot|{JERKY}|W1|L1".encode(), PARTITION_KEY.encode()}
    assert replaced <= gone.keys()
    assert all(gone[key] > ours[key] for key in gone), "each goes after ours has come"
    assert f"stock|{PEPPER}|W1".encode() not in gone, "a row that was not written again keeps its only copy"
    await heir.close(lost=True)


async def test_what_is_taken_over_is_published_again_some_at_a_time(log, monkeypatch):
    """Not before its turn: while much is published at once, orders would wait."""
    monkeypatch.setattr(owner, "SWEEP_ROWS", 1)
    monkeypatch.setattr(owner, "VIEW_SECONDS", 2.0)  # long enough for a look between two portions
    first = Worker(log, "first")
    await first.open()
    send(log, received(), received("more", sku=PEPPER))
    first.handle()
    await first.owner.checkpoint()
    published = len(log.read("stock-levels"))
    await first.close(lost=True)
    heir = Worker(log, "heir")
    await heir.open(first.seam.committed[first.tp()])
    heir.seam.opens(heir.tp())
    views = asyncio.create_task(heir.owner.run_views())
    portions = [published]
    async with asyncio.timeout(60):
        while portions[-1] < published + 2:
            await asyncio.sleep(0.01)
            await heir.owner.outbox.barrier()
            portions.append(len(log.read("stock-levels")))
    views.cancel()
    assert published + 1 in portions
    assert {m.key().decode() for m in log.read("stock-levels")[published:]} == {JERKY, PEPPER}
    await heir.close(lost=True)


async def test_opening_tells_the_log_the_time(log):
    worker = Worker(log)
    await worker.open()
    await worker.owner.outbox.barrier()
    last = STOCK_LOG.items(log.read("warehouse", 0)[-1].value())[0]
    assert isinstance(last, r.Tick)
    await worker.close(lost=True)


# -- the end of ownership ----------------------------------------------------------------------------------------------


async def test_a_partition_given_up_is_checkpointed_and_its_store_kept(log, caplog):
    worker = Worker(log)
    await worker.open()
    send(log, received())
    worker.handle()
    offsets = await worker.close()
    assert offsets == worker.seam.committed == {worker.tp(): worker.read[0]}
    assert kinds(log.read(CHANGELOG))[-1] == "partition"
    again = Worker(log)
    with caplog.at_level("INFO", "streams.owner"):
        await again.open(worker.read[0])
    assert "local store kept" in caplog.text
    await again.close(lost=True)


async def test_a_kept_store_of_another_log_that_is_as_long_gives_way_to_the_changelog(log, caplog):
    """Two installations on one machine, one after the other: a worker's name is the same, and so is its folder."""
    other = type(log)(log.settings.with_(prefix=f"{log.settings.prefix}other-"))
    other.apply()
    ends = []
    for topics in (log, other):
        worker = Worker(topics)
        await worker.open()
        send(topics, received())
        worker.handle()
        await worker.close()
        ends.append(last_offsets(topics.settings, CHANGELOG)[0])
    assert ends[0] == ends[1], "nothing but the log tells them apart"
    again = Worker(log)
    with caplog.at_level("INFO", "streams.owner"):
        assert await again.open(1) == 1
    assert "rows recovered" in caplog.text
    await again.close(lost=True)


async def test_a_partition_that_was_lost_commits_nothing_and_its_store_is_not_kept(log):
    worker = Worker(log)
    await worker.open()
    send(log, received())
    worker.handle()
    assert await worker.close(lost=True) == {}
    assert worker.seam.committed == {}
    assert last_offsets(log.settings, CHANGELOG)[0] == 0
    assert not list((log.settings.home / "stores" / "worker").glob("*.closed"))


async def test_a_status_says_how_many_records_wait_where_the_end_of_the_log_is_known(log):
    worker = Worker(log)
    worker.seam.opens(worker.tp())
    await worker.open()
    send(log, received())
    worker.handle()
    here, at = ("warehouse", 0), worker.read[0]
    for ends, waiting in (
        ({here: at + 3}, 3), ({here: at}, 0), ({here: at - 1}, 0), ({("orders", 0): at + 3}, None), ({}, None),
    ):  # fmt: skip
        (told,) = worker.owner.status(ends)
        assert (told["offset"], told.get("waiting")) == (at, waiting)
    worker.owner.regressed(worker.tp(), 1_000, "it ends sooner")
    (told,) = worker.owner.status({here: at + 3})
    assert "waiting" not in told, "it stands still"
    assert await worker.close() == {}


def _raises_on_poison(view, record, at, state):
    if getattr(record, "id", "") == "poison":
        raise RuntimeError("a defect in a step")
    return stock.step(view, record, at, state)


async def test_a_step_that_raises_halts_its_partition_alone_and_commits_nothing_of_it(log):
    worker = Worker(log, step=_raises_on_poison)
    await worker.open()
    await worker.open(partition=1)
    send(log, received("before"), received("poison"), received("after"))
    send(log, received("there", sku=ELSEWHERE), partition=1)
    worker.handle()
    worker.handle(partition=1)
    await worker.owner.checkpoint()
    assert list(worker.seam.committed) == [worker.tp(1)]
    assert last_offsets(log.settings, CHANGELOG)[0] == 0
    halted = next(p for p in worker.owner.status() if p["state"] == "halted")
    poison = next(m.offset() for m in log.read("warehouse", 0) if b'"poison"' in m.value())
    assert (halted["partition"], halted["offset"], halted["index"]) == (0, poison, 0)
    assert halted["reason"] == "RuntimeError: a defect in a step"
    assert await worker.owner.close({worker.tp(0), worker.tp(1)}, lost=False) == {worker.tp(1): worker.read[1]}
    assert [p.name for p in (log.settings.home / "stores" / "worker").glob("*.closed")] == ["warehouse-1.closed"]


async def test_a_log_that_regressed_while_it_was_read_commits_nothing_more(log):
    worker = Worker(log)
    await worker.open()
    send(log, received())
    worker.handle()
    worker.owner.regressed(worker.tp(), 1_000, "it ends at 2")
    assert worker.status()["state"] == "halted"
    await worker.owner.checkpoint()
    assert worker.seam.committed == {}
    assert await worker.close() == {}
