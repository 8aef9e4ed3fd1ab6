"""A TCP proxy on loopback that does to a connection what networks do.

Passes bytes between `address` and one upstream, both ways; knows nothing of Kafka. Guarantees: without a fault every
byte arrives, in order; `heal` takes every fault away and ends the connections that a fault has spoiled. Runs its own
event loop in a thread; every method may be called from any thread.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass

from streams.settings import split_address

CHUNK_BYTES = 64 << 10
LOOK_SECONDS = 0.02


@dataclass(slots=True)
class Weather:
    """`latency_seconds`: each piece is so late. `stalled`: "up" (to the broker), "down": nothing passes, nothing
    is closed. `cut_bytes`: after so many more bytes every connection ends. `drop_response`: the next piece from the
    broker is lost, with its connection. `bytes_per_second`: no more than that, per direction; 0: no limit."""

    latency_seconds: float = 0.0
    stalled: frozenset[str] = frozenset()
    cut_bytes: int = -1
    drop_response: bool = False
    bytes_per_second: int = 0


class Proxy:
    """Listens on `address` from `start` to `stop`."""

    def __init__(self, address: str, upstream: str) -> None:
        self.address = address
        self.weather = Weather()
        self.passed_bytes = 0
        self.spoiled = 0  # connections that a fault has ended
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {address}", daemon=True)
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def heal(self) -> None:
        """Fine weather. What was stalled is closed: a network that heals does not bring late bytes in order."""
        asyncio.run_coroutine_threadsafe(self._heal(), self._loop).result(10)

    async def _heal(self) -> None:
        late, self.weather = self.weather.stalled, Weather()
        if late:
            await self._close_all()  # in the same step of the loop: what waited finds its writer closing

    async def _listen(self) -> None:
        host, port = split_address(self.address)
        self._server = await asyncio.start_server(self._accept, host, port, limit=CHUNK_BYTES)

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._close_all()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _close_all(self) -> None:
        self.spoiled += len(self._open) // 2
        for writer in list(self._open):
            writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = split_address(self._upstream)
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port, limit=CHUNK_BYTES)
        except OSError:  # the broker is down: the client sees a connection that ends at once
            writer.close()
            return
        pair = {writer, far_writer}
        self._open |= pair
        try:
            await asyncio.gather(self._pass(reader, far_writer, "up"), self._pass(far_reader, writer, "down"))
        except (OSError, _Cut):
            pass
        finally:
            self._open -= pair
            for end in pair:
                end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        while data := await reader.read(CHUNK_BYTES):
            weather = self.weather
            if weather.latency_seconds:
                await asyncio.sleep(weather.latency_seconds)
            if weather.bytes_per_second:
                await asyncio.sleep(len(data) / weather.bytes_per_second)
            while way in self.weather.stalled:
                await asyncio.sleep(LOOK_SECONDS)
                if writer.is_closing():
                    raise _Cut
            if way == "down" and self.weather.drop_response:
                self.weather.drop_response = False
                self._spoil()
            if self.weather.cut_bytes >= 0:
                self.weather.cut_bytes -= len(data)
                if self.weather.cut_bytes < 0:
                    self._spoil()
            writer.write(data)
            self.passed_bytes += len(data)
            await writer.drain()
        raise _Cut  # an end that closes, closes both

    def _spoil(self) -> None:
        self.spoiled += 1
        raise _Cut


class _Cut(Exception):
    """This connection is over."""


def apply(proxy: Proxy, kind: str, amount: float) -> float:
    """Put a fault of a plan on a proxy; the seconds for which it should stay."""
    if kind == "latency":
        proxy.weather = Weather(latency_seconds=amount)
        return 6.0
    if kind == "throttle":
        proxy.weather = Weather(bytes_per_second=int(amount))
        return 6.0
    if kind == "cut":
        proxy.weather = Weather(cut_bytes=int(amount))
        return 3.0
    if kind == "drop_response":
        proxy.weather = Weather(drop_response=True)
        return 2.0
    if kind in ("stall_up", "stall_down", "stall_long"):
        proxy.weather = Weather(stalled=frozenset(("down" if kind == "stall_down" else "up",)))
        return amount
    raise ValueError(f"no fault of a network: {kind}")


def wait_for_fault(proxy: Proxy, seconds: float) -> None:
    """At most so long; a cut or a lost response is over as soon as it has happened."""
    until, before = time.monotonic() + seconds, proxy.spoiled
    once = proxy.weather.drop_response or proxy.weather.cut_bytes >= 0
    while time.monotonic() < until and not (once and proxy.spoiled > before):
        time.sleep(LOOK_SECONDS)
