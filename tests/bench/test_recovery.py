"""`python -m bench recovery`: one small run. No figure is asserted: a busy machine is no fault."""

from __future__ import annotations

import pytest

from bench.recovery import measure
from streams.brokers.process import RunningBroker


@pytest.mark.timeout(280)
def test_a_worker_starts_with_its_store_and_without_it_and_decides_what_waited(embedded: RunningBroker) -> None:
    """The worker says how many rows it recovered: as many as a reader of ours counted in the changelogs."""
    said: list[str] = []
    empty, warm, wiped = measure(embedded, 2_000, 300, 1, said.append)
    assert (empty.check, warm.check, wiped.check) == ("ok", "ok", "ok"), said
    assert empty.rows < 2_000 <= warm.rows <= wiped.rows <= wiped.records
    assert (empty.records_s, warm.records_s) == (None, None)  # they read none
    assert wiped.records_s > 0
    for row in (empty, warm, wiped):
        assert row.first_s > 0
        assert row.ready_s > 0
