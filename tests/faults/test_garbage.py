"""Bad input never crashes and never disappears: each bad record is a dead letter with its place and reason."""

from __future__ import annotations

import json
import random

from tables import records as r
from tables.codec import encode
from tables.murmur2 import partition_of

COUNT = 1_000  # on each input topic
NO_NUMBERS = ["1e309", "NaN", "-1e400", '"1"', "1.5"]


def _garbage(rng, topic):
    order = {"type": "order_placed", "id": "x", "order_id": "o", "channel": "c", "lines": [{"sku": "S", "quantity": 1}],
             "locations": ["W1"]}  # fmt: skip
    fact = {"type": "received", "id": "x", "sku": "S", "location": "W1", "quantity": 1, "lot": "L"}
    good = order if topic == "orders" else fact
    field, needed = rng.choice(list(good)[1:]), rng.choice([k for k in good if k not in ("type", "locations")])
    return rng.choice([
        lambda: rng.randbytes(rng.randint(1, 300)),
        lambda: b"",
        lambda: json.dumps(good).encode()[: rng.randint(1, 30)],
        lambda: json.dumps(good | {"type": rng.choice(["", "nothing", "Reserve", 7])}).encode(),
        lambda: json.dumps({k: v for k, v in good.items() if k != needed}).encode(),
        lambda: json.dumps(good | {field: True}).encode(),
        lambda: json.dumps(good).replace('y": 1', 'y": ' + rng.choice(NO_NUMBERS)).encode(),
        lambda: b"[" * 5_000,
        lambda: b'{"type":"packed","items":[' + b'{"type":"packed","items":[]}' + b"]}",
        lambda: b'{"type":"packed","items":[]}',
        lambda: json.dumps(good).encode()[:-1] + b',"lot":"\xff\xfe","channel":"\xff"}',
        lambda: b"null",
    ])()  # fmt: skip


def test_a_thousand_malformed_records_a_topic_are_a_thousand_dead_letters_each(system):
    system.apply()
    system.start("one")
    rng = random.Random(7)
    for topic in ("orders", "warehouse"):
        for n in range(COUNT):
            system.send_raw(topic, f"k{n}".encode(), _garbage(rng, topic), partition=n % 4)
    system.receive("SOUND", 5)
    system.place("sound", {"SOUND": 2})
    system.flush()
    assert system.until_decided(1) == {"confirmed": 1}
    letters = system.wait(lambda: found if len(found := system.read("dead-letters")) >= 2 * COUNT else None)
    assert len(letters) == 2 * COUNT
    places = set()
    for letter in letters:
        headers = {k: v.decode() for k, v in letter.headers()}
        assert headers["__connect.errors.exception.message"]
        name = "__connect.errors."
        places.add((headers[name + "topic"], headers[name + "partition"], headers[name + "offset"]))
    assert len(places) == 2 * COUNT, "each names its own place"
    assert system.audit()["ok"]


def test_a_record_in_the_wrong_partition_is_applied_in_its_own(system):
    system.apply()
    system.start("one")
    home = partition_of("SOUND", 4)
    fact = r.Received(id="in", sku="SOUND", location="W1", quantity=5, lot="L")
    system.send_raw("warehouse", b"SOUND", encode(fact), partition=(home + 1) % 4)
    system.flush()
    found = system.wait(lambda: system.read("stock-levels", r.StockLevels))
    assert (found[-1].sku, found[-1].available) == ("SOUND", 5)
    assert system.read("dead-letters") == []


def test_the_same_id_with_other_content_is_a_dead_letter_and_moves_nothing(system):
    system.apply()
    system.start("one")
    fact = r.Received(id="in", sku="SOUND", location="W1", quantity=5, lot="L")
    other = r.Received(id="in", sku="SOUND", location="W1", quantity=6, lot="L")
    for record in (fact, fact, other, fact):
        system.send("warehouse", "SOUND", record)
    system.flush()
    letters = system.wait(lambda: system.read("dead-letters"))
    assert len(letters) == 1
    assert b"id_conflict" in dict(letters[0].headers())["__connect.errors.exception.message"]
    levels = system.wait(lambda: system.read("stock-levels", r.StockLevels))
    assert max(levels, key=lambda x: x.version).available == 5
