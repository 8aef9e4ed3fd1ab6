"""Workers elsewhere are looked at where the settings say; one that is not there is told of by its address."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from api.models import health as m
from api.workers import Workers
from streams.brokers.process import free_port
from streams.settings import from_environment

READY = {"topic": "orders", "partition": 0, "state": "ready", "offset": 7}


class Answers(BaseHTTPRequestHandler):
    """Of a worker, after so many `seconds`."""

    seconds = 0.0

    def do_GET(self):
        time.sleep(self.seconds)
        told = json.dumps({"ready": True, "pid": 17, "role": "all", "partitions": [READY]}).encode()
        with contextlib.suppress(BrokenPipeError):  # whoever asked has gone
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

    def log_message(self, *_):
        pass


@pytest.fixture
def elsewhere():
    """The address of a worker of which nothing stands in this machine's run folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def looked(tmp_path, *places):
    """What the API finds of the workers at these places."""
    settings = from_environment({"SMOKEHOUSE_HOME": str(tmp_path), "SMOKEHOUSE_WORKERS": ",".join(places)})
    return again(Workers(settings))


def again(workers, seconds=10.0):
    async def look():
        async with httpx2.AsyncClient(timeout=seconds, trust_env=False) as client:
            workers.seen = await workers.look(client)

    with ThreadPoolExecutor(1) as thread:  # the page's tests hold a loop in the main thread
        thread.submit(asyncio.run, look()).result(30)
    return workers


def test_a_worker_elsewhere_says_what_it_has(tmp_path, elsewhere):
    found = looked(tmp_path, elsewhere)
    [worker] = found.seen
    assert (worker.address, worker.pid, worker.role, worker.answers) == (elsewhere, 17, "all", True)
    assert [p.model_dump(include=READY.keys()) for p in worker.partitions] == [READY]
    assert found.ready


def test_a_worker_that_is_not_where_it_was_said_to_be_is_not_ready(tmp_path, elsewhere):
    nowhere = f"127.0.0.1:{free_port()}"
    found = looked(tmp_path, elsewhere, nowhere)
    assert {(w.address, w.answers) for w in found.seen} == {(elsewhere, True), (nowhere, False)}
    assert not found.ready


def test_a_worker_that_is_too_busy_to_answer_is_taken_at_its_last_word_for_a_while(tmp_path, elsewhere, monkeypatch):
    """In a burst it takes longer than a second, and the page said that nobody had its partitions."""
    found = looked(tmp_path, elsewhere)
    monkeypatch.setattr(Answers, "seconds", 1.0)
    [busy] = again(found, 0.1).seen
    assert (busy.answers, busy.pid, [p.offset for p in busy.partitions]) == (True, 17, [7])
    monkeypatch.setattr("api.workers.BUSY_SECONDS", 0.0)
    [silent] = again(found, 0.1).seen
    assert (silent.answers, silent.partitions) == (False, [])


def test_a_worker_whose_port_nobody_listens_at_any_more_is_silent_at_once(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        found = looked(tmp_path, f"127.0.0.1:{server.server_port}")
        assert found.ready
        server.shutdown()
    assert not again(found).seen[0].answers


def worker(*partitions, state="ready"):
    held = [m.WorkerPartition(topic=topic, partition=number, state=state) for topic, number in partitions]
    return m.Worker(pid=1, address="a:1", role="all", answers=True, ready=state == "ready", partitions=held)


def said(tmp_path, *seen):
    workers = Workers(from_environment({"SMOKEHOUSE_HOME": str(tmp_path)}))
    workers.seen = list(seen)
    return workers.ready, workers.unserved(2)


def test_what_waits_is_added_up_over_those_who_know(tmp_path):
    workers = Workers(from_environment({"SMOKEHOUSE_HOME": str(tmp_path)}))
    one, other, spare = worker(("orders", 0), ("warehouse", 0)), worker(("orders", 1)), worker()
    one.partitions[0].waiting, one.partitions[1].waiting = 700, 0
    workers.seen = [one, other, spare]
    assert workers.waiting == 700


def test_what_no_worker_has_is_counted_and_a_spare_worker_spoils_nothing(tmp_path):
    orders, stock = [("orders", 0), ("orders", 1)], [("warehouse", 0), ("warehouse", 1)]
    assert said(tmp_path, worker(*orders), worker(*stock), worker()) == (True, 0)
    assert said(tmp_path, worker(*orders)) == (True, 2)
    assert said(tmp_path, worker(*orders), worker(*stock, state="halted")) == (False, 0)
    assert said(tmp_path)[1] == 4
