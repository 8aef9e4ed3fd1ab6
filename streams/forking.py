"""What a child that is forked needs: a signal for when its parent ends, and signals that wait meanwhile.

Where a child is to run something of ours before it becomes another program (`preexec_fn`), Python forks, and calls
hooks of its libraries around that. What a signal's handler raises in such a hook is printed and forgotten: a Ctrl-C was
lost, and the lock of `logging` taken for good. Does not belong here: what is started.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
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
        signal.signal(number, lambda received, _: came.append(received))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)


def dies_with_parent(end_signal: signal.Signals = signal.SIGKILL) -> Callable[[], None] | None:
    """The `preexec_fn` of a child that gets `end_signal` when the calling THREAD ends; None where only Linux could."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork: the child may not import or allocate much
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(end_signal), 0, 0, 0)
        if os.getppid() != parent:  # it ended between the fork and the line above
            os._exit(1)

    return ask
