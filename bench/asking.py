"""The asking process: reads over a few HTTP connections, one call in flight on each, all from one thread.

`python -m bench.asking ADDRESS CONNECTIONS`. One JSON line in, one out: `{calls, seconds}` asks `calls` (HTTP method,
path, JSON body or null) round and round for so long, as fast as answers come; the answer says how long each call took
and how many were not answered with 200. It speaks just enough HTTP to cost less than the server it asks. Does not
belong here: what is asked.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

from bench.callers import ask
from streams.settings import split_address

READ_BYTES = 1 << 18
PATIENCE_SECONDS = 60.0
ROUND = 100  # calls between two looks at the clock


class HttpLine:
    """A connection that stays open (`callers.Line`). `body`: of the last answer."""

    def __init__(self, address: str) -> None:
        self._socket = socket.create_connection(split_address(address), timeout=PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._got = bytearray()
        self._sent_ns = 0
        self.body = b""
        self.late_ms: list[float] = []  # of every call

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self, calls: Sequence[bytes]) -> None:
        [call] = calls
        self._got.clear()
        self._sent_ns = time.time_ns()
        self._socket.sendall(call)

    def receive(self) -> list[bool] | None:
        """Whether it was answered with 200; None: not all of it is there."""
        piece = self._socket.recv(READ_BYTES)
        if not piece:
            raise ConnectionError("the server closed the connection")
        self._got += piece
        end = self._got.find(b"\r\n\r\n")
        if end < 0 or len(self._got) < end + 4 + _length(self._got[:end]):
            return None
        self.late_ms.append((time.time_ns() - self._sent_ns) / 1e6)
        self.body = bytes(self._got[end + 4 :])
        return [self._got.startswith(b"HTTP/1.1 200 ")]

    def get(self, call: bytes) -> bool:
        """Send it and wait for `body`; whether it was answered with 200."""
        self.send([call])
        while (found := self.receive()) is None:
            pass
        return found[0]


def request(address: str, method: str, path: str, body: Any = None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: {address}\r\n"
    if content:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return f"{head}\r\n".encode() + content


def main() -> None:
    address, connections = sys.argv[1:]
    print("{}", flush=True)  # ready
    for line in sys.stdin:
        told = json.loads(line)
        calls = itertools.cycle([request(address, *call) for call in told["calls"]])
        lines = [HttpLine(address) for _ in range(int(connections))]  # idle ones would be closed by the server
        failed, began = 0, time.monotonic()
        while (took := time.monotonic() - began) < told["seconds"]:
            answers, _, _ = ask(lines, list(itertools.islice(calls, ROUND)), 1, 0)
            failed += answers.count(False)
        late = [one for open_line in lines for one in open_line.late_ms]
        for open_line in lines:
            open_line.close()
        print(json.dumps({"seconds": took, "late_ms": late, "failed": failed}), flush=True)


def _length(head: bytearray) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise ValueError(f"an answer without its length: {bytes(head[:200])!r}")


if __name__ == "__main__":
    main()
