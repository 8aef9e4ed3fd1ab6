"""The API as a process: live stream, shutdown, loopback, and a broker that goes away and comes back empty."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer

from streams.brokers.process import free_port
from streams.settings import producer_config

END_SECONDS = 3.0
LIVE_SECONDS = 20.0  # a tick comes four times a second; the machine may be busy


class Listener(threading.Thread):
    """Reads the live stream of an API to its end: `events` are (name, data)."""

    def __init__(self, api):
        super().__init__(daemon=True)
        self.events, self.ended = [], threading.Event()
        self._api = api
        self._client = type(api.http)(base_url=api.url, timeout=30.0, trust_env=False)

    def run(self):
        try:
            with self._client.stream("GET", "/v1/live") as response:
                self.media_type = response.headers["content-type"]
                name = ""
                for line in response.iter_lines():
                    if line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("data: "):
                        self.events.append((name, json.loads(line[6:])))
        finally:
            self.ended.set()

    def all(self, part):
        return [one for name, data in list(self.events) if name == "tick" for one in data[part]]


@contextmanager
def listening(api) -> Iterator[Listener]:
    """A listener that hears; its API is stopped inside the block, and ends it."""
    heard = Listener(api)
    heard.start()
    api.wait(lambda: heard.events, LIVE_SECONDS)  # counters come every second
    yield heard
    heard.ended.wait(LIVE_SECONDS)


def test_a_change_reaches_every_listener_within_a_bound(api):
    with listening(api) as one, listening(api) as other:
        assert one.media_type.startswith("text/event-stream")
        assert api.answer("/status")["live_clients"] == 2
        api.publish("stock-levels", api.make.level("A", 7))
        api.publish("reservations", api.make.decision("o", "rejected", "insufficient"))
        api.publish("alerts", api.make.alert("A", "out"))
        for heard in (one, other):
            api.wait(lambda heard=heard: all(map(heard.all, ("skus", "decisions", "alerts"))), LIVE_SECONDS)
            assert [level["available"] for level in heard.all("skus")] == [7]
            assert [d["reason"] for d in heard.all("decisions")] == ["insufficient"]
            assert [a["kind"] for a in heard.all("alerts")] == ["out"]
        # What was taken in may be told before the view's progress is: the next tick has both.
        api.wait(lambda: one.events[-1][1].get("lag") == 0, LIVE_SECONDS)
        tick = one.events[-1][1]
        assert tick["counters"]["rejected"] == 1
        assert tick["lag"] == 0
        api.publish("stock-levels", api.make.level("A", 99, at=0))  # an older state never appears
        api.publish("stock-levels", api.make.level("A", 6, at=2))
        api.wait(lambda: one.all("skus")[-1]["available"] == 6, LIVE_SECONDS)
        assert 99 not in [level["available"] for level in one.all("skus")]
        assert api.stop() < END_SECONDS
    assert one.ended.is_set()
    assert other.ended.is_set()


def test_sigterm_ends_it_in_time_with_open_and_stalled_streams(api):
    host, port = "127.0.0.1", int(api.url.rpartition(":")[2])
    stalled = []
    for _ in range(20):
        connection = socket.create_connection((host, port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        connection.sendall(b"GET /v1/live HTTP/1.1\r\nHost: x\r\n\r\n")
        stalled.append(connection)
    half = socket.create_connection((host, port))
    half.sendall(b"POST /v1/stock/query HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    api.wait(lambda: api.answer("/status")["live_clients"] == 20, LIVE_SECONDS)
    for at in range(1, 4):  # more than their buffers take
        api.publish("stock-levels", *(api.make.level(f"SKU-{n}", at, at, flavor="x" * 400) for n in range(300)))
    api.wait(lambda: api.applied("stock-levels") == 900)
    assert api.stop() < END_SECONDS
    assert api.process.returncode in (0, -signal.SIGTERM)
    for connection in [*stalled, half]:
        connection.close()


def test_after_a_start_lists_show_what_happened_last_whatever_partition_has_it(api):
    names = [f"o-{n:02}" for n in range(24)]
    for at, name in enumerate(names, 1):  # one after the other: so are the times of their records
        made = api.make.order(name, at=at, time=f"2026-11-23T10:00:{at:02}.000Z")
        api.publish("order-status", made)
        api.publish("reservations", api.make.decision(name))
        api.publish("alerts", api.make.alert(f"S-{name}", "discrepancy", at, note=name))
        time.sleep(0.002)
    api.stop()
    api.start()
    with listening(api) as heard:
        for path, part in (("/v1/orders", "order_id"), ("/v1/decisions", "order_id"), ("/v1/alerts", "note")):
            assert [one[part] for one in api.answer(path)["items"]] == names[::-1], path
        first, rest = api.answer("/v1/orders?limit=10"), []
        while first:
            rest += [one["order_id"] for one in first["items"]]
            first = first["next"] and api.answer(f"/v1/orders?limit=10&before={first['next']}")
        assert rest == names[::-1]
        api.publish("order-status", api.make.order("new", at=100))
        api.wait(lambda: heard.all("orders"), LIVE_SECONDS)
        assert [one["order_id"] for one in heard.all("orders")] == ["new"]
        assert heard.all("decisions") == heard.all("alerts") == []
        api.stop()


def test_a_record_nested_too_deep_for_a_parser_is_counted_and_ends_nothing(api):
    deep = b'{"type":"service_set","id":"x","service":0.9,"note":' + b"[" * 2_000 + b"]" * 2_000 + b"}"
    producer = Producer(producer_config(api.settings))
    producer.produce(api.settings.prefix + "planning", deep, key="service|", partition=0)
    assert producer.flush(20) == 0
    api.publish("stock-levels", api.make.level("A", 7))
    api.wait(lambda: api.answer("/status")["unreadable"] == 1 or api.get("/livez").status_code != 200)
    api.wait(lambda: api.get("/v1/stock/A").status_code == 200)
    assert api.get("/readyz").status_code == api.get("/livez").status_code == 200
    api.stop()
    api.start()  # it is there at every start
    assert api.answer("/status")["unreadable"] == 1


def test_a_listener_that_does_not_read_holds_up_nobody(api):
    stalled = socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])))
    stalled.sendall(b"GET /v1/live HTTP/1.1\r\nHost: x\r\n\r\n")
    with listening(api) as heard:
        for at in range(1, 6):
            api.publish("stock-levels", *(api.make.level(f"SKU-{n}", at, at, flavor="x" * 400) for n in range(400)))
        api.publish("stock-levels", api.make.level("LAST", 1))
        api.wait(lambda: any(level["sku"] == "LAST" for level in heard.all("skus")), LIVE_SECONDS)
        assert api.get("/readyz").status_code == 200
        stalled.close()
        api.wait(lambda: api.answer("/status")["live_clients"] == 1, LIVE_SECONDS)
        api.stop()


def test_it_listens_on_loopback_alone(shelf):
    port = int(shelf.url.rpartition(":")[2])
    mine = f":{port:04X}"
    with open("/proc/net/tcp") as table:  # local address, state: 0A is listening
        rows = [line.split() for line in table.readlines()[1:]]
    assert {row[1] for row in rows if row[1].endswith(mine) and row[3] == "0A"} == {f"0100007F{mine}"}


def test_a_port_that_is_taken_is_said_so(shelf):
    again = shelf.run("api")
    assert again.wait(30) == 1
    assert "the port is taken" in shelf.log()
    assert shelf.is_ready()


def test_both_processes_answer_at_an_ipv6_address(api, monkeypatch):
    api.stop()
    worker = f"[::1]:{free_port()}"
    monkeypatch.setenv("SMOKEHOUSE_WORKER", worker)
    api.settings = api.settings.with_(api=f"[::1]:{free_port()}")
    api.http.base_url = f"http://{api.settings.api}"
    api.start()
    api.start_worker()
    assert [one["address"] for one in api.answer("/status")["workers"]] == [worker]


def test_a_broker_that_comes_back_empty_begins_a_new_view(lonely):
    """What the old log said is never shown as the present again, however the new log grows."""
    api, brokers = lonely
    api.publish("stock-levels", api.make.level("OLD", 5), *(api.make.level(f"S-{n}", n) for n in range(40)))
    api.publish("order-status", api.make.order("old-order"))
    api.wait(lambda: api.applied("stock-levels") == 41 and api.get("/v1/orders/old-order").status_code == 200)
    with listening(api) as heard:
        brokers.end()
        api.wait(lambda: api.get("/v1/stock/OLD").status_code == 503)
        for path in ("/v1/stock/{sku}", "/v1/skus", "/v1/orders", "/v1/alerts", "/v1/demand/{sku}", "/readyz"):
            response = api.get(path.replace("{sku}", "OLD"))
            assert response.status_code == 503
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers["retry-after"] == "1"
            api.check_documented(path, response)
        assert api.get("/livez").status_code == 200
        said = api.answer("/status")
        assert not said["view_ready"]
        assert said["trouble"]
        api.wait(lambda: "the broker does not answer" in api.answer("/status")["trouble"])

        brokers.begin()
        api.make_topics()
        new = [api.make.level("NEW", 3, at=1, version=(2_000, 1, 0)),
               *(api.make.level(f"S-{n}", 1, version=(2_000, 2, 0)) for n in range(60))]  # fmt: skip
        api.publish("stock-levels", *new)
        api.until_ready()
        api.wait(lambda: api.applied("stock-levels") == 61)
        assert api.get("/v1/stock/OLD").status_code == 404
        assert api.get("/v1/orders/old-order").status_code == 404
        assert api.answer("/v1/stock/NEW")["stock"]["available"] == 3
        assert {sku["available"] for sku in api.answer("/v1/skus?limit=500")["items"]} == {1, 3}
        api.wait(lambda: "reload" in [name for name, _ in heard.events], LIVE_SECONDS)
        api.stop()


def test_a_broker_back_within_a_blink_begins_a_new_view_too(lonely):
    api, brokers = lonely
    api.publish("stock-levels", *(api.make.level(f"S-{n}", n) for n in range(40)))
    api.wait(lambda: api.applied("stock-levels") == 40)
    brokers.end()
    brokers.begin()
    api.make_topics()
    api.publish("stock-levels", *(api.make.level(f"T-{n}", 1, version=(2_000, n, 0)) for n in range(80)))
    api.wait(lambda: api.applied("stock-levels") == 80 and api.is_ready())
    assert api.answer("/v1/skus")["total"] == 80
    assert api.get("/v1/stock/S-1").status_code == 404


def test_it_ends_in_time_while_the_broker_is_away(lonely):
    api, brokers = lonely
    brokers.end()
    api.wait(lambda: not api.is_ready())
    assert api.stop() < END_SECONDS
