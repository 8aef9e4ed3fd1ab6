"""Ending the process at once: the only answer to a fault that no code here can mend.

Writes one line to standard error. Guarantees: nothing runs afterwards, so nothing is sent, acknowledged or committed
on the way out; the supervisor starts a new process, which recovers from the logs. Exit codes are told apart by cause.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final, NoReturn

AGENT_ERROR: Final = 70  # an agent failed outside a step
SEND_FAILED: Final = 71
PRODUCER_FATAL: Final = 72
BARRIER_TIMEOUT: Final = 73
RECOVERY_READ: Final = 74
SUSPENDED: Final = 77  # stopped longer than the session (SIGSTOP, a frozen machine): others own our partitions
CONSUMER_DEAD: Final = 78
LOOP_BLOCKED: Final = 79

_STDERR: Final = 2  # `sys.stderr` may be Faust's logging proxy, which needs the event loop's good will


def die(code: int, why: str) -> NoReturn:
    """Say why on standard error and end the process; no cleanup, no flush, no commit."""
    with suppress(OSError, MemoryError):  # a full disk under the log, or no memory, must not keep the process alive
        os.write(_STDERR, f"smokehouse: fatal ({code}): {why}\n".encode(errors="replace"))
    os._exit(code)
