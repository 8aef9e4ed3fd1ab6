"""A signal that comes while a process is forked is not lost in the hooks of the fork."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from streams.forking import signals_wait

# A Ctrl-C right after the fork, while the hooks of the parent run: `logging` gives its lock back in one of them.
INTERRUPTED_FORK = """
import logging, os, signal, sys
from pathlib import Path
from streams.commands.supervise import Child

signal.signal(signal.SIGINT, signal.default_int_handler)
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
child = Child("one", ["--version"], Path(sys.argv[1]), {})
try:
    child.start()
except KeyboardInterrupt:
    child.terminate()
    child.wait(0)
    logging.getLogger("whose lock is free")
    print("interrupted, child known:", child.pid > 0)
"""


def test_a_ctrl_c_in_a_fork_ends_what_forked_once_its_child_is_known(tmp_path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_FORK, str(tmp_path / "log")], capture_output=True, text=True, timeout=30
    )
    assert (told.stdout, told.stderr) == ("interrupted, child known: True\n", "")


def test_signals_come_when_the_fork_is_over_and_their_handlers_are_back() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background ignore it from birth
    steps = []

    def fork() -> None:
        with signals_wait():
            os.kill(os.getpid(), signal.SIGINT)
            steps.append("went on")

    try:
        with pytest.raises(KeyboardInterrupt):
            fork()
        assert steps == ["went on"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_nothing_comes_where_nothing_came_and_what_is_raised_inside_goes_on() -> None:
    with pytest.raises(ValueError, match="inside"), signals_wait():
        raise ValueError("inside")


def test_another_thread_leaves_signals_alone() -> None:
    seen = []

    def fork() -> None:
        with signals_wait():
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    assert seen == [before]
