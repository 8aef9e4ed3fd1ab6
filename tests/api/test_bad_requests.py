"""5,000 malformed requests, by a seed, to a real server: refused as problems, never an error of ours, and it lives."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from proof.badvalues import NAUGHTY, SECRET, TEXTS

COUNT = 5_000
AT_ONCE = 8
SECONDS = 10.0
PATIENCE_SECONDS = 1.0  # of a request that promises more than it sends
ENDLESS = (b"ffffffffff\r\n", b"\r\n\r\n\r\n")  # how those end
BUSY = (b"problem:partitions-missing", b"problem:explanation-busy")  # here is no worker; one explanation at a time
MEDIA_TYPE = b"application/problem+json"
PATHS = (
    "/v1/stock", "/v1/stock/query", "/v1/stock/{}", "/v1/stock/{}/promise", "/v1/skus", "/v1/locations",
    "/v1/locations/{}/stock", "/v1/orders", "/v1/orders/{}", "/v1/orders/{}/explanation", "/v1/decisions", "/v1/alerts",
    "/v1/shortages", "/v1/forecasts", "/v1/reorders", "/v1/forecast-alerts", "/v1/demand/{}", "/v1/recalls",
    "/v1/lots/{}/trace", "/status", "/livez", "/readyz", "/", "/static/{}", "/openapi.json", "/{}", "/v1/{}",
)  # fmt: skip
NAMES = ("limit", "after", "before", "sku", "skus", "q", "kind", "status", "location", "quantity", "day", "channel",
         "limit[]", "", "__proto__", "%00", "\u202e")  # fmt: skip
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "PROPFIND", "X" * 40)
NUMBERS = ("0", "-1", "1", "501", "9" * 30, "9" * 5_000, "1e309", "NaN", "1.5", "true", "0x10", "\u0661", "")
BODIES: tuple[Callable[[Random], bytes], ...] = (
    lambda rng: rng.randbytes(rng.randint(0, 500)), lambda rng: b"[" * rng.choice((10, 60_000)),
    lambda rng: b'{"skus":' * 5_000, lambda rng: b"\xff\xfe", lambda rng: b'{"skus":["\xff"]}',
    lambda rng: json.dumps({"skus": [rng.choice(TEXTS) for _ in range(rng.choice((0, 3, 501)))]}).encode(),
    lambda rng: json.dumps({"skus": rng.choice((None, 1, True, {}, "A", [None], [[]], [10**30]))}).encode(),
    lambda rng: b'{"skus":["\\ud800"]}', lambda rng: b'{"skus":[NaN,1e999]}', lambda rng: b"null",
    lambda rng: b'{"skus":["A"],"skus":5,"more":"' + SECRET.encode() + b'"}', lambda rng: b"x" * 70_000,
)  # fmt: skip
HEADERS = (
    b"Accept: \xff\xfe", b"Accept: application/xml", b"Accept-Encoding: gzip;q=NaN", b"If-None-Match: " + b"x" * 500,
    b"Range: bytes=9-1", b"Content-Type: application/json; charset=\xff", b"Content-Type: multipart/form-data",
    b"Authorization: Basic !!!", b"Cookie: " + b"a=b; " * 300, b"Last-Event-ID: -1", b"X-Forwarded-For: ' OR 1=1",
    b"Transfer-Encoding: gzip", b"Host: evil\\@b", b"Expect: 999-x", b"Upgrade: websocket\r\nConnection: Upgrade",
    b"Bad Header: x", b": empty", b"X: a\x00b", b"Content-Length: +5", b"Content-Length: -1", b"X: " + b"y" * 80_000,
)  # fmt: skip


def _request(rng: Random) -> bytes:
    """One request as bytes, with something wrong about it."""
    text = rng.choice(TEXTS) if rng.random() < 0.8 else "x" * rng.choice((65, 129, 5_000))
    path = rng.choice(PATHS).replace(
        "{}", rng.choice((quote(text, safe=""), quote(text), "%ff%fe", "%zz", "..%2f.." * 9))
    )
    if rng.random() < 0.6:
        pairs = [
            f"{quote(rng.choice(NAMES))}={quote(rng.choice((*NUMBERS, *NAUGHTY)))}" for _ in range(rng.randint(1, 4))
        ]
        path += "?" + "&".join(pairs) + rng.choice(("", "&", "&&=", "&limit=%ff", "#x", "&sku=A" * 600))
    method = rng.choice(METHODS) if rng.random() < 0.4 else "GET"
    body = rng.choice(BODIES)(rng) if rng.random() < 0.4 else b""
    if body and rng.random() < 0.7:
        method, path = "POST", "/v1/stock/query"
    lines = [f"{method} {path} HTTP/1.1".encode("utf-8", "surrogatepass"), b"Host: x", b"Connection: close"]
    if rng.random() < 0.3:
        lines.append(rng.choice(HEADERS))
    if body:
        lines.append(b"Content-Type: application/json")
        if rng.random() < 0.2:
            lines.append(b"Transfer-Encoding: chunked")
            body = rng.choice(
                (b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), b"zz\r\n" + body, b"-1\r\n\r\n", b"ffffffffff\r\n")
            )
        else:
            claimed = rng.choice((len(body), len(body), len(body), len(body) - 1, 0))
            lines.append(b"Content-Length: %d" % max(claimed, 0))
    if rng.random() < 0.02:
        return rng.choice(
            (rng.randbytes(200), b"GET\r\n\r\n", b"\r\n\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00")
        )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _ask(port: int, request: bytes) -> bytes:
    """Everything that comes back until the server closes, or waits for more than the request has."""
    said = b""
    patience = PATIENCE_SECONDS if request.endswith(ENDLESS) else SECONDS
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        try:
            connection.sendall(request)
            while len(said) < 1 << 20 and (more := connection.recv(1 << 16)):
                said += more
        except (ConnectionResetError, BrokenPipeError, TimeoutError):
            return said
        return said


def _verdict(request: bytes, answer: bytes) -> str:
    """The status; what is not as it has to be fails the test."""
    shown = f"{request[:300]!r}\n{answer[:600]!r}"
    if not answer:
        return "no answer"
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    # A HEAD has no body to name what is busy: that it may be asked again has to do.
    busy = b"retry-after: " in head if request.startswith(b"HEAD") else any(kind in body for kind in BUSY)
    assert status < 500 or (status == 503 and busy), shown
    assert b"Traceback" not in body, shown
    if status < 400 or request.startswith(b"HEAD"):
        return str(status)
    if b"text/plain" in head and b"Invalid HTTP request received." in body:
        return "no HTTP"
    assert MEDIA_TYPE in head.lower(), shown
    said: dict[str, Any] = json.loads(body)
    assert said["status"] == status, shown
    assert said.keys() >= {"type", "title", "detail", "instance"}, shown
    assert ".py" not in said["detail"], shown
    return str(status)


@pytest.mark.timeout(180)
def test_five_thousand_malformed_requests_are_refused_as_problems(shelf):
    port = int(shelf.url.rpartition(":")[2])
    rng = Random(11)
    requests = [_request(rng) for _ in range(COUNT)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda request: _ask(port, request), requests))
    verdicts = Counter(map(_verdict, requests, answers))
    assert verdicts.keys() >= {"200", "400", "404", "405", "413", "422", "no HTTP"}, verdicts
    assert verdicts["no answer"] < COUNT // 50, verdicts
    assert shelf.process.poll() is None
    assert "Traceback" not in shelf.log()
    assert shelf.answer("/v1/stock/JRK-ORIG-50")["stock"]["available"] == 5


def test_bodies_that_never_come_hold_up_nobody(shelf):
    """Half a head, half a body, and a connection that says nothing, all still open while others are served."""
    port = int(shelf.url.rpartition(":")[2])
    begun = b"POST /v1/stock/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n"
    halves = [b"", b"GE", b"GET / HTTP/1.1\r\nHos", begun, begun + b'{"skus"', begun[:-9] + b"9999\r\n\r\n{"]
    waiting = [socket.create_connection(("127.0.0.1", port), timeout=SECONDS) for _ in range(60)]
    try:
        for n, connection in enumerate(waiting):
            connection.sendall(halves[n % len(halves)])
        for _ in range(20):
            assert shelf.answer("/v1/stock/JRK-ORIG-50")["stock"]["available"] == 5
    finally:
        for connection in waiting:
            connection.close()
    assert shelf.answer("/v1/stock/JRK-ORIG-50")["stock"]["available"] == 5
    assert "Traceback" not in shelf.log()
