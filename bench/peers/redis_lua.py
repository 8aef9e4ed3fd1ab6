"""Redis: one Lua script per order, all or nothing, with a ledger; over 8 connections, one by one or 100 a round trip.

The script remembers each order's answer, so that a caller whose connection broke may ask again, and appends every
decision with its lines to a stream: the ledger. Persistence is on as Redis recommends it (`appendonly yes`,
`appendfsync everysec`): a crash of the machine loses up to a second of confirmed orders, which no other durable peer
here does. Calls are packed beforehand and read by hiredis from plain sockets: less CPU than redis-py's own connections.
Does not belong here: how a round is measured.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import socket
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.children import Child
from bench.peers.called import CalledPeer, Line, Server
from bench.peers.peer import Decision
from bench.workload import Order, summed
from streams.brokers.process import free_port
from streams.settings import split_address

READY_SECONDS = 20.0
PIPELINED = 100  # orders a round trip
RECEIVE_BYTES = 65_536
STOCK, DECIDED, LEDGER = "stock", "decided", "ledger"

# KEYS: stock, decided, ledger. ARGV: order, SKU, units, SKU, units, ... (each SKU once)
SCRIPT = """
local order = ARGV[1]
local known = redis.call('HGET', KEYS[2], order)
if known then return tonumber(known) end
local skus = {}
for i = 2, #ARGV, 2 do skus[#skus + 1] = ARGV[i] end
local left = redis.call('HMGET', KEYS[1], unpack(skus))
local answer = 1
for i = 1, #skus do
  if (tonumber(left[i]) or 0) < tonumber(ARGV[2 * i + 1]) then answer = 0 end
end
if answer == 1 then
  local rest = {}
  for i = 1, #skus do
    rest[2 * i - 1] = skus[i]
    rest[2 * i] = tonumber(left[i]) - tonumber(ARGV[2 * i + 1])
  end
  redis.call('HSET', KEYS[1], unpack(rest))
end
redis.call('HSET', KEYS[2], order, answer)
redis.call('XADD', KEYS[3], '*', 'answer', answer, 'order', unpack(ARGV))
return answer
"""


class RedisPeer(CalledPeer):
    name = "redis"

    def missing(self) -> str:
        if shutil.which("redis-server") is None:
            return "no Redis: redis-server is not on this machine (Debian: apt-get install redis-server)"
        if find_spec("redis") is None or find_spec("hiredis") is None:
            return "no Redis: its client is not installed (.venv/bin/pip install -e '.[bench]')"
        return ""

    @contextlib.contextmanager
    def server(self, folder: Path) -> Iterator[Server]:
        folder.mkdir(parents=True, exist_ok=True)
        address = f"127.0.0.1:{free_port()}"
        host, port = split_address(address)
        command = ["redis-server", "--bind", host, "--port", str(port), "--dir", str(folder), "--save", "",
                   "--appendonly", "yes", "--appendfsync", "everysec", "--protected-mode", "yes"]  # fmt: skip
        with Child(command, folder / "redis.log") as child, contextlib.closing(_client(address)) as client:
            child.wait_until(lambda: _answers(client), READY_SECONDS)
            yield Server(child.pid, address)

    def fill(self, address: str, received: dict[str, int]) -> None:
        with contextlib.closing(_client(address)) as client:
            client.hset(STOCK, mapping=received)

    def call(self, order: Order) -> bytes:
        from hiredis import pack_command

        lines = [str(part) for line in summed(order).items() for part in line]
        return pack_command(("EVALSHA", _sha(), "3", STOCK, DECIDED, LEDGER, order.order_id, *lines))  # type: ignore[arg-type]

    def lines(self, address: str, count: int) -> list[Line]:
        with contextlib.closing(_client(address)) as client:
            client.script_load(SCRIPT)
        return [RedisLine(address) for _ in range(count)]

    def ledger(self, address: str) -> list[Decision]:
        with contextlib.closing(_client(address)) as client:
            return [_decision(fields) for _, fields in client.xrange(LEDGER)]

    def levels(self, address: str) -> dict[str, int]:
        with contextlib.closing(_client(address)) as client:
            return {sku.decode(): int(left) for sku, left in client.hgetall(STOCK).items()}


class RedisPipelinedPeer(RedisPeer):
    name = "redis_pipelined"
    per_call = PIPELINED


class RedisLine:
    def __init__(self, address: str) -> None:
        from hiredis import Reader

        self._socket = socket.create_connection(split_address(address))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = Reader()
        self._missing = 0
        self._found: list[bool] = []

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, calls: Sequence[bytes]) -> None:
        self._missing, self._found = len(calls), []
        self._socket.sendall(b"".join(calls))

    def receive(self) -> list[bool] | None:
        self._reader.feed(self._socket.recv(RECEIVE_BYTES))
        while (answer := self._reader.gets()) is not False:
            if isinstance(answer, Exception):
                raise answer
            self._found.append(answer == 1)
        return self._found if len(self._found) == self._missing else None


def _decision(fields: dict[bytes, bytes]) -> Decision:
    """Of a ledger entry."""
    texts = {name.decode(): value.decode() for name, value in fields.items()}
    confirmed, order_id = texts.pop("answer") == "1", texts.pop("order")
    return Decision(order_id, confirmed, {sku: int(count) for sku, count in texts.items()} if confirmed else {})


def _sha() -> str:
    return hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


def _client(address: str) -> Any:
    import redis

    host, port = split_address(address)
    return redis.Redis(host, port, socket_timeout=60)


def _answers(client: Any) -> bool:
    import redis

    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False
