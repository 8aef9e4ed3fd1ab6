"""The proxy: in fine weather it changes nothing, and each fault does what its name says, to a connection of bytes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from proof.nemesis.proxy import Proxy, Weather, apply
from streams.brokers.process import free_port


class Echo(threading.Thread):
    """Answers with what it got; remembers it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.got = b""
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.server.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65_536):
                self.got += data
                connection.sendall(data)


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    made.start()
    yield made
    made.server.shutdown(socket.SHUT_RDWR)
    made.server.close()
    made.join(5)


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    made = Proxy(f"127.0.0.1:{free_port()}", echo.address)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    host, _, port = proxy.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as made:
        made.sendall(b"hello")
        assert made.recv(5) == b"hello"
        yield made


def _read(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (data := client.recv(count - len(found))):
        found += data
    return found


def test_in_fine_weather_every_byte_arrives_in_order(client: socket.socket) -> None:
    sent = bytes(range(256)) * 4_000
    threading.Thread(target=client.sendall, args=(sent,), daemon=True).start()
    assert _read(client, len(sent)) == sent


def test_latency_makes_an_answer_late_in_both_directions(proxy: Proxy, client: socket.socket) -> None:
    apply(proxy, "latency", 0.2)
    began = time.monotonic()
    client.sendall(b"late")
    assert _read(client, 4) == b"late"
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(("way", "reaches"), [("stall_up", b"hello"), ("stall_down", b"hellolost")])
def test_a_one_way_stall_lets_the_other_way_pass_and_closes_nothing(
    proxy: Proxy, client: socket.socket, echo: Echo, way: str, reaches: bytes
) -> None:
    apply(proxy, way, 5.0)
    client.sendall(b"lost")
    client.settimeout(0.4)
    with pytest.raises(TimeoutError):
        client.recv(1)
    until = time.monotonic() + 20
    while len(echo.got) < len(reaches) and time.monotonic() < until:
        time.sleep(0.01)
    assert echo.got == reaches
    client.settimeout(5)
    proxy.heal()
    assert client.recv(1) == b"", "what was stalled ends with the stall"


def test_a_lost_response_was_received_by_the_other_side_and_ends_the_connection(
    proxy: Proxy, client: socket.socket, echo: Echo
) -> None:
    apply(proxy, "drop_response", 0)
    client.sendall(b"order")
    assert client.recv(5) == b""
    assert echo.got == b"helloorder"
    assert (proxy.spoiled, proxy.weather) == (1, Weather()), "one response, no more"


def test_a_cut_ends_the_connection_after_so_many_bytes(proxy: Proxy, client: socket.socket, echo: Echo) -> None:
    apply(proxy, "cut", 10)
    client.sendall(b"12345")
    assert _read(client, 5) == b"12345"
    client.sendall(b"6")
    assert client.recv(1) == b""
    assert echo.got == b"hello12345"


def test_a_throttle_bounds_the_bytes_a_second(proxy: Proxy, client: socket.socket) -> None:
    apply(proxy, "throttle", 50_000)
    began = time.monotonic()
    client.sendall(b"x" * 20_000)
    assert len(_read(client, 20_000)) == 20_000
    assert time.monotonic() - began >= 0.7, "0.4 s each way"


def test_a_new_connection_after_the_weather_is_a_sound_one(proxy: Proxy, client: socket.socket) -> None:
    apply(proxy, "cut", 0)
    client.sendall(b"gone")
    assert client.recv(1) == b""
    proxy.heal()
    host, _, port = proxy.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as again:
        again.sendall(b"back")
        assert _read(again, 4) == b"back"
