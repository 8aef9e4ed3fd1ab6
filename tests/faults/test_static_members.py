"""Workers with a name in the group (static members): one that dies in the middle of a hand-over comes back in time."""

from __future__ import annotations

import pytest

ORDERS, UNITS = 200, 1_000


@pytest.mark.timeout(180)
def test_a_worker_killed_while_it_hands_over_and_back_at_once_leaves_no_partition_without_an_owner(kafka_system):
    """It gave up partitions that were to move, and died before it said so. It comes back within its session, under its
    name: the group finds nothing to share out anew, and nobody has those partitions."""
    system = kafka_system
    system.apply()
    system.start("one", SMOKEHOUSE_INSTANCE_ID="one", SMOKEHOUSE_FAULTS="closed.after:1=kill")
    system.until_ready()
    system.start("two", SMOKEHOUSE_INSTANCE_ID="two")
    system.wait(lambda: system.workers["one"].poll() is not None)
    assert system.workers["one"].returncode == -9
    system.start("one", SMOKEHOUSE_INSTANCE_ID="one")
    for n in range(20):
        system.receive(f"SKU-{n}", UNITS)
    for n in range(ORDERS):
        system.place(f"order-{n}", {f"SKU-{n % 20}": 1})
    system.flush()
    assert system.until_decided(ORDERS, 90) == {"confirmed": ORDERS}
    assert system.audit()["ok"]
