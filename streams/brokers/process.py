"""A broker as a child process: started on loopback, watched until it answers, stopped, never left behind.

Reads nothing but the broker's log; writes that log. Guarantees: `start` returns only a process of ours that listens on
the address asked for; every wait has a bound; on Linux the child dies with the thread that started it. Does not
belong here: which program runs and with which settings (`embedded`, `kafka`).
"""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.forking import dies_with_parent, signals_wait
from streams.settings import split_address

BrokerKind = Literal["embedded", "kafka"]

LOOPBACK_HOSTS = ("127.0.0.1", "localhost")
STOP_SECONDS = 5.0  # `up` promises to be gone 8 s after Ctrl-C: this plus the kill fits into it
KILL_SECONDS = 5.0
LOG_BYTES_MAX = 10_000_000  # an older log is moved aside once, so that a folder never holds more than twice this
LOG_LINES_SHOWN = 15
LOG_ROOM_BYTES = 4096  # a file system gives less to nobody
FREE_PORTS = range(20_000, 32_000)  # below the range from which Linux takes ports for outgoing connections


class BrokerError(RuntimeError):
    """A broker could not be started or reached. The message says what to do next."""


class RunningBroker:
    """A broker that runs as our child. The same for every kind.

    `kind` is "embedded" or "kafka", `address` the `host:port` clients use, `log` the file it writes to.
    """

    def __init__(
        self,
        kind: BrokerKind,
        address: str,
        process: subprocess.Popen[bytes],
        log: Path,
        log_start: int,
        end_signal: signal.Signals,
    ) -> None:
        self.kind = kind
        self.address = address
        self.log = log
        self._process = process
        self._log_start = log_start
        self._end_signal = end_signal

    def __repr__(self) -> str:
        return f"RunningBroker({self.kind}, {self.address}, pid={self.pid})"

    def __enter__(self) -> RunningBroker:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id; stays the same after the end."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the number of the signal that ended it."""
        return self._process.poll()

    def wait_ready(self, seconds: float) -> None:
        """Return when the broker answers a metadata request; `BrokerError` with its last log lines otherwise."""
        deadline = time.monotonic() + seconds
        while not listens(self.address):
            self._expect_alive()
            if time.monotonic() > deadline:
                raise self._failure(f"does not listen on {self.address} after {seconds:.0f} s")
            time.sleep(0.005)
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0, "reconnect.backoff.max.ms": 200})
        while True:
            self._expect_alive()
            try:
                if admin.list_topics(timeout=1.0).brokers:
                    break
            except KafkaException:
                pass  # it listens before it serves: ask again until the deadline
            if time.monotonic() > deadline:
                raise self._failure(f"listens on {self.address} but does not answer after {seconds:.0f} s")
            time.sleep(0.02)
        self._expect_alive()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """The kind's own signal, and SIGKILL if it is still there after `seconds`. A second call does nothing."""
        if self.exit_code is None:
            self._process.send_signal(self._end_signal)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL, as a power cut of the process would be; returns when it is gone."""
        if self.exit_code is None:
            self._process.kill()
            self._process.wait(KILL_SECONDS)

    def last_log_lines(self) -> str:
        """The last lines written since this start."""
        with contextlib.suppress(OSError):
            with self.log.open("rb") as file:
                file.seek(max(self._log_start, self.log.stat().st_size - 64_000))
                lines = file.read().decode("utf-8", "replace").splitlines()
            return "\n".join(f"  {line}" for line in lines[-LOG_LINES_SHOWN:])
        return ""

    def _expect_alive(self) -> None:
        if self.exit_code is not None:
            raise self._failure(f"ended at once (exit code {self.exit_code})")

    def _failure(self, what: str) -> BrokerError:
        lines = self.last_log_lines() or "  (nothing)"
        return BrokerError(f"the {self.kind} broker {what}. Its log {shown(self.log)} ends with:\n{lines}")


def start(
    kind: BrokerKind,
    address: str,
    command: Sequence[str | Path],
    log: Path,
    *,
    ready_seconds: float,
    end_signal: signal.Signals,
    env: Mapping[str, str] | None = None,
) -> RunningBroker:
    """Run `command` as the broker on `address` and return when it answers.

    Its output goes to the end of `log`. It gets its own session, so that a Ctrl-C in the terminal reaches only us and
    we decide the order of the end; on Linux it gets `end_signal` when the calling THREAD ends: call this from
    the main thread or from one that lives as long as the broker shall. `BrokerError`: port taken, ended, not ready.
    """
    expect_free(address)
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_name(log.name + ".1"))
    with log.open("ab") as out, signals_wait():
        log_start = out.tell()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            start_new_session=True,
            preexec_fn=dies_with_parent(end_signal),
        )
    broker = RunningBroker(kind, address, process, log, log_start, end_signal)
    try:
        broker.wait_ready(ready_seconds)
    except BaseException:
        broker.kill()  # also on Ctrl-C: nothing is left behind
        raise
    return broker


def shown(log: Path) -> str:
    """Where it is, and if the disk is full: then the reason somebody looks for there may not have fitted."""
    full = shutil.disk_usage(log.parent).free < LOG_ROOM_BYTES
    return f"{log} (no space is left there)" if full else str(log)


def loopback(address: str) -> tuple[str, int]:
    """`host:port` on this machine -> (host, port); `BrokerError` for any other: we start brokers on loopback only."""
    host, port = ("", 0) if "," in address else split_address(address)
    if host not in LOOPBACK_HOSTS:
        raise BrokerError(
            f"SMOKEHOUSE_BOOTSTRAP={address}: a broker is started on this machine only. Give 127.0.0.1:PORT, or run "
            "`smokehouse topics apply`, `worker` and `api` against a broker that runs elsewhere."
        )
    return host, port


def listens(address: str) -> bool:
    """Whether something accepts connections on `address`."""
    with contextlib.suppress(OSError), socket.create_connection(split_address(address), timeout=0.5):
        return True
    return False


def expect_free(address: str, setting: str = "SMOKEHOUSE_BOOTSTRAP") -> None:
    """`BrokerError` if something listens on `address`, the value of `setting`."""
    if listens(address):
        port = split_address(address)[1]
        raise BrokerError(
            f"something already listens on {address}; set {setting} to another address of this machine "
            f"(for example 127.0.0.1:{port + 10_000 if port < 50_000 else port - 10_000}), or stop what listens there."
        )


def free_port() -> int:
    """A loopback port on which nothing listens. Another process can take it before you do: use it at once."""
    for port in random.sample(FREE_PORTS, 50):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise BrokerError("50 ports of this machine were tried and none is free")
