"""A full disk ends a worker, never its promises; and it does end it: not even its last words may keep it alive."""

from __future__ import annotations

import subprocess
import sys

import pytest

from proof.nemesis.stores import full_disk
from streams.transport.failstop import RECOVERY_READ


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
def test_a_process_that_cannot_write_its_last_words_ends_all_the_same():
    code = "from streams.transport.failstop import die\ntry: die(71, 'words')\nexcept BaseException: print('alive')"
    with open("/dev/full", "wb") as full:
        told = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=full, check=False)
    assert (told.returncode, told.stdout) == (71, b"")


def test_a_process_without_memory_for_its_last_words_ends_all_the_same():
    code = """
from streams.transport.failstop import die

class Words:
    def __format__(self, how):
        raise MemoryError

try:
    die(70, Words())
except BaseException:
    print("alive")
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (told.returncode, told.stdout) == (70, b"")


def test_a_worker_without_room_for_its_rows_ends_and_its_orders_are_decided_later(embedded_system):
    system = embedded_system
    system.apply()
    system.receive("JERKY", 10)
    for n in range(5):
        system.place(f"order-{n}", {"JERKY": 1})
    system.flush()
    with full_disk(system.settings.home / "stores" / "one", "open") as (_, before):
        system.start("one", before=before)
        assert system.workers["one"].wait(40) == RECOVERY_READ, system.log("one")
    assert system.decisions() == {}
    system.start("one")
    assert system.until_decided(5) == {"confirmed": 5}
    assert system.audit()["ok"]
