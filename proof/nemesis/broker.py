"""The broker of a run, and how it fails: killed, stopped and started on its data, suspended.

Apache Kafka gets a listener of its own for each worker, advertised as the address of that worker's proxy: a client that
comes through the proxy is told the proxy's address and stays behind it, while everybody else uses the plain listener.
(Rewriting metadata in the proxy would need a parser of the protocol, and be wrong with its next version.) The embedded
broker advertises one address and forgets everything at its end: there workers connect directly, and it never fails.
A member of its group that dies while it joins, before its first assignment, stays the group's leader for ever, and
nobody is assigned anything again: there workers are harmed one at a time, with partitions in hand.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from proof.nemesis.proxy import Proxy
from streams.brokers.embedded import start_embedded
from streams.brokers.kafka import start_kafka
from streams.brokers.process import BrokerKind, RunningBroker, free_port


class Broker:
    """Started and ended by the thread that makes it, which has to live as long as the broker."""

    def __init__(self, kind: BrokerKind, home: Path, workers: list[str]) -> None:
        self.kind = kind
        self._home = home
        self.address = f"127.0.0.1:{free_port()}"
        self.proxies: dict[str, Proxy] = {}
        self._overrides: dict[str, str] = {}
        if kind == "kafka":
            self._overrides = self._listeners(workers)
        self._running: RunningBroker | None = None
        for proxy in self.proxies.values():
            proxy.start()
        self._start()

    def address_for(self, worker: str) -> str:
        proxy = self.proxies.get(worker)
        return proxy.address if proxy else self.address

    def fail(self, kind: str, seconds: float) -> None:
        """One fault of a plan; returns when the broker answers again."""
        assert self._running is not None
        if kind == "broker_pause":
            os.kill(self._running.pid, signal.SIGSTOP)
            try:
                time.sleep(seconds)
            finally:
                os.kill(self._running.pid, signal.SIGCONT)
            return
        if kind == "broker_kill":
            self._running.kill()
        else:
            self._running.stop(20.0)
        self._start()

    def stop(self) -> None:
        for proxy in self.proxies.values():
            proxy.stop()
        if self._running is not None:
            self._running.kill()

    def _start(self) -> None:
        if self.kind == "embedded":
            self._running = start_embedded(self.address, self._home)
        else:
            self._running = start_kafka(self.address, self._home, overrides=self._overrides)

    def _listeners(self, workers: list[str]) -> dict[str, str]:
        ports = [free_port() for _ in range(1 + 2 * len(workers))]
        controller, inner, outer = ports[0], ports[1 : 1 + len(workers)], ports[1 + len(workers) :]
        names = [f"W{n}" for n in range(len(workers))]
        for worker, upstream, address in zip(workers, inner, outer, strict=True):
            self.proxies[worker] = Proxy(f"127.0.0.1:{address}", f"127.0.0.1:{upstream}")
        plain = f"PLAINTEXT://{self.address}"
        listeners = [plain, f"CONTROLLER://127.0.0.1:{controller}"]
        listeners += [f"{name}://127.0.0.1:{port}" for name, port in zip(names, inner, strict=True)]
        told = [plain, *(f"{name}://127.0.0.1:{port}" for name, port in zip(names, outer, strict=True))]
        return {
            "listeners": ",".join(listeners),
            "advertised.listeners": ",".join(told),
            "listener.security.protocol.map": ",".join(f"{x}:PLAINTEXT" for x in ("PLAINTEXT", "CONTROLLER", *names)),
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        }
