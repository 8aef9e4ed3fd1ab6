"""The outbox: packs what travels together, names what it publishes, and ends the process when a send is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import msgspec
import pytest

from streams.brokers.embedded import start_embedded
from streams.brokers.process import free_port
from streams.outbox import HOPS, Outbox
from streams.topics import ROW_BYTES_MAX
from streams.transport.failstop import BARRIER_TIMEOUT, SEND_FAILED
from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG, encode, instant
from tables.murmur2 import partition_of
from tables.outcome import Send

ROOT = Path(__file__).resolve().parents[2]


def allocate(n):
    return r.Allocate(id=f"o{n}:1:0", order_id=f"o{n}", attempt=1)


def big(n, size):
    """A command whose encoding has about `size` bytes."""
    lines = [r.ReleaseLine("S" * 64, 1)] * (size // 90)
    return r.Release(id=f"o{n}:1:0", order_id=f"o{n}", attempt=1, lines=lines)


def alert(sku="JERKY", text=""):
    return r.Alert(
        id=f"{sku}:1", time=instant(1_700_000_000_000), sku=sku, location="W1" + text, kind="low", available=1,
        shortage=0, reorder_point=5, version=(1, 2, 3),
    )  # fmt: skip


def commands(message):
    return STOCK_LOG.items(message.value())


def is_packed(message):
    return message.value().startswith(b'{"type":"packed"')


@pytest.fixture
def made(topics):
    topics.make("orders", "warehouse", "alerts", "demand", "dead-letters", "stock-changelog")
    return topics


@pytest.fixture
def embedded_made(embedded_topics):
    embedded_topics.make("orders", "warehouse", "alerts", "demand", "dead-letters", "stock-changelog")
    return embedded_topics


@pytest.fixture
def outbox(embedded_made):
    return Outbox(embedded_made.settings, 4)


# -- packs -------------------------------------------------------------------------------------------------------------


async def test_what_one_batch_says_to_one_partition_travels_packed_in_its_order(made):
    outbox = Outbox(made.settings, 4)
    for n in range(2_500):
        outbox.send(Send("warehouse", 2, None, allocate(n)))
    outbox.send(Send("warehouse", 3, None, allocate(9)))
    outbox.send(Send("orders", 2, None, r.DeadlineReached(id="d", order_id="o9", deadline_ms=1)))
    outbox.leave()
    await outbox.barrier()
    packs = made.read("warehouse", 2)
    assert [len(commands(m)) for m in packs] == [1_000, 1_000, 500]
    assert all(is_packed(m) and m.key() is None for m in packs)
    assert [c.order_id for m in packs for c in commands(m)] == [f"o{n}" for n in range(2_500)]
    assert [commands(m) for m in made.read("warehouse", 3)] == [[allocate(9)]]
    assert len(made.read("orders", 2)) == 1


async def test_a_record_alone_keeps_its_key_and_is_not_packed(embedded_made, outbox):
    shipped = r.Shipped(id="s", sku="JERKY", location="W1", quantity=1, order_id="o1", attempt=1)
    for partition, record in ((0, allocate(1)), (1, shipped), (2, r.Tick(id="t", now_ms=1))):
        outbox.send(Send("warehouse", partition, None, record))
    outbox.leave()
    await outbox.barrier()
    for partition, key in ((0, b"o1"), (1, b"JERKY"), (2, None)):
        (alone,) = embedded_made.read("warehouse", partition)
        assert not is_packed(alone)
        assert alone.key() == key


async def test_a_pack_holds_at_most_512_kib(embedded_made, outbox):
    sent = [big(n, 100_000) for n in range(12)]
    for record in sent:
        outbox.send(Send("warehouse", 0, None, record))
    outbox.leave()
    await outbox.barrier()
    packs = embedded_made.read("warehouse", 0)
    assert [c for m in packs for c in commands(m)] == sent
    assert len(packs) > 1
    assert max(len(m.value()) for m in packs) <= r.PACKED_BYTES_MAX + 64, "with the words around the items"


async def test_two_batches_are_never_packed_together(embedded_made, outbox):
    for batch in range(2):
        outbox.send(Send("warehouse", 0, None, allocate(2 * batch)))
        outbox.send(Send("warehouse", 0, None, allocate(2 * batch + 1)))
        outbox.leave()
    await outbox.barrier()
    packs = embedded_made.read("warehouse", 0)
    assert [[c.order_id for c in commands(m)] for m in packs] == [["o0", "o1"], ["o2", "o3"]]


async def test_nothing_is_sent_before_the_batch_is_done(embedded_made, outbox):
    outbox.send(Send("warehouse", 0, None, allocate(1)))
    await outbox.barrier()
    assert embedded_made.read("warehouse") == []
    outbox.leave()
    await outbox.barrier()
    assert len(embedded_made.read("warehouse")) == 1


# -- what is published -------------------------------------------------------------------------------------------------


async def test_a_published_record_says_what_it_is_in_cloud_events_headers(made):
    outbox = Outbox(made.settings, 4)
    outbox.send(Send("alerts", None, "JERKY", alert()))
    await outbox.barrier()
    (found,) = made.read("alerts")
    assert dict(found.headers()) == {
        "ce_specversion": b"1.0", "ce_id": b"JERKY:1", "ce_source": b"smokehouse/stock-agent",
        "ce_type": b"smokehouse.alert", "ce_time": b"2023-11-14T22:13:20.000Z",
    }  # fmt: skip
    assert (found.key(), found.partition()) == (b"JERKY", partition_of("JERKY", 4))
    assert msgspec.json.decode(found.value(), type=r.Alert) == alert()


@pytest.mark.parametrize("sku", ["JERKY", "PEPPER", "TERIYAKI"])
async def test_a_key_of_several_parts_stands_where_its_sku_stands(embedded_made, outbox, sku):
    outbox.publish("demand", f"{sku}|W1|2026-01-01", alert(sku), routed_by=sku)
    await outbox.barrier()
    (found,) = embedded_made.read("demand")
    assert (found.key(), found.partition()) == (f"{sku}|W1|2026-01-01".encode(), partition_of(sku, 4))


async def test_a_forwarded_record_keeps_its_bytes_its_key_and_its_time(embedded_made, outbox):
    outbox.forward("warehouse", 3, "JERKY", encode(allocate(1)), 1_234_567)
    await outbox.barrier()
    (found,) = embedded_made.read("warehouse", 3)
    assert (found.key(), found.value(), found.timestamp()[1]) == (b"JERKY", encode(allocate(1)), 1_234_567)
    assert found.headers() == [(HOPS, b"1")]


async def test_a_dead_letter_names_its_place_and_reason(made):
    outbox = Outbox(made.settings, 4)
    outbox.dead_letter("orders", 3, 41, 7, b"o1", b"{", "cut off")
    outbox.dead_letter("orders", 3, 42, 0, None, None, "empty value")
    await outbox.barrier()
    letters = {dict(m.headers())["__connect.errors.offset"]: m for m in made.read("dead-letters")}
    assert dict(letters[b"41"].headers()) == {
        "__connect.errors.topic": b"orders", "__connect.errors.partition": b"3", "__connect.errors.offset": b"41",
        "__connect.errors.index": b"7", "__connect.errors.exception.message": b"cut off",
    }  # fmt: skip
    assert (letters[b"41"].key(), letters[b"41"].value()) == (b"o1", b"{")
    assert (letters[b"42"].key(), letters[b"42"].value()) == (None, None)


async def test_a_dead_letter_too_large_for_a_broker_is_cut_and_says_so(made):
    outbox = Outbox(made.settings, 4)
    whole = bytes(range(256)) * 3_900
    assert len(whole) > r.RECORD_BYTES_MAX
    outbox.dead_letter("orders", 0, 1, 0, b"k", whole, "too large")
    await outbox.barrier()
    (letter,) = made.read("dead-letters")
    assert letter.value() == whole[: r.RECORD_BYTES_MAX]
    assert dict(letter.headers())["__connect.errors.truncated"] == str(len(whole)).encode()


# -- the barrier, and how it ends --------------------------------------------------------------------------------------


async def test_the_barrier_waits_for_answers_and_rows(made):
    outbox = Outbox(made.settings, 4)
    for n in range(5_000):
        outbox.row("stock-changelog", n % 4, str(n).encode(), b"row")
        outbox.send(Send("alerts", None, str(n), alert(str(n))))
    assert outbox.waiting > 0
    await outbox.barrier()
    assert outbox.waiting == 0
    assert len(made.read("stock-changelog")) == len(made.read("alerts")) == 5_000


async def test_answers_sent_while_a_barrier_waits_for_others_leave_after_it_in_their_order(embedded_made, outbox):
    """Else it would wait for them too, and with a broker that is far away there is always one more on its way."""
    sent = 0
    there = []
    wait = outbox._await_answers

    async def go_on():
        nonlocal sent
        while True:
            outbox.send(Send("orders", 1, None, r.DeadlineReached(id=str(sent), order_id="o", deadline_ms=1)))
            outbox.leave()
            sent += 1
            await asyncio.sleep(0.001)

    def arrived():
        return [x.id for m in embedded_made.read("orders", 1) for x in ORDER_LOG.items(m.value())]

    def watched(until):
        for _ in range(2):
            wait(until)
            time.sleep(0.2)
            there.append(len(arrived()))

    outbox._await_answers = watched
    going_on = asyncio.create_task(go_on())
    await asyncio.sleep(0.1)
    before = sent
    await outbox.barrier()
    going_on.cancel()
    assert before <= there[0] == there[1] < sent
    assert outbox.waiting > 0, "they have left now, and count as what waits"
    await outbox.barrier()
    assert arrived() == [str(n) for n in range(sent)]


async def test_an_order_of_rows_is_kept_in_its_partition(embedded_made, outbox):
    for n in range(2_000):
        outbox.row("stock-changelog", 1, b"k", str(n).encode())
    outbox.row("stock-changelog", 1, b"k", None)
    await outbox.barrier()
    numbers = [str(n).encode() for n in range(2_000)]
    assert [m.value() for m in embedded_made.read("stock-changelog", 1)] == [*numbers, None]


# A process of its own, for what must end one.
PREAMBLE = """
    import asyncio
    from streams import outbox as module
    from streams.settings import from_environment
    from tables.outcome import Send
    settings = from_environment()
    outbox = module.Outbox(settings, 4)
"""


def child(settings, program):
    """A process with an outbox; it prints `went on` if it comes past what should have ended it."""
    env = os.environ | {
        "SMOKEHOUSE_BOOTSTRAP": settings.bootstrap, "SMOKEHOUSE_PREFIX": settings.prefix, "PYTHONPATH": str(ROOT),
        "SMOKEHOUSE_HOME": str(settings.home),
    }  # fmt: skip
    text = textwrap.dedent(PREAMBLE) + textwrap.dedent(program) + "\nprint('went on')\n"
    return subprocess.Popen(
        [sys.executable, "-c", text], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.kafka
def test_a_send_that_the_broker_refuses_ends_the_process(kafka_topics):
    kafka_topics.make("stock-changelog", **{"max.message.bytes": "2000"})
    ended = child(kafka_topics.settings, """
        outbox.row("stock-changelog", 0, b"small", b"x")
        outbox.row("stock-changelog", 0, b"large", bytes(5_000))
        asyncio.run(outbox.barrier())
    """)  # fmt: skip
    out, err = ended.communicate(timeout=30)
    assert ended.returncode == SEND_FAILED
    assert out == ""
    assert f"smokehouse: fatal ({SEND_FAILED}): {kafka_topics.settings.prefix}stock-changelog[0]: " in err


def test_a_record_that_cannot_even_be_produced_ends_the_process(embedded_made):
    ended = child(embedded_made.settings, 'outbox.row("stock-changelog", 0, b"large", bytes(5_000_000))')
    out, err = ended.communicate(timeout=30)
    assert (ended.returncode, out) == (SEND_FAILED, "")
    assert "too large" in err.lower()


def test_a_barrier_over_its_limit_ends_the_process(tmp_path, embedded_topics):
    with start_embedded(f"127.0.0.1:{free_port()}", tmp_path) as broker:
        embedded_topics.__init__(embedded_topics.settings.with_(bootstrap=broker.address))
        embedded_topics.make("stock-changelog")
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            ended = child(embedded_topics.settings, """
                module.BARRIER_SECONDS = 1.0
                outbox.row("stock-changelog", 0, b"k", b"x")
                asyncio.run(outbox.barrier())
            """)  # fmt: skip
            out, err = ended.communicate(timeout=30)
        finally:
            os.kill(broker.pid, signal.SIGCONT)
    assert (ended.returncode, out) == (BARRIER_TIMEOUT, "")
    assert "1 records not acknowledged after 1 s" in err


def test_a_barrier_whose_thread_does_not_run_ends_the_process(embedded_made):
    """A thread that gets no memory to begin with never says so: here it is busy with something else."""
    ended = child(embedded_made.settings, """
        import time
        module.BARRIER_SECONDS = module.THREAD_SECONDS = 0.5
        outbox._barrier.submit(time.sleep, 60)
        asyncio.run(outbox.barrier())
    """)  # fmt: skip
    out, err = ended.communicate(timeout=30)
    assert (ended.returncode, out) == (BARRIER_TIMEOUT, "")
    assert "no barrier within 1 s: its thread does not run" in err


async def test_a_row_as_large_as_the_rules_allow_is_taken_by_the_broker(made):
    outbox = Outbox(made.settings, 4)
    outbox.row("stock-changelog", 0, b"large", bytes(ROW_BYTES_MAX - 1_000))
    await outbox.barrier()
    [row] = made.read("stock-changelog")
    assert len(row.value()) == ROW_BYTES_MAX - 1_000


async def test_items_of_the_order_log_are_read_back_as_they_were_sent(embedded_made, outbox):
    answers = [
        r.ReserveAnswered(
            id=f"a{n}", order_id=f"o{n}", attempt=1, partition=0,
            parts=[r.Part("JERKY", 1, "W1"), r.Part("JERKY", 2, "W2", backordered=True, due="2026-03-20")],
        )
        for n in range(3)
    ]  # fmt: skip
    for answer in answers:
        outbox.send(Send("orders", 1, None, answer))
    outbox.leave()
    await outbox.barrier()
    assert [x for m in embedded_made.read("orders", 1) for x in ORDER_LOG.items(m.value())] == answers
