"""A recall on a real worker: frozen everywhere at once or told where not, and a report that lacks nothing unsaid."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.addresses import WorkerAddress, leave
from streams.brokers.process import free_port
from streams.ends import last_offsets
from streams.lot_answers import Workers
from tables import records as r

JERKY, PEPPER, BOX, LOT = "JRK-1", "JRK-2", "BOX-1", "L/1"


class Warehouse:
    """The stock side at work, and the recall commands."""

    def __init__(self, shop):
        self.shop, self.settings = shop, shop.settings
        self._ids = 0

    def tell(self, kind, sku, **fields):
        self._ids += 1
        self.shop.publish("warehouse", sku, kind(id=f"fact-{self._ids}", sku=sku, **fields))

    def receive(self, sku, units, location="W1", lot=LOT):
        self.tell(r.Received, sku, location=location, quantity=units, lot=lot, supplier="Ranch", reference="PO-1")

    def ship(self, sku, units, order_id, lot=LOT, **more):
        self.tell(r.Shipped, sku, location="W1", quantity=units, lot=lot, order_id=order_id, channel="shop", **more)

    def work(self):
        """A worker, and everything written so far is applied."""
        with (self.settings.home / "worker.log").open("wb") as log:
            self.shop.start("worker", "--role", "stock", stdout=log, stderr=log)
        ends = self.written()
        with Workers(self.settings) as workers:
            self.shop.wait_for(lambda: {
                part.partition for part in workers.lot(LOT, traces=False).found if part.offset >= ends[part.partition]
            } == ends.keys())  # fmt: skip

    def recall(self, *arguments, code=0):
        return self.shop.run("recall", *arguments, code=code)

    def document(self, *arguments, code=0):
        return json.loads(self.recall(*arguments, "--json", code=code).stdout)

    def available(self, sku):
        levels = self.shop.levels(sku)
        return levels and levels["available"]

    def written(self):
        """Partition of the stock log -> its end."""
        return last_offsets(self.settings, "warehouse")


@pytest.fixture
def warehouse(shop):
    return Warehouse(shop)


def test_a_recall_freezes_a_lot_everywhere_and_the_report_says_who_got_it(warehouse):
    warehouse.receive(JERKY, 100)
    warehouse.receive(PEPPER, 40, "W2")
    warehouse.receive(JERKY, 7, lot="OTHER")
    warehouse.ship(JERKY, 3, "order-1")
    warehouse.ship(JERKY, 2, "order-2", lot=None)
    warehouse.tell(r.TransferredOut, JERKY, location="W1", to="W3", quantity=10, reference="T-1", lot=LOT)
    warehouse.tell(r.TransferredIn, JERKY, location="W3", quantity=4, reference="T-1", final=False)
    warehouse.tell(r.KitAssembled, BOX, location="W1", quantity=5, lot="K1",
                   parts=[r.KitPartUsed(sku=JERKY, quantity=10, lot=LOT)])  # fmt: skip
    warehouse.ship(BOX, 2, "order-3", lot="K1")
    warehouse.tell(r.Returned, JERKY, location="W1", quantity=1, lot=LOT, order_id="order-1", disposition="scrap")
    warehouse.tell(r.Picked, JERKY, location="W1", quantity=6, order_id="order-4", attempt=1, lot=LOT)
    warehouse.work()
    warehouse.shop.wait_for(lambda: warehouse.document("report", LOT)["made_into"])

    opened = warehouse.document("open", LOT, "--reason", "metal found")
    assert opened["acknowledged"]
    assert [p["partition"] for p in opened["partitions"]] == [0, 1, 2, 3]
    assert all(0 < p["seconds"] < 10 for p in opened["partitions"])
    frozen = {(x["sku"], x["location"]): x["units"] for x in opened["stock"]}
    assert frozen == {(JERKY, "W1"): 75, (JERKY, "W3"): 4, (PEPPER, "W2"): 40}
    warehouse.shop.wait_for(lambda: (warehouse.available(JERKY), warehouse.available(PEPPER)) == (7, 0))

    said = warehouse.document("report", LOT)
    assert (said["recall"]["state"], said["recall"]["reason"]) == ("open", "metal found")
    assert said["recall"]["partitions"] == [0, 1, 2, 3]
    assert {(x["order_id"], x["sku"], x["units"], x["known"]) for x in said["shipped"]} == {
        ("order-1", JERKY, 3, "scanned"), ("order-2", JERKY, 2, "presumed"), ("order-3", BOX, 2, "scanned"),
    }  # fmt: skip
    assert [(x["source"], x["location"], x["units"]) for x in said["in_transit"]] == [("W1", "W3", 6)]
    assert [(x["order_id"], x["units"], x["known"]) for x in said["bound"]] == [("order-4", 6, "reported")]
    assert [(x["order_id"], x["disposition"]) for x in said["returned"]] == [("order-1", "scrap")]
    assert {(x["sku"], x["supplier"], x["reference"]) for x in said["received"] if not x["through"]} == {
        (JERKY, "Ranch", "PO-1"), (PEPPER, "Ranch", "PO-1"),
    }  # fmt: skip
    assert said["totals"]["frozen"] == 119
    assert {(b["sku"], b["difference"], b["says"]) for b in said["balances"]} == {
        (JERKY, 0, ""), (PEPPER, 0, ""), (BOX, 0, ""),
    }  # fmt: skip
    assert "recall open K1 --sku BOX-1" in said["notes"][0]

    [listed] = warehouse.document("list")
    assert (listed["lot"], listed["state"], listed["partitions"]) == (LOT, "open", [0, 1, 2, 3])

    freed = warehouse.document("close", LOT, "--reason", "all clear")
    assert freed["acknowledged"]
    warehouse.shop.wait_for(lambda: (warehouse.available(JERKY), warehouse.available(PEPPER)) == (86, 40))
    assert warehouse.document("list")[0]["state"] == "closed"


def test_a_drill_tells_what_would_be_frozen_and_freezes_nothing(warehouse):
    warehouse.receive(JERKY, 100)
    warehouse.work()
    told = warehouse.document("open", LOT, "--reason", "drill", "--mock")
    assert told["stock"] == [{"sku": JERKY, "location": "W1", "units": 100}]
    said = warehouse.document("report", LOT)
    assert (said["recall"]["mock"], said["totals"]["frozen"]) == (True, 0)
    assert [x["status"] for x in said["on_hand"]] == ["approved"]


def test_only_the_skus_named_are_frozen(warehouse):
    warehouse.receive(JERKY, 100)
    warehouse.receive(PEPPER, 40)
    warehouse.work()
    opened = warehouse.document("open", LOT, "--reason", "metal", "--sku", JERKY)
    assert opened["stock"] == [{"sku": JERKY, "location": "W1", "units": 100}]
    warehouse.shop.wait_for(lambda: (warehouse.available(JERKY), warehouse.available(PEPPER)) == (0, 40))


def test_a_partition_acknowledges_only_when_every_lot_row_is_frozen(warehouse):
    """More rows than one record may change: the rest follows in others, and is waited for."""
    for n in range(95):
        warehouse.receive(JERKY, 1, f"W{n}")
    warehouse.work()
    opened = warehouse.document("open", LOT, "--reason", "metal")
    assert (opened["units"], len(opened["stock"])) == (95, 95)
    freed = warehouse.document("close", LOT, "--reason", "all clear")
    assert freed["acknowledged"]
    assert {x["status"] for x in warehouse.document("report", LOT)["on_hand"]} == {"approved"}


def test_a_partition_that_stands_still_is_named_and_a_report_without_it_is_refused(warehouse):
    warehouse.receive(JERKY, 100)
    warehouse.ship(JERKY, 1, "order-1")
    warehouse.work()
    at = warehouse.shop.partition(JERKY)
    halted = (at + 1) % 4
    newer = r.LogicVersionSet(id="newer", version=99)
    warehouse.shop.publish("warehouse", JERKY, newer, partition=halted)

    def opened():  # a worker that is busy for a second tells no reason; a recall told twice is one
        told = warehouse.recall("open", LOT, "--reason", "metal", "--json", code=1)
        return told if "it is halted" in told.stderr else None

    told = warehouse.shop.wait_for(opened)
    said = json.loads(told.stdout)
    assert (said["acknowledged"], said["units"]) == (False, 99)
    assert {p["partition"] for p in said["partitions"]} == {0, 1, 2, 3} - {halted}
    assert f"warehouse[{halted}]: it is halted" in told.stderr
    assert f"smokehouse partition retry warehouse {halted}" in told.stderr

    refused = warehouse.recall("report", LOT, code=1)
    assert refused.stdout == ""
    assert f"warehouse[{halted}]" in refused.stderr
    partial = warehouse.recall("report", LOT, "--partial", "--json", code=1)
    assert json.loads(partial.stdout)["missing"] == [halted]
    assert [x["order_id"] for x in json.loads(partial.stdout)["shipped"]] == ["order-1"]
    assert f"partial: no answer of warehouse[{halted}]" in partial.stderr


def test_a_worker_that_stands_still_is_named_within_the_time_that_is_promised(warehouse):
    """The kernel takes connections for a stopped process; nobody reads them."""
    with socket.create_server(("127.0.0.1", 0)) as stopped:
        url = f"http://127.0.0.1:{stopped.getsockname()[1]}"
        leave(warehouse.settings.run_dir, WorkerAddress(os.getpid(), url, "all"))
        began = time.monotonic()
        opened = warehouse.recall("open", LOT, "--reason", "metal", code=1)
        opened_seconds = time.monotonic() - began
        closed = warehouse.recall("close", LOT, "--reason", "over", code=1)
        closed_seconds = time.monotonic() - began - opened_seconds
    why = f"warehouse[3]: a worker does not answer: PID {os.getpid()} (see"
    assert (why in opened.stderr, why in closed.stderr) == (True, True)
    assert "no worker answers" not in opened.stderr
    assert opened_seconds < 20.0, "13 s, and what a busy machine needs to start the command"
    assert closed_seconds < 10.0


def test_workers_on_other_machines_are_asked_where_the_settings_say(warehouse):
    """A home of its own is what makes a machine: nobody finds the others by their files."""
    shop, places = warehouse.shop, [f"127.0.0.1:{free_port()}" for _ in range(2)]
    warehouse.receive(JERKY, 5)
    for n, place in enumerate(places):
        home = warehouse.settings.home / f"machine-{n}"
        home.mkdir()
        with (home / "worker.log").open("wb") as log:
            shop.with_settings(home=home, worker=place).start("worker", stdout=log, stderr=log)
    everywhere = shop.with_settings(workers=",".join(places))

    def shared():
        told = json.loads(everywhere.start("status", "--no-api", "--json").communicate()[0])
        return told if told["ready"] and len({p["address"] for p in told["partitions"]}) == 2 else None

    told = shop.wait_for(shared)
    assert {worker["address"] for worker in told["workers"]} == set(places)
    assert all(place in everywhere.run("status", "--no-api").stdout for place in places)
    opened = json.loads(everywhere.run("recall", "open", LOT, "--reason", "metal", "--json").stdout)
    assert (opened["acknowledged"], len(opened["partitions"])) == (True, 4)
    assert json.loads(everywhere.run("recall", "report", LOT, "--json").stdout)["totals"]["frozen"] == 5
    assert "no worker answers" in shop.run("recall", "report", LOT, code=1).stderr
    lost = f"127.0.0.1:{free_port()}"
    partly = shop.with_settings(workers=f"{places[0]},{lost}").run("recall", "report", LOT, code=1)
    assert f"a worker does not answer: {lost}" in partly.stderr


def test_a_worker_that_cannot_listen_where_it_is_told_says_so(warehouse):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = warehouse.shop.with_settings(worker=place).run("worker", code=70)
    assert f"SMOKEHOUSE_WORKER={place}: " in refused.stderr
    assert "in use" in refused.stderr


def test_a_worker_whose_home_cannot_be_used_says_so(warehouse, tmp_path: Path):
    home = tmp_path / "file"
    home.touch()
    environment = warehouse.shop.env | {"SMOKEHOUSE_HOME": str(home)}
    command = [sys.executable, "-m", "streams.cli", "worker"]
    refused = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=60, check=False)
    assert (refused.returncode, refused.stderr) == (1, f"smokehouse: SMOKEHOUSE_HOME={home}: Not a directory\n")


@pytest.mark.parametrize("arguments", [("--name", "../x"), ("--name", ""), ("--loglevel", "loud")])
def test_a_worker_whose_name_is_no_folders_or_level_no_level_is_refused(commands, arguments: tuple[str, str]):
    assert f'"{arguments[1]}" for {arguments[0]}' in commands.run("worker", *arguments, code=2).stderr


def test_without_a_worker_nothing_is_reported_and_a_recall_is_written_all_the_same(warehouse):
    refused = warehouse.recall("report", LOT, code=1)
    assert refused.stdout == ""
    assert "smokehouse worker starts one" in refused.stderr
    before = warehouse.written()
    told = warehouse.recall("open", LOT, "--reason", "metal", code=1)
    assert "smokehouse recall list" in told.stderr
    assert warehouse.written() == {p: end + 1 for p, end in before.items()}
    warehouse.receive(JERKY, 5)  # after it in the log: frozen when it comes
    warehouse.work()
    assert warehouse.document("report", LOT)["totals"]["frozen"] == 5


def test_what_is_wrong_is_said_and_nothing_is_written(warehouse):
    warehouse.receive(JERKY, 5)
    before = warehouse.written()
    assert "$.lot" in warehouse.recall("open", "no lot code", "--reason", "metal", code=2).stderr
    assert "lot 'no|lot'" in warehouse.recall("report", "no|lot", code=2).stderr
    assert "$.skus" in warehouse.recall("open", LOT, "--reason", "metal", "--sku", "a b", code=2).stderr
    assert warehouse.written() == before
    warehouse.work()
    assert "no recall of lot" in warehouse.recall("close", LOT, "--reason", "over", code=1).stderr
    assert "knows lot 'NO-SUCH'" in warehouse.recall("report", "NO-SUCH", code=1).stderr
    assert warehouse.document("list") == []


def test_every_format_of_the_report_is_written(warehouse):
    warehouse.receive(JERKY, 100)
    for n in range(60):
        warehouse.ship(JERKY, 1, f"order-{n:02d}")
    warehouse.work()
    text = warehouse.recall("report", LOT)
    assert "adds up" in text.stdout
    assert "20 more of 60" in text.stderr
    rows = list(csv.DictReader(io.StringIO(warehouse.recall("report", LOT, "--csv").stdout)))
    assert {row["order"] for row in rows if row["section"] == "Shipped to"} == {f"order-{n:02d}" for n in range(60)}
    path = warehouse.settings.home / "l1.pdf"
    told = warehouse.recall("report", LOT, "--pdf", str(path))
    assert "page(s)" in told.stderr
    assert path.read_bytes().startswith(b"%PDF-")
    nowhere = warehouse.recall("report", LOT, "--pdf", str(path.parent / "no-folder" / "l1.pdf"), code=1)
    assert "no-folder" in nowhere.stderr
