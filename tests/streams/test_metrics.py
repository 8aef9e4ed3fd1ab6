"""What a worker tells Prometheus: a few series for each partition, and nothing that is not known."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.metrics import exposition, of_worker

COUNTERS = {
    "records_read": 40, "records_dropped": 2, "batches": 8, "rebalances": 1, "unacknowledged": 5, "foreign_rows": 0,
    "dead_letters": 3,
}  # fmt: skip
READY = {
    "topic": "orders", "partition": 0, "state": "ready", "offset": 90, "committed": 70, "waiting": 10,
    "state_time_ms": 1_500,
}  # fmt: skip
HALTED = {"topic": "orders", "partition": 1, "state": "halted", "offset": 5, "committed": 5, "reason": "L7 of Ms Doe"}
OPENING = {"topic": "warehouse", "partition": 0, "state": "recovering", "offset": None, "committed": None}


@pytest.fixture
def told():
    """(name, labels without names) -> value, of a worker with a partition in each state."""
    text = exposition(of_worker([READY, HALTED, OPENING], COUNTERS)).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(one.name, *(one.labels.get(n, "") for n in ("topic", "partition", "state"))): one.value for one in samples}


def of(told, name):
    return {where: value for (known, *where_), value in told.items() if known == name for where in [tuple(where_)]}


def test_a_partition_is_in_one_state(told):
    state = of(told, "smokehouse_partition_state")
    assert len(state) == 9
    assert {where for where, value in state.items() if value} == {
        ("orders", "0", "ready"), ("orders", "1", "halted"), ("warehouse", "0", "recovering"),
    }  # fmt: skip


def test_how_far_a_partition_is_behind_is_told_of_one_that_moves(told):
    assert of(told, "smokehouse_partition_lag_records") == {("orders", "0", ""): 10}


def test_what_is_not_known_is_left_out(told):
    assert of(told, "smokehouse_partition_offset") == {("orders", "0", ""): 90, ("orders", "1", ""): 5}
    assert of(told, "smokehouse_partition_committed_offset") == {("orders", "0", ""): 70, ("orders", "1", ""): 5}
    assert of(told, "smokehouse_partition_state_time_seconds") == {("orders", "0", ""): 1.5}
    assert b"partition_lag_records{" not in exposition(of_worker([HALTED], COUNTERS))


def test_what_was_done_is_counted(told):
    counted = {name: told[f"smokehouse_{name}_total", "", "", ""] for name in COUNTERS if name != "unacknowledged"}
    assert counted == {name: value for name, value in COUNTERS.items() if name != "unacknowledged"}
    assert told["smokehouse_unacknowledged_records", "", "", ""] == 5


def test_the_process_tells_its_own_cost(told):
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"} <= {
        name for name, *_ in told
    }


def test_no_word_of_a_reason_is_told():
    assert b"Doe" not in exposition(of_worker([HALTED], COUNTERS))
