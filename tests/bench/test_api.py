"""`python -m bench api`: one small run. No figure is asserted: a busy machine is no fault."""

from __future__ import annotations

import socket
import threading

import pytest

from bench.api import measure
from bench.asking import HttpLine, request
from streams.brokers.process import RunningBroker


@pytest.mark.timeout(280)
def test_the_api_is_asked_while_orders_flow_and_shows_what_its_topics_say(embedded: RunningBroker) -> None:
    nothing, one, many = rows = measure(embedded, 100.0, 1.0, 50, 1, lambda _: None)
    assert [row.check for row in rows] == ["ok", "ok", "ok"]
    assert nothing.calls_s is None
    for row in (one, many):
        assert row.calls_s > 0
        assert 0 < row.p50_ms <= row.p99_ms
    for row in rows:
        assert 0 <= row.view_p50_ms <= row.view_p99_ms
        assert row.cores > 0


def test_an_answer_in_pieces_is_whole_and_one_that_is_no_200_counts_as_failed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        asked: list[bytes] = []

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                for pieces in (
                    (b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 4\r\n\r\nab", b"cd"),
                    (b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno",),
                ):
                    asked.append(connection.recv(10_000))
                    for piece in pieces:
                        connection.sendall(piece)
                        threading.Event().wait(0.02)

        answering = threading.Thread(target=answer)
        answering.start()
        line = HttpLine(address)
        assert line.get(request(address, "POST", "/query", {"skus": ["A"]}))
        assert line.body == b"abcd"
        assert not line.get(request(address, "GET", "/x"))
        assert line.body == b"no"
        assert len(line.late_ms) == 2
        line.close()
        answering.join(10)
    assert asked[0].startswith(b"POST /query HTTP/1.1\r\n")
    assert asked[0].endswith(b'Content-Length: 15\r\n\r\n{"skus": ["A"]}')
    assert asked[1] == f"GET /x HTTP/1.1\r\nHost: {address}\r\n\r\n".encode()
