"""Speed is guarded: CPU per order beside the floor of the same run, against the ratio that is checked in."""

from __future__ import annotations

import pytest

from bench.guard import checked_in, measure_ratio

GROWTH_MAX = 1.3
LOOKS = 2  # a slower program is slower in each; what another process did to one of them is not


@pytest.mark.timeout(280)
def test_an_order_costs_at_most_30_percent_more_cpu_than_when_it_was_checked_in() -> None:
    """`python -m bench.guard --write` checks a new ratio in, after a change that was meant to move it."""
    known = checked_in()
    seen = []
    for _ in range(LOOKS):
        seen.append(measure_ratio().ratio)
        if seen[-1] <= GROWTH_MAX * known.ratio:
            return
    pytest.fail(f"an order costs {min(seen):.1f} times the floor; {known.ratio} on {known.date} ({known.machine})")
