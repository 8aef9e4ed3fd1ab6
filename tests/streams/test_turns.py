"""Short turns on a processor: what the kernel says of a thread that asked for them, and of those it starts."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
import threading

import pytest

from streams import turns

GET_ATTRIBUTES = {"x86_64": 315, "aarch64": 275, "riscv64": 275}.get(platform.machine(), 0)  # sched_getattr(2)
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not GET_ATTRIBUTES, reason="only Linux has turns to ask for, and its calls have numbers"
)


def attributes():
    """(policy, nice, turn in ns) of the calling thread; the turn is 0 where the kernel has one length for all."""
    found = ctypes.create_string_buffer(48)
    assert ctypes.CDLL(None).syscall(GET_ATTRIBUTES, 0, found, 48, 0) == 0
    _, policy, _, nice, _, turn_ns, _, _ = struct.unpack("=IIQiIQQQ", found.raw)
    return policy, nice, turn_ns


def in_a_thread(*steps):
    """What the steps answered, each thread with attributes of its own: this process stays as it is."""
    said = []
    thread = threading.Thread(target=lambda: said.extend(step() for step in steps))
    thread.start()
    thread.join()
    return said


def test_a_thread_that_asks_gets_short_turns_and_nothing_else_changes():
    before, asked, after = in_a_thread(attributes, turns.take_short_turns, attributes)
    assert asked
    assert after == (before[0], before[1], int(turns.TURN_SECONDS * 1e9) if before[2] else 0)


def test_what_it_starts_has_them_too_and_who_did_not_ask_has_not():
    before = attributes()
    _, after, [inherited] = in_a_thread(turns.take_short_turns, attributes, lambda: in_a_thread(attributes))
    assert inherited == after
    assert attributes() == before


def test_a_nice_thread_stays_nice():
    before, _, _, after = in_a_thread(attributes, lambda: os.nice(2), turns.take_short_turns, attributes)
    assert after[1] == before[1] + 2


def test_a_policy_that_somebody_chose_stays():
    def choose_batch():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

    _, asked, after = in_a_thread(choose_batch, turns.take_short_turns, attributes)
    assert (asked, after[0]) == (False, os.SCHED_BATCH)


def test_a_machine_whose_call_is_not_known_is_asked_for_nothing(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "z80")
    before, asked, after = in_a_thread(attributes, turns.take_short_turns, attributes)
    assert (asked, after) == (False, before)
