"""Golden logs: what a release wrote is read by every later one, with the same rows and the same words.

`golden/v1.jsonl` holds both logs of one small shop, a line per record as the broker has it, with its time.
`golden/v1.json` holds what must come of them: a hash of the rows and one of all that was said, per partition.
A golden log is never written again: a difference is an error, or a new logic version that brings a log of its own.
To write the first one of a version: SMOKEHOUSE_WRITE_GOLDEN=1 pytest tests/tables/test_golden.py
"""

from __future__ import annotations

import json
import os
import random
from collections import defaultdict, deque
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from streams.agents import order, stock
from tables import log as log_rules
from tables import records as r
from tables import rows
from tables.codec import ORDER_LOG, STOCK_LOG, Unreadable, encode, pack
from tables.murmur2 import partition_of
from tables.outcome import ORDERS, RESERVATIONS, WAREHOUSE, At, Outcome, place_of
from tables.rows import PARTITION_KEY
from tables.table import Table

FOLDER = Path(__file__).with_name("golden")
LOG, EXPECTED = FOLDER / "v1.jsonl", FOLDER / "v1.json"
PARTITIONS = 2
AGENTS = {ORDERS: (ORDER_LOG, order.step), WAREHOUSE: (STOCK_LOG, stock.step)}


class Reader:
    """One partition read from its beginning."""

    def __init__(self, log: str, partition: int) -> None:
        self.codec, self.step = AGENTS[log]
        self.partition = partition
        self.table = Table()
        self.offset = 0
        self.said: list[Any] = []
        self.decisions: list[r.OrderDecided] = []

    def read(self, value: bytes, ms: int) -> list[Outcome]:
        outcomes = []
        for index, record in enumerate(self.codec.items(value)):
            at, state = At(place_of(self.offset, index), ms), self.table.get(PARTITION_KEY)
            if isinstance(record, Unreadable):
                outcome = Outcome(dead="unreadable")  # why in words is no promise
            elif isinstance(record, r.LogOpened):
                outcome = log_rules.opened(record, at, state, self.partition)
            else:
                outcome = self.step(self.table, record, at, state)
            self.table.put(outcome.rows)
            self.said += [[s.topic, s.partition, s.key, encode(s.record).decode()] for s in outcome.sends]
            self.decisions += [s.record for s in outcome.sends if s.topic == RESERVATIONS]
            self.said += [["dead-letters", self.offset, index, outcome.dead]] if outcome.dead else []
            outcomes.append(outcome)
        self.offset += 1
        return outcomes

    def hashes(self) -> dict[str, Any]:
        held = sha256()
        for key, row in self.table.rows():
            held.update(key.encode() + b"\0" + rows.encode(row) + b"\0")
        return {
            "records": self.offset,
            "rows": held.hexdigest(),
            "said": sha256("\n".join(map(json.dumps, self.said)).encode()).hexdigest(),
        }


def read(lines: list[dict[str, Any]]) -> dict[str, Reader]:
    readers = {f"{log}/{n}": Reader(log, n) for log in AGENTS for n in range(PARTITIONS)}
    for line in lines:
        readers[f"{line['log']}/{line['partition']}"].read(line["value"].encode("latin-1"), line["ms"])
    return readers


def replay(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: reader.hashes() for name, reader in read(lines).items()}


@pytest.fixture(scope="module", autouse=True)
def written_once() -> None:
    """Only when somebody asks for it by name."""
    if os.environ.get("SMOKEHOUSE_WRITE_GOLDEN") == "1":
        write_golden_log()


def golden_lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in LOG.read_text(encoding="utf-8").splitlines()]


def test_the_golden_log_gives_the_rows_and_the_words_it_gave() -> None:
    assert replay(golden_lines()) == json.loads(EXPECTED.read_text(encoding="utf-8"))


def test_the_golden_log_holds_every_kind_of_record_and_of_outcome() -> None:
    """Else it would prove little. Newer kinds of record belong to newer golden logs."""
    values = [(AGENTS[line["log"]][0], line["value"].encode("latin-1")) for line in golden_lines()]
    kinds = {type(item).__name__ for codec, value in values for item in codec.items(value)}
    assert kinds >= {
        "LogOpened", "LogicVersionSet", "Tick", "OrderPlaced", "CancelRequested", "PaymentCaptured", "PaymentFailed",
        "CheckOpened", "CheckPassed", "CheckFailed", "OrderPicked", "OrderPacked", "OrderShipped", "OrderDelivered",
        "OrderReturned", "ReserveAnswered", "DeadlineReached", "AskAgain", "SkuDefined", "Received", "Adjusted",
        "Counted", "Shipped", "PolicySet", "Reserve", "Hold", "Allocate", "Release", "Unreadable",
    }  # fmt: skip
    assert any(value.startswith(b'{"type":"packed"') for _, value in values)
    decided = {item.status for reader in read(golden_lines()).values() for item in reader.decisions}
    assert decided == {"confirmed", "rejected", "expired", "cancelled"}


# -- writing one -------------------------------------------------------------------------------------------------------


class Shop:
    """Seeded traffic for both logs; what agents say to each other stands in the logs, packed as it comes."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.lines: list[dict[str, Any]] = []
        self.readers = {(log, n): Reader(log, n) for log in AGENTS for n in range(PARTITIONS)}
        self.waiting: dict[tuple[str, int], deque[bytes]] = defaultdict(deque)
        self.ms = 1_772_442_900_000
        self.ids = self.orders = 0

    def write(self, log: str, partition: int, value: bytes) -> None:
        self.ms += self.chance.randint(1, 40)
        self.lines.append({"log": log, "partition": partition, "ms": self.ms, "value": value.decode("latin-1")})
        for outcome in self.readers[log, partition].read(value, self.ms):
            for send in outcome.sends:
                if send.partition is not None:
                    self.waiting[send.topic, send.partition].append(encode(send.record))

    def tell(self, record: Any) -> None:
        by_order = "order_id" in record.__struct_fields__ and not isinstance(record, r.Shipped)
        log, key = (ORDERS, record.order_id) if by_order else (WAREHOUSE, record.sku)
        self.write(log, partition_of(key, PARTITIONS), encode(record))

    def everywhere(self, record: Any) -> None:
        for log, n in self.readers:
            self.write(log, n, encode(record))

    def turn(self) -> bool:
        """What agents said reaches its log, a few records at a time."""
        ready = [where for where, values in self.waiting.items() if values]
        if not ready:
            return False
        where = self.chance.choice(ready)
        count = min(len(self.waiting[where]), self.chance.randint(1, 4))
        values = [self.waiting[where].popleft() for _ in range(count)]
        self.write(*where, values[0] if count == 1 else pack(values))
        return True

    def tick(self, seconds: int) -> None:
        self.ms += seconds * 1000
        self.everywhere(r.Tick(id=f"t{self.ms}", now_ms=self.ms))

    def rush(self) -> None:
        """Four orders at once for the last units of two SKUs."""
        for sku in "CE":
            self.ids += 1
            self.tell(r.Received(id=f"f{self.ids}", sku=sku, location="W1", quantity=4, lot="L1"))
        for _ in range(4):
            self.orders += 1
            order_id = f"o{self.orders}"
            self.tell(r.OrderPlaced(
                id=order_id, order_id=order_id, channel="web", lines=[r.Line("C", 3), r.Line("E", 3)],
                locations=["W1"], payment="paid",
            ))  # fmt: skip

    def happen(self) -> None:
        self.ids += 1
        some, fact_id = self.chance.choice, f"f{self.ids if self.chance.random() < 0.95 else self.ids - 1}"
        sku, location, lot = some("ABD"), some(["W1", "W2"]), some(["L1", "L2"])
        roll = self.chance.random()
        if roll < 0.3:
            self.orders += 1
            order_id = f"o{self.orders}"
            skus = self.chance.sample("ABD", self.chance.randint(1, 3))
            self.tell(r.OrderPlaced(
                id=order_id, order_id=order_id, channel=some(["web", "pos"]),
                lines=[r.Line(x, self.chance.randint(1, 6)) for x in skus], locations=some([["W1", "W2"], ["W2"]]),
                payment=some(["paid", "paid", "pending"]), checks=some([[], [], ["fraud"]]),
                occurred_at=some([None, "2026-03-02T10:15:00+01:00"]),
            ))  # fmt: skip
        elif roll < 0.6:
            order_id = f"o{self.chance.randint(1, self.orders + 1)}"
            kind, more = some([
                (r.CancelRequested, {}), (r.CancelRequested, {"lines": [r.CancelLine(sku, 1)]}),
                (r.PaymentCaptured, {}), (r.PaymentCaptured, {}), (r.PaymentFailed, {}),
                (r.CheckOpened, {"check": "address"}), (r.CheckPassed, {"check": "address"}),
                (r.CheckPassed, {"check": "fraud"}), (r.CheckPassed, {"check": "fraud"}),
                (r.CheckFailed, {"check": "fraud"}), (r.OrderPicked, {}), (r.OrderPacked, {}), (r.OrderShipped, {}),
                (r.OrderShipped, {"lines": [r.ShippedLine(sku, 1, location, lot)]}), (r.OrderShipped, {}),
                (r.OrderDelivered, {}), (r.OrderReturned, {}),
            ])  # fmt: skip
            self.tell(kind(id=fact_id, order_id=order_id, **more))
        elif roll < 0.95:
            at_lot = {"sku": sku, "location": location, "lot": lot}
            self.tell(some([
                r.Received(id=fact_id, quantity=self.chance.randint(1, 12), best_before=f"2027-0{lot[1]}-01", **at_lot),
                r.Received(id=fact_id, quantity=self.chance.randint(1, 12), **at_lot),
                r.Adjusted(id=fact_id, quantity=self.chance.randint(-6, 4), reason="correction", **at_lot),
                r.Counted(id=fact_id, quantity=self.chance.randint(0, 9), as_of_offset=some([None, 3]), **at_lot),
                r.Shipped(id=fact_id, quantity=self.chance.randint(1, 3), **at_lot),
                r.PolicySet(id=fact_id, sku=sku, location=some([None, location]), reorder_point=3, safety_stock=1),
                r.SkuDefined(id=fact_id, sku=sku, flavor="original", discontinued=self.chance.random() < 0.1),
            ]))  # fmt: skip
        else:
            log, partition = some(sorted(self.readers))
            self.write(log, partition, some([b"{", b"hello", b'{"type":"packed","items":[]}', b'{"type":"tick"}']))


def a_day_in_the_shop() -> list[dict[str, Any]]:
    shop = Shop(seed=2)
    limits = r.Limits(undecided_seconds=120, payment_seconds=180, check_seconds=300, attempts=3)
    shop.everywhere(r.LogOpened(id="log:7", log_id=7, partitions=PARTITIONS, logic_version=1, limits=limits))
    shop.everywhere(r.LogicVersionSet(id="logic:1", version=1))
    for sku in "ABD":
        for location in ("W1", "W2"):
            shop.tell(r.Received(id=f"{sku}{location}", sku=sku, location=location, quantity=15, lot="L1"))
    for n in range(260):
        if n == 5 or n % 20 == 19:
            shop.tick(30)
        if n % 60 == 30:
            shop.rush()
        shop.happen()
        while shop.chance.random() < 0.55 and shop.turn():
            pass
    for _ in range(12):
        while shop.turn():
            pass
        shop.tick(60)
    while shop.turn():
        pass
    return shop.lines


def write_golden_log() -> None:
    lines = a_day_in_the_shop()
    FOLDER.mkdir(exist_ok=True)
    LOG.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    EXPECTED.write_text(json.dumps(replay(lines), indent=2) + "\n", encoding="utf-8")
