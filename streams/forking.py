"""Signals wait while a process is forked.

Where a child is to run something of ours before it becomes another program (`preexec_fn`), Python forks, and calls
hooks of its libraries around that. What a signal's handler raises in such a hook is printed and forgotten: a Ctrl-C was
lost, and the lock of `logging` taken for good. Does not belong here: what is started.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

WAITING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_wait() -> Iterator[None]:
    """The first of those that come meanwhile comes again at the end. Only the main thread ever hears of one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: handler for number in WAITING if callable(handler := signal.getsignal(number))}
    for number in before:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)
