"""Golden logs: what a release wrote is read by every later one, with the same rows and the same words.

`golden/v1.jsonl` holds both logs of one small shop, a line per record as the broker has it, with its time.
`golden/v1.json` holds what must come of them: a hash of the rows and one of all that was said, per partition.
`v2` begins with rules 1, and goes on with rules 2 from its middle; `v3` so with rules 3, and so on.
A golden log is never written again: a difference is an error, or a new logic version that brings a log of its own.
To write the first one of the newest version: SMOKEHOUSE_WRITE_GOLDEN=1 pytest tests/tables/test_golden.py
"""

from __future__ import annotations

import json
import os
import random
from collections import defaultdict, deque
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from proof.simulator.traffic import Traffic
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
VERSIONS = range(1, log_rules.LOGIC_VERSION + 1)
PARTITIONS = 2
START_MS = 1_700_006_370_000  # half a minute before midnight: lots expire on the way
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


def golden_lines(version: int) -> list[dict[str, Any]]:
    text = (FOLDER / f"v{version}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_golden_log_gives_the_rows_and_the_words_it_gave(version: int) -> None:
    expected = (FOLDER / f"v{version}.json").read_text(encoding="utf-8")
    assert replay(golden_lines(version)) == json.loads(expected)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_golden_log_holds_every_kind_of_record_and_of_outcome(version: int) -> None:
    """Else it would prove little. Newer kinds of record belong to newer golden logs."""
    lines = golden_lines(version)
    values = [(AGENTS[line["log"]][0], line["value"].encode("latin-1")) for line in lines]
    kinds = {type(item) for codec, value in values for item in codec.items(value)}
    # These need weeks, or a hundred lots.
    rare = {r.Prune, r.TickContinued, r.ReservationOverdue, r.LotsContinued, r.WindowContinued}
    assert kinds >= {*get_args(r.OrderRecord), *get_args(r.StockRecord), Unreadable} - rare
    assert any(value.startswith(b'{"type":"packed"') for _, value in values)
    readers = read(lines)
    decided = {item.status for reader in readers.values() for item in reader.decisions}
    assert decided == {"confirmed", "rejected", "expired", "cancelled", "edited"}
    assert {reader.table.get(PARTITION_KEY).logic_version for reader in readers.values()} == {version}


# -- writing one -------------------------------------------------------------------------------------------------------


class Shop:
    """Seeded traffic for both logs; what agents say to each other stands in the logs, packed as it comes."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.lines: list[dict[str, Any]] = []
        self.readers = {(log, n): Reader(log, n) for log in AGENTS for n in range(PARTITIONS)}
        self.waiting: dict[tuple[str, int], deque[bytes]] = defaultdict(deque)
        self.ms = START_MS
        self.ids = self.orders = 0
        self.traffic = Traffic(self.chance, scarce=True)

    def write(self, log: str, partition: int, value: bytes) -> None:
        self.ms += self.chance.randint(1, 40)
        self.lines.append({"log": log, "partition": partition, "ms": self.ms, "value": value.decode("latin-1")})
        for outcome in self.readers[log, partition].read(value, self.ms):
            for send in outcome.sends:
                if send.partition is not None:
                    self.waiting[send.topic, send.partition].append(encode(send.record))

    def tell(self, record: Any) -> None:
        if isinstance(record, r.EVERYWHERE):
            return self.everywhere(record)
        by_order = isinstance(record, r.OrderRecord)
        log, key = (ORDERS, record.order_id) if by_order else (WAREHOUSE, record.sku)
        return self.write(log, partition_of(key, PARTITIONS), encode(record))

    def everywhere(self, record: Any) -> None:
        knows = {ORDERS: r.OrderRecord, WAREHOUSE: r.StockRecord}
        for log, n in self.readers:
            if isinstance(record, knows[log]):
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
            order_id = f"rush{self.orders}"
            self.tell(r.OrderPlaced(
                id=order_id, order_id=order_id, channel="web", lines=[r.Line("C", 3), r.Line("E", 3)],
                locations=["W1"], payment="paid",
            ))  # fmt: skip

    def moved(self) -> None:
        """An order of two partitions that only one location can serve alone."""
        self.orders += 1
        self.tell(r.Received(id=f"move{self.orders}", sku="C", location="W1", quantity=9, lot="L1"))
        self.tell(r.Received(id=f"moves{self.orders}", sku="C", location="W2", quantity=9, lot="L1"))
        self.tell(r.Received(id=f"there{self.orders}", sku="E", location="W2", quantity=9, lot="L1"))
        self.tell(r.OrderPlaced(
            id=f"move{self.orders}", order_id=f"move{self.orders}", channel="web", payment="paid",
            lines=[r.Line("C", 1), r.Line("E", 7)], locations=["W1", "W2"], policy="backorder",
        ))  # fmt: skip

    def short(self) -> None:
        """The last parcel of the order that was moved lacks something."""
        order_id = f"move{self.orders}"
        self.tell(r.OrderShipped(
            id=f"{order_id}:short", order_id=order_id, lines=[r.ShippedLine("E", 2)], final=True
        ))  # fmt: skip

    def passed_early(self) -> None:
        """Checks of an order that are passed before it comes with one of them, and before the other is opened."""
        self.orders += 1
        order_id = f"early{self.orders}"
        for check in ("fraud", "address"):
            self.tell(r.CheckPassed(id=f"{order_id}:{check}", order_id=order_id, check=check))
        self.tell(r.OrderPlaced(
            id=order_id, order_id=order_id, channel="web", lines=[r.Line("C", 1)], locations=["W1"], checks=["fraud"],
        ))  # fmt: skip
        self.tell(r.CheckOpened(id=f"{order_id}:opened", order_id=order_id, check="address"))
        self.tell(r.PaymentCaptured(id=f"{order_id}:paid", order_id=order_id))

    def shipped_early(self) -> None:
        """Parcels of an order that waits for its payment, of two that come after them, of one that never comes."""
        for sku in "CE":
            self.ids += 1
            self.tell(r.Received(id=f"f{self.ids}", sku=sku, location="W1", quantity=4, lot="L1"))
        for name, placed in (("held", True), ("paid", False), ("asked", False), ("unknown", False)):
            self.orders += 1
            order_id = f"{name}{self.orders}"
            order = r.OrderPlaced(
                id=order_id, order_id=order_id, channel="web", lines=[r.Line("C", 1), r.Line("E", 1)],
                locations=["W1"], payment="paid" if name == "paid" else "pending",
            )  # fmt: skip
            if placed:
                self.tell(order)
                while self.turn():
                    pass
            self.tell(r.OrderPicked(id=f"{order_id}:picked", order_id=order_id))
            self.tell(r.OrderShipped(
                id=f"{order_id}:left", order_id=order_id, lines=[r.ShippedLine("C", 1, "W1")], tracking="T1"
            ))  # fmt: skip
            self.tell(r.TrackingUpdated(
                id=f"{order_id}:there", order_id=order_id, tracking="T1", status="delivered"
            ))  # fmt: skip
            if not placed and name != "unknown":
                self.tell(order)
            if placed:  # and the carrier's word of a second parcel before the parcel
                self.tell(r.TrackingUpdated(
                    id=f"{order_id}:moves", order_id=order_id, tracking="T2", status="in_transit"
                ))  # fmt: skip
                self.tell(r.OrderShipped(id=f"{order_id}:rest", order_id=order_id, tracking="T2"))

    def damaged_and_sent(self) -> None:
        """Damaged units beside good ones, some thrown away; transfers that come in parts, and of a lot nobody had."""
        for sku in "CE":
            self.ids += 1
            stem = f"apart{self.ids}"
            for lot, best_before in (("D1", "2023-12-01"), ("D2", "2024-06-01")):
                self.tell(r.Received(
                    id=f"{stem}:{lot}", sku=sku, location="W1", quantity=6, lot=lot, best_before=best_before
                ))  # fmt: skip
            self.tell(r.ConditionChanged(
                id=f"{stem}:bad", sku=sku, location="W1", lot="D1", quantity=4, condition="damaged"
            ))  # fmt: skip
            for n, reason in enumerate(("damaged", "expired", "recall", "shrinkage")):
                self.tell(r.Adjusted(id=f"{stem}:gone{n}", sku=sku, location="W1", quantity=-1, reason=reason))
            for n, lot in enumerate((None, "D1", "D9")):
                reference = f"{stem}:T{n}"
                self.tell(r.TransferredOut(
                    id=f"{reference}:out", sku=sku, location="W1", to="W2", quantity=3, reference=reference, lot=lot
                ))  # fmt: skip
                for part, units in enumerate((1, 2, 1)):
                    self.tell(r.TransferredIn(
                        id=f"{reference}:in{part}", sku=sku, location="W2", quantity=units, reference=reference
                    ))  # fmt: skip

    def told_out_of_turn(self) -> None:
        """Units cancelled behind an edit, of an order on hold and of one that waits for stock; an order told again
        under another id; picks that found nothing, and parcels of everything; goods that came before their order."""
        for sku in "CE":
            self.ids += 1
            stem = f"ahead{self.ids}"
            at = {"sku": sku, "location": "W1", "reference": f"{stem}:PO"}
            self.tell(r.Received(id=f"{stem}:came", quantity=20, lot="L1", **at))
            self.tell(r.PurchaseOrdered(id=f"{stem}:ordered", quantity=18 if sku == "C" else 25, **at))
        for payment in ("pending", "paid"):
            self.orders += 1
            order_id = f"turn{self.orders}"
            order = r.OrderPlaced(
                id=order_id, order_id=order_id, channel="web", lines=[r.Line("C", 3), r.Line("E", 2)],
                locations=["W1"], payment=payment,
            )  # fmt: skip
            for again in ("", ":again"):
                self.tell(msgspec.structs.replace(order, id=order_id + again))
                while self.turn():
                    pass
            self.tell(r.OrderEdited(id=f"{order_id}:more", order_id=order_id, lines=[r.EditLine("C", 5)]))
            self.tell(r.CancelRequested(id=f"{order_id}:less", order_id=order_id, lines=[r.CancelLine("C", 4)]))
            self.tell(r.OrderEdited(id=f"{order_id}:fewer", order_id=order_id, lines=[r.EditLine("E", 3)]))
            self.tell(r.PaymentCaptured(id=f"{order_id}:paid", order_id=order_id))
            while self.turn():
                pass
            lines = [r.PickedLine("C", 0, short=1), r.PickedLine("E", 2, short=1)]
            self.tell(r.OrderPicked(id=f"{order_id}:picked", order_id=order_id, lines=lines))
            for n, final in enumerate((False, payment == "paid", True)):
                self.tell(r.OrderShipped(id=f"{order_id}:left{n}", order_id=order_id, final=final))

    def happen(self) -> None:
        roll = self.chance.random()
        if roll < 0.3:
            self.tell(self.traffic.order())
        elif roll < 0.6:
            self.tell(self.traffic.about_order())
        elif roll < 0.95:
            self.tell(self.traffic.fact(end=3))
        else:
            log, partition = self.chance.choice(sorted(self.readers))
            garbage = [b"{", b"hello", b'{"type":"packed","items":[]}', b'{"type":"tick"}']
            self.write(log, partition, self.chance.choice(garbage))


def a_day_in_the_shop(seed: int = 21) -> list[dict[str, Any]]:
    shop = Shop(seed)
    limits = r.Limits(undecided_seconds=120, payment_seconds=180, check_seconds=300, attempts=3)
    shop.everywhere(r.LogOpened(id="log:7", log_id=7, partitions=PARTITIONS, logic_version=1, limits=limits))
    shop.everywhere(r.LogicVersionSet(id="logic:1", version=1))
    for record in shop.traffic.stock():
        shop.tell(record)
    for n in range(700):
        if n == 5 or n % 20 == 19:
            shop.tick(30)
        if n % 60 == 30:
            shop.rush()
        if n == 350:
            shop.everywhere(r.LogicVersionSet(id="logic:2", version=log_rules.LOGIC_VERSION))
        if n == 400:
            shop.passed_early()
        if n == 440:
            shop.shipped_early()
        if n == 480:
            shop.damaged_and_sent()
        if n == 520:
            shop.told_out_of_turn()
        if n == 45:
            shop.moved()
        if n == 80:
            shop.short()
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
    name = FOLDER / f"v{log_rules.LOGIC_VERSION}"
    name.with_suffix(".jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    name.with_suffix(".json").write_text(json.dumps(replay(lines), indent=2) + "\n", encoding="utf-8")
