"""25,000 bad records through a real broker and a real worker, beside 200 good orders; 80,000 more go over the belt in
memory (`tests/proof/test_bad_input.py`), a million in all with SMOKEHOUSE_NIGHTLY=1.
"""

from __future__ import annotations

import json

import pytest
from confluent_kafka import Producer

from proof import badinput
from proof.badinput import Bad
from proof.badvalues import SECRET
from streams.settings import producer_config
from tables import records as r
from tables.codec import encode
from tables.murmur2 import partition_of

COUNT = 25_000
PARTITIONS = 4
SOUND = [f"SOUND-{n}" for n in range(10)]
UNITS, ORDERS, LINE = 20, 200, 2  # half of the orders can be had
DECIDED_SECONDS = 120.0

Place = tuple[str, int, int]


def _send_all(system, records: list[Bad]) -> dict[Place, Bad]:
    """Every bad record, the good orders evenly between them; where the broker says that the bad ones stand."""
    stand: dict[Place, Bad] = {}
    producer = Producer(producer_config(system.settings) | {"linger.ms": 5, "queue.buffering.max.kbytes": 1 << 19})

    def landed(bad: Bad):
        def told(error, message):
            assert error is None, error
            stand[bad.topic, message.partition(), message.offset()] = bad

        return told

    for n, bad in enumerate(records):
        topic = system.settings.prefix + bad.topic
        producer.produce(topic, bad.value, bad.key, bad.partition, on_delivery=landed(bad))
        producer.poll(0)
        if n % (COUNT // ORDERS) == 0 and n // (COUNT // ORDERS) < ORDERS:
            order = n // (COUNT // ORDERS)
            system.place(f"sound-{order}", {SOUND[order % len(SOUND)]: LINE})
    assert producer.flush(60) == 0
    system.flush()
    return stand


@pytest.mark.timeout(240)
def test_bad_records_end_no_worker_and_each_is_accounted_for(system):
    system.apply()
    system.start("one")
    system.until_ready()
    for sku in SOUND:
        system.receive(sku, UNITS)
    system.flush()
    stand = _send_all(system, list(badinput.bad_records(77, COUNT, PARTITIONS)))
    assert len(stand) == COUNT
    sound = system.wait(lambda: _of_sound(system), DECIDED_SECONDS)
    assert [sound.count(status) for status in ("confirmed", "rejected")] == [ORDERS // 2, ORDERS // 2]

    report = _settled_audit(system)
    assert (report["findings"], report["undecided"]) == ([], [])
    for counts in report["logs"].values():
        what = ("applied", "duplicates", "forwarded", "dead_letters", "ticks")
        assert counts["items"] == sum(counts[x] for x in what)
    assert sum(counts["items"] for counts in report["logs"].values()) >= sum(bad.items for bad in stand.values())

    letters = _letters(system)
    assert len(letters) == sum(counts["dead_letters"] for counts in report["logs"].values())
    for place, bad in stand.items():
        if not bad.readable:
            assert all((*place, index) in letters for index in range(bad.items)), f"{bad.name} at {place}"
    assert system.workers["one"].poll() is None, "the worker that started is the one that runs"
    told = system.wait(lambda: system.status()["partitions"])
    assert all(partition["state"] == "ready" for partition in told)


def test_a_word_that_asks_for_an_answer_in_a_partition_nobody_has_ends_no_worker(system):
    """The producer of an answer to partition 1,023 of 4 would take the process down, at every start again."""
    system.apply()
    system.start("one")
    system.until_ready()
    sku, order = "SOUND-1", "o-1"
    lost = r.Reserve(
        id="lost", order_id="lost", attempt=1, order_partition=1023, lines=[r.Line(sku, 1)], locations=["W1"]
    )
    system.receive(sku, 5)
    system.send_raw("warehouse", sku.encode(), encode(lost), partition_of(sku, PARTITIONS))
    system.place(order, {sku: 1})
    system.flush()
    assert system.until_decided(1) == {"confirmed": 1}
    (letter,) = system.wait(lambda: system.read("dead-letters"))
    assert b"misrouted" in dict(letter.headers())["__connect.errors.exception.message"]
    assert system.workers["one"].poll() is None


def _of_sound(system) -> list[str] | None:
    found = [d.status for d in system.decisions().values() if d.order_id.startswith("sound-")]
    return found if len(found) == ORDERS else None


def _settled_audit(system) -> dict:
    """The audit once everything is handled: it names partitions that still have to work."""
    told = system.command("audit", "--json", "--settle", "60")
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-2000:]
    return json.loads(told.stdout)


def _letters(system) -> dict[tuple[str, int, int, int], str]:
    """Reason by place; each says where it stood and why, once, and repeats nothing."""
    letters: dict[tuple[str, int, int, int], str] = {}
    for letter in system.read("dead-letters"):
        said = {k.removeprefix("__connect.errors."): v.decode() for k, v in letter.headers()}
        place = (said["topic"], int(said["partition"]), int(said["offset"]), int(said["index"]))
        assert place not in letters
        letters[place] = said["exception.message"]
        assert letters[place]
        assert SECRET not in letters[place]
    return letters
