"""One command starts everything, one Ctrl-C ends it; what dies is started again; a durable broker keeps the orders."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from confluent_kafka import Producer

from proof.nemesis.stores import full_disk
from streams.addresses import WorkerAddress, file_of, leave
from streams.brokers.process import free_port
from streams.settings import producer_config
from tables import records as r
from tables.codec import encode

STOP_SECONDS = 8.0


def send(up, topic, key, record):
    producer = Producer(producer_config(up.settings))
    producer.produce(up.settings.prefix + topic, encode(record), key.encode())
    assert producer.flush(20) == 0


def receive(up, sku, units):
    send(up, "warehouse", sku, r.Received(id=f"in-{sku}", sku=sku, location="W1", quantity=units, lot="L1"))


def place(up, order_id, sku, units=1):
    send(up, "orders", order_id, r.OrderPlaced(
        id=order_id, order_id=order_id, channel="shop", lines=[r.Line(sku, units)], locations=["W1"], payment="paid",
    ))  # fmt: skip


@pytest.mark.timeout(240)
def test_one_command_runs_the_demo_and_one_interrupt_ends_it_all(up):
    up.start(demo=True)
    told = up.until_ready()
    assert (told["broker"], len(told["partitions"]), told["problems"]) == ("embedded", 8, [])
    up.wait(lambda: "ready: open http://" in up.said(), 20)
    assert up.get("/readyz").status_code == 200
    assert up.get("/").headers["content-type"].startswith("text/html")
    decided = up.wait(lambda: found if len(found := up.decisions()) >= 20 else None)
    assert {"confirmed"} <= {d.status for d in decided.values()}

    killed = told["workers"][0]["pid"]
    os.kill(killed, signal.SIGKILL)
    up.wait(lambda: "worker-1 ended with -9; it starts again" in up.said(), 30)
    again = up.wait(lambda: told if (told := up.status())["ready"] and told["workers"][0]["pid"] != killed else None)
    assert len(again["workers"]) == 1
    before = len(up.decisions())
    up.wait(lambda: len(up.decisions()) >= before + 5, 30)

    assert len(up.living()) > 4, "up, broker, worker, API, forecaster, demo"
    assert up.interrupt() <= STOP_SECONDS
    assert up.process.returncode == 0
    assert up.living() == {}


@pytest.mark.timeout(60)
def test_an_interrupt_while_it_starts_ends_it_as_well(up):
    up.start()
    up.wait(lambda: (up.home / "log" / "worker-1.log").exists(), 30)
    assert up.interrupt() <= STOP_SECONDS
    assert up.process.returncode == 0
    assert up.living() == {}


@pytest.mark.timeout(120)
def test_a_worker_that_was_stopped_leaves_no_address_behind(up):
    up.start()
    [address] = up.wait(lambda: list((up.home / "run").glob("worker-*.json")), 30)
    os.kill(int(address.stem.removeprefix("worker-")), signal.SIGTERM)  # `up` itself would kill it after four seconds
    up.wait(lambda: "worker-1 ended with" in up.said(), 60)
    assert up.log("worker-1").count("Stopping...") > 1, "it stopped by itself"
    assert not address.exists()


@pytest.mark.timeout(120)
def test_a_worker_that_was_started_beside_an_earlier_one_is_still_found(up):
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"pid": os.getpid(), "partitions": []}).encode())

    run = up.home / "run"
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        leave(run, WorkerAddress(os.getpid(), f"http://127.0.0.1:{server.server_port}"))
        leave(run, WorkerAddress(os.getppid(), f"http://127.0.0.1:{free_port()}"))  # its number, another one's by now
        up.start()
        up.wait(lambda: (up.home / "log" / "worker-1.log").exists(), 30)
        server.shutdown()
    assert (file_of(run, os.getpid()).exists(), file_of(run, os.getppid()).exists()) == (True, False)


@pytest.mark.timeout(60)
def test_a_broker_that_dies_ends_it_with_the_brokers_last_words(up):
    up.start()
    up.wait(lambda: (up.home / "log" / "worker-1.log").exists(), 30)
    os.kill(next(pid for pid, line in up.living().items() if "tansu" in line.split()[0]), signal.SIGKILL)
    assert up.process.wait(STOP_SECONDS) == 1
    assert "the broker ended (-9); its log" in up.said()
    assert up.living() == {}


@pytest.mark.timeout(60)
def test_sigterm_ends_it_as_an_interrupt_does(up):
    up.start("--workers", "2")
    up.wait(lambda: (up.home / "log" / "worker-2.log").exists(), 30)
    up.process.terminate()
    assert up.process.wait(STOP_SECONDS) == 0
    assert up.living() == {}


@pytest.mark.timeout(60)
def test_a_kill_9_of_up_takes_every_child_with_it(up):
    up.start()
    up.wait(lambda: (up.home / "log" / "worker-1.log").exists(), 30)
    up.process.kill()
    up.process.wait(20)
    up.wait(lambda: up.living() == {}, 30)


def test_a_broker_port_that_is_taken_is_told_in_a_sentence_and_nothing_runs(up):
    host, port = up.settings.bootstrap.split(":")
    with socket.create_server((host, int(port))):
        up.start()
        assert up.process.wait(30) == 1
    assert f"something already listens on {up.settings.bootstrap}; set SMOKEHOUSE_BOOTSTRAP to another" in up.said()
    assert up.living() == {}


def test_an_api_port_that_is_taken_is_told_in_a_sentence_and_nothing_runs(up):
    host, port = up.settings.api.split(":")
    with socket.create_server((host, int(port))):
        up.start()
        assert up.process.wait(30) == 1
    assert f"something already listens on {up.settings.api}; set SMOKEHOUSE_API to another" in up.said()
    assert up.living() == {}


@pytest.mark.timeout(120)
def test_who_serves_on_all_addresses_is_told_one_that_a_browser_opens(up):
    port = up.settings.api.rpartition(":")[2]
    up.settings = up.settings.with_(api=f"0.0.0.0:{port}")
    up.start()
    up.wait(lambda: f"ready: open http://127.0.0.1:{port}/ in a browser" in up.said())


def in_this_folder(up, **env):
    """`up` with other ports, to its end."""
    ports = {name: f"127.0.0.1:{free_port()}" for name in ("SMOKEHOUSE_BOOTSTRAP", "SMOKEHOUSE_API")}
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", "up"], env=up.env | ports | env, text=True, capture_output=True,
        timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.timeout(120)
def test_a_second_one_with_other_ports_leaves_the_folder_of_the_first_alone(up):
    up.start()
    before, files = up.until_ready(), sorted((up.home / "stores").rglob("*"))
    told = in_this_folder(up)
    assert told.returncode == 1
    assert f"another `smokehouse up` runs in SMOKEHOUSE_HOME={up.home}" in told.stderr
    assert sorted((up.home / "stores").rglob("*")) == files
    assert [w["pid"] for w in up.status()["workers"]] == [w["pid"] for w in before["workers"]]


def test_a_folder_that_cannot_be_used_is_told_in_a_sentence(up):
    taken = up.home / "taken"
    taken.touch()
    told = in_this_folder(up, SMOKEHOUSE_HOME=str(taken))
    assert (told.returncode, told.stderr) == (1, f"smokehouse: SMOKEHOUSE_HOME={taken}: File exists\n")


def test_a_disk_that_is_full_is_named_where_the_log_could_not_say_so(up):
    with full_disk(up.home / "log", "open") as (kind, _):
        if kind != "tmpfs":
            pytest.skip("no file system of its own for the logs")
        with suppress(OSError), (up.home / "log" / "fill").open("wb", buffering=0) as fill:
            while True:
                fill.write(bytes(4096))
        up.start()
        assert up.process.wait(30) == 1
    assert f"ended at once (exit code 101). Its log {up.home}/log/broker.log (no space is left there)" in up.said()


def test_a_setting_that_cannot_be_used_is_named_and_nothing_runs(up, monkeypatch):
    monkeypatch.setenv("SMOKEHOUSE_SECURITY_PROTOCOL", "TLS")
    up.start()
    assert up.process.wait(30) == 2
    assert "SMOKEHOUSE_SECURITY_PROTOCOL='TLS': give one of PLAINTEXT" in up.said()
    assert up.living() == {}


def test_a_broker_elsewhere_is_not_started_here(up):
    up.settings = up.settings.with_(bootstrap="kafka.example:9092")
    up.start()
    assert up.process.wait(30) == 1
    assert "a broker is started on this machine only" in up.said()


@pytest.mark.kafka
@pytest.mark.timeout(60)
def test_an_interrupt_while_kafka_starts_ends_it_as_well(durable):
    durable.start()
    durable.wait(lambda: any("kafka.Kafka" in line for line in durable.living().values()), 40)
    assert durable.interrupt() <= STOP_SECONDS
    assert durable.process.returncode == 0
    assert durable.living() == {}


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_a_durable_broker_keeps_orders_and_decisions_over_a_full_restart(durable):
    up = durable
    up.start()
    up.until_ready()
    receive(up, "JERKY", 3)
    for n in range(5):
        place(up, f"before-{n}", "JERKY")
    before = up.wait(lambda: found if len(found := up.decisions()) == 5 else None)
    assert sorted(d.status for d in before.values()) == ["confirmed"] * 3 + ["rejected"] * 2
    assert up.interrupt() <= STOP_SECONDS
    assert up.process.returncode == 0
    assert up.living() == {}

    up.start()
    up.until_ready()
    assert up.decisions() == before
    assert "local store kept" in up.log("worker-1"), "it was closed cleanly"
    place(up, "after", "JERKY")
    after = up.wait(lambda: found if len(found := up.decisions()) == 6 else None)
    assert (after["after"].status, after["after"].reason) == ("rejected", "insufficient"), "the stock is sold"
    audit = up.command("audit", "--settle", "20")
    assert audit.returncode == 0, audit.stdout[-2000:] + audit.stderr[-2000:]
    assert up.interrupt() <= STOP_SECONDS
    assert up.living() == {}
