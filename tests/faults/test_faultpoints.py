"""A worker that is killed at a named place: whatever the place, nothing is lost, said twice differently, or leaked."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from streams import faultpoints
from streams.faultpoints import POINTS, WHEN, Fault, arm, parse
from streams.settings import SettingError, from_environment

ORDERS = 20
AT_THE_END = ("revoked", "closed")  # reached when a worker leaves


@pytest.mark.timeout(300)
@pytest.mark.parametrize("when", WHEN)
def test_a_kill_at_every_point_in_turn_leaves_sound_books(kafka_system, when):
    """Static membership: the next process has the partitions at once, so all points fit into a minute."""
    system = kafka_system
    system.apply()
    system.receive("JERKY", 10_000)
    placed = 0
    for point in POINTS:
        system.start("one", SMOKEHOUSE_FAULTS=f"{point}.{when}:1=kill", SMOKEHOUSE_INSTANCE_ID="one")
        for _ in range(ORDERS):
            system.place(f"order-{placed}", {"JERKY": 1})
            placed += 1
        system.flush()
        if point in AT_THE_END:
            system.until_ready()
            system.signal("one", signal.SIGTERM)
        assert system.workers["one"].wait(40) == -signal.SIGKILL, system.log("one")
        assert f"fault: kill {when} {point}" in system.log("one")
    system.start("one", SMOKEHOUSE_INSTANCE_ID="one")
    assert system.until_decided(placed) == {"confirmed": placed}
    system.until_ready()
    assert system.audit()["ok"]


def test_a_fault_is_read_as_it_is_written():
    assert parse("commit.before:3=kill, rows_acked.after:1=stop") == [
        Fault("commit", "before", 3, "kill"), Fault("rows_acked", "after", 1, "stop"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["commit", "commit:1=kill", "nowhere.before:1=kill", "commit.before:0=kill",
                                  "commit.before:1=explode", "commit.beside:1=kill"])  # fmt: skip
def test_what_is_no_fault_is_refused_with_the_name_of_the_variable(text):
    with pytest.raises(SettingError, match=r"^SMOKEHOUSE_FAULTS="):
        parse(text)


def test_a_broker_elsewhere_is_refused_and_nothing_is_armed():
    before = [getattr(owner, name) for owner, name in POINTS.values()]
    settings = from_environment({"SMOKEHOUSE_BOOTSTRAP": "127.0.0.1:9092,kafka.example:9092"})
    with pytest.raises(SettingError, match=r"kafka\.example is another"):
        arm(settings, {faultpoints.VARIABLE: "commit.before:1=kill"})
    assert [getattr(owner, name) for owner, name in POINTS.values()] == before


def test_without_the_variable_a_worker_does_not_even_load_the_switch():
    code = "import streams.wiring, streams.commands.operating, sys; print('streams.faultpoints' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
