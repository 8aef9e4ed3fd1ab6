"""What a forecaster says of itself: nothing that it does not know, and ready only when it may score."""

from __future__ import annotations

import pytest

from forecasting.health import of_forecaster
from forecasting.pulse import Pulse
from streams.metrics import exposition


def pulse(*, joined: bool, owned: tuple[int, ...] = (), unread: int | None = None) -> Pulse:
    made = Pulse()
    made.has_joined = lambda: joined
    made.begin(frozenset(owned))
    made.unread = unread
    return made


@pytest.mark.parametrize(("told", "ready"), [
    (pulse(joined=False), False), (pulse(joined=True), True), (pulse(joined=True, owned=(0,)), False),
    (pulse(joined=True, owned=(0,), unread=3), False), (pulse(joined=True, owned=(0,), unread=0), True),
], ids=["joining", "spare", "beginning", "reading", "at work"])  # fmt: skip
def test_it_is_ready_when_all_that_was_there_is_read(told: Pulse, ready: bool) -> None:
    assert told.is_ready is ready


def test_with_other_partitions_what_is_unread_is_not_known() -> None:
    told = pulse(joined=True, owned=(0, 1), unread=0)
    told.begin(frozenset({0, 1}))
    assert told.is_ready
    told.begin(frozenset({0}))
    assert not told.is_ready


def test_what_is_not_known_is_left_out() -> None:
    text = exposition(of_forecaster(pulse(joined=True, owned=(0,)))).decode()
    assert "smokehouse_forecaster_ready 0.0" in text
    assert "smokehouse_forecaster_partitions 1.0" in text
    assert "unread" not in text
    assert "scored" not in text
