"""Whatever is asked, however badly: an RFC 9457 problem, never an error of ours, and the next answer is as good."""

from __future__ import annotations

import json
import socket

import pytest

MEDIA_TYPE = "application/problem+json"


@pytest.fixture(autouse=True)
def still_well(shelf):
    """No request of this file may leave anything behind."""
    yield
    assert shelf.answer("/v1/stock/JRK-ORIG-50")["stock"]["available"] == 5


def problem(response, status, kind=None):
    """The problem that this response has to be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    said = response.json()
    assert said.keys() >= {"type", "title", "status", "detail", "instance"}
    assert said["status"] == status
    assert said["detail"]
    assert kind is None or said["type"] == f"urn:smokehouse:problem:{kind}"
    return said


@pytest.mark.parametrize(("path", "kind"), [
    ("/v1/stock/NO-SUCH", "unknown-sku"),
    ("/v1/orders/no-such", "unknown-order"),
    ("/v1/locations/NO-SUCH/stock", "unknown-location"),
])  # fmt: skip
def test_unknown_things_are_404_and_named(shelf, path, kind):
    said = problem(shelf.get(path), 404, kind)
    assert "no-such" in said["detail"].lower()
    assert said["instance"] == path


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/stock/A/B", "/v1/stock/A%2FB", "/static/none.js", "/static/",
                                  "/docs", "/v1/skus/"])  # fmt: skip
def test_paths_that_lead_nowhere_are_404(shelf, path):
    assert problem(shelf.get(path), 404)["type"] == "about:blank"


@pytest.mark.parametrize("path", [
    "/v1/skus?limit=0", "/v1/skus?limit=501", "/v1/skus?limit=-1", "/v1/skus?limit=ten", "/v1/skus?limit=",
    "/v1/skus?limit=" + "9" * 5_000, "/v1/skus?limit=1e3", "/v1/skus?limit=NaN", "/v1/skus?q=" + "x" * 65,
    "/v1/skus?after=" + "x" * 201, "/v1/orders?before=0", "/v1/orders?before=" + "9" * 30, "/v1/orders?before=x",
    "/v1/orders?status=" + "x" * 33, "/v1/decisions?limit=1001", "/v1/alerts?limit=0", "/v1/alerts?sku=a%20b",
    "/v1/alerts?limit=2001", "/v1/alerts?kind=" + "x" * 33, "/v1/shortages?sku=a%20b", "/v1/stock/A/promise",
    "/v1/stock/A/promise?quantity=0", "/v1/stock/A/promise?quantity=1&location=a%20b",
    "/v1/stock", "/v1/stock?sku=", "/v1/stock?sku=a%00b", "/v1/stock/" + "x" * 65, "/v1/stock/a%20b", "/v1/stock/%00",
    "/v1/stock/a%0A", "/v1/stock/%F0%9F%A5%A9", "/v1/stock/%ff", "/v1/orders/", "/v1/orders/" + "x" * 129,
    "/v1/demand/a%0d%0ab", "/v1/locations/" + "x" * 5_000 + "/stock", "/v1/forecasts?location=" + "x" * 65,
])  # fmt: skip
def test_parameters_out_of_bounds_are_422_and_say_which(shelf, path):
    said = problem(shelf.get(path), 422, "invalid-request")
    assert said["errors"][0].keys() == {"where", "what"}


def test_too_many_skus_are_422(shelf):
    problem(shelf.get("/v1/stock?" + "&".join(["sku=A"] * 501)), 422)
    problem(shelf.http.post("/v1/stock/query", json={"skus": ["A"] * 501}), 422)


@pytest.mark.parametrize("path", ["/v1/orders/%00", "/v1/orders/..%2F..%2Fetc%2Fpasswd", "/v1/orders/%ff%fe",
                                  "/v1/orders/%0dx", "/v1/orders//", "/v1/orders/%F0%9F%A5%A9"])  # fmt: skip
def test_odd_order_ids_are_unknown_orders(shelf, path):
    problem(shelf.get(path), 404, "unknown-order")


def test_a_line_break_in_a_path_adds_no_header(shelf):
    response = shelf.get("/v1/orders/a%0d%0aSet-Cookie:x")
    problem(response, 404)
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("path", ["/v1/skus?after=%00", "/v1/skus?q=%00%ff", "/v1/forecasts?after=%7C%7C",
                                  "/v1/alerts?kind=%F0%9F%A5%A9", "/v1/skus?after=~", "/v1/skus?limit=5&limit=6",
                                  "/v1/orders?before=4611686018427387904"])  # fmt: skip
def test_odd_but_harmless_parameters_are_answered(shelf, path):
    assert shelf.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/board.js"])
@pytest.mark.parametrize("wish", ["bytes=9-1", "bytes=99999999-", "bytes=x", "lines=1-2"])
def test_files_come_whole_whatever_part_is_wished_for(shelf, path, wish):
    response = shelf.get(path, headers={"range": wish})
    assert (response.status_code, response.content) == (200, shelf.get(path).content)


@pytest.mark.parametrize(("method", "path"), [
    ("DELETE", "/v1/stock/A"), ("PUT", "/v1/orders/x"), ("POST", "/v1/skus"), ("PATCH", "/status"),
    ("GET", "/nope/../v1/stock/query"), ("POST", "/"), ("POST", "/static/board.js"), ("PROPFIND", "/v1/skus"),
])  # fmt: skip
def test_other_methods_are_405(shelf, method, path):
    response = shelf.http.request(method, path)
    if path.endswith("query"):  # GET /v1/stock/query asks for a SKU of that name
        problem(response, 404, "unknown-sku")
    else:
        problem(response, 405)
        allowed = response.headers["allow"].split(", ")
        assert "HEAD" in allowed or "GET" not in allowed


@pytest.mark.parametrize("path", [
    "/", "/static/board.js", "/v1/stock/JRK-ORIG-50", "/v1/skus", "/v1/orders/sent", "/readyz", "/openapi.json",
    "/v1/stock/NO-SUCH", "/v1/skus?limit=0", "/nothing",
])  # fmt: skip
def test_a_head_is_its_get_without_a_body(shelf, path):
    got, head = shelf.get(path), shelf.http.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    counted = {"date", "content-length"}  # of `as_of` the lag may have changed meanwhile
    assert {name: head.headers[name] for name in head.headers if name not in counted} == {
        name: got.headers[name] for name in got.headers if name not in counted
    }
    assert head.headers.keys() == got.headers.keys()


def test_a_head_of_the_live_stream_ends(shelf):
    head = shelf.http.head("/v1/live")
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    shelf.wait(lambda: shelf.answer("/status")["live_clients"] == 0)


def test_a_kept_connection_is_good_for_more_after_a_head(shelf):
    ask = b"%b /v1/stock/JRK-ORIG-50 HTTP/1.1\r\nHost: x\r\n%b\r\n"
    with socket.create_connection(("127.0.0.1", int(shelf.url.rpartition(":")[2])), timeout=5) as connection:
        connection.sendall(ask % (b"HEAD", b"") + ask % (b"GET", b"Connection: close\r\n"))
        said = b""
        while more := connection.recv(65_536):
            said += more
    first, second, body = said.split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 ")
    assert second.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body)["stock"]["available"] == 5


@pytest.mark.parametrize(("body", "status"), [
    (b"{", 400), (b"", 422), (b"\xff\xfe", 400), (b"null", 422), (b"[]", 422), (b'{"skus": "A"}', 422),
    (b'{"skus": []}', 422), (b'{"skus": [1, null, {}]}', 422), (b'{"skus": ["\\ud800"]}', 422), (b"[" * 60_000, 400),
    (b'{"skus": ["A"]', 400), (b"NaN", 422), (b"9" * 5_000, 400), (b'{"skus": {"a": 1}}', 422),
])  # fmt: skip
def test_malformed_bodies_are_refused(shelf, body, status):
    response = shelf.http.post("/v1/stock/query", content=body, headers={"content-type": "application/json"})
    problem(response, status, "malformed-body" if status == 400 else "invalid-request")


def test_a_body_of_another_kind_is_refused(shelf):
    problem(shelf.http.post("/v1/stock/query", content=b"skus=A", headers={"content-type": "text/plain"}), 422)
    problem(shelf.http.post("/v1/stock/query", data={"skus": "A"}), 422)


def test_a_body_over_the_limit_is_413_announced_or_not(shelf):
    body = json.dumps({"skus": ["x" * 70_000]}).encode()
    announced = shelf.http.post("/v1/stock/query", content=body, headers={"content-type": "application/json"})
    problem(announced, 413, "body-too-large")

    def pieces():
        for start in range(0, len(body), 8_000):
            yield body[start : start + 8_000]

    streamed = shelf.http.post("/v1/stock/query", content=pieces(), headers={"content-type": "application/json"})
    problem(streamed, 413, "body-too-large")


def test_a_body_where_none_belongs_changes_nothing(shelf):
    assert shelf.http.request("GET", "/v1/stock/JRK-ORIG-50", content=b"x" * 1_000).status_code == 200


@pytest.mark.parametrize("raw", [
    b"GET /v1/skus HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n",
    b"GET /nothing HTTP/1.1\r\nHost: a b:c\r\nConnection: close\r\n\r\n",
    b"GET /v1/stock/A%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"POST /v1/stock/query HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 18 + b"\r\nConnection: close\r\n\r\n",
    b"POST /v1/stock/query HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\nConnection: close\r\n\r\n",
    b"POST /v1/stock/query HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
    b"GARBAGE\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
])  # fmt: skip
def test_hostile_bytes_are_never_an_error_of_ours(shelf, raw):
    with socket.create_connection(("127.0.0.1", int(shelf.url.rpartition(":")[2])), timeout=5) as connection:
        connection.sendall(raw)
        said = connection.recv(65_536)
    assert said.startswith(b"HTTP/1.1 ")
    assert said.split()[1] < b"500"


def test_no_problem_tells_how_the_inside_looks(shelf):
    for path in ("/v1/skus?limit=x", "/v1/stock/NO-SUCH", "/nothing"):
        text = shelf.get(path).text
        assert "Traceback" not in text
        assert "pydantic" not in text
        assert ".py" not in text
