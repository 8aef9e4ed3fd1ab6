"""A trouble is told when it begins and now and then, not twenty times a second."""

from __future__ import annotations

import logging

import pytest

from streams.transport import quiet
from streams.transport.quiet import Quiet


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> tuple[logging.Logger, list[str], list[float]]:
    """A quiet logger, what came through, and the clock it looks at."""
    clock, lines = [100.0], []
    monkeypatch.setattr(quiet.time, "monotonic", lambda: clock[0])
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.addFilter(Quiet())
    return logger, lines, clock


def test_the_same_trouble_is_told_at_once_and_then_every_ten_seconds_with_how_often_it_was_left_out(said) -> None:
    logger, lines, clock = said
    for _ in range(161):
        logger.warning("FAIL: connect to 127.0.0.1:%d failed (after %d ms)", 9092, clock[0])
        clock[0] += 0.125
    assert lines == [
        "FAIL: connect to 127.0.0.1:9092 failed (after 100 ms)",
        "FAIL: connect to 127.0.0.1:9092 failed (after 110 ms) (79 more like it since)",
        "FAIL: connect to 127.0.0.1:9092 failed (after 120 ms) (79 more like it since)",
    ]


def test_two_troubles_are_two_and_one_that_comes_back_is_told(said) -> None:
    logger, lines, clock = said
    logger.error("orders[%d] is gone", 3)
    logger.error("orders[%d] is closed", 3)
    clock[0] += quiet.EVERY_SECONDS
    logger.error("orders[%d] is gone", 3)
    assert lines == ["orders[3] is gone", "orders[3] is closed", "orders[3] is gone"]


def test_however_many_kinds_there_are_only_some_are_remembered(said, monkeypatch: pytest.MonkeyPatch) -> None:
    logger, lines, _ = said
    [told] = logger.filters
    for n in range(5 * quiet.KINDS_MAX):
        logger.error("x" * n)
    assert len(lines) == 5 * quiet.KINDS_MAX
    assert len(told._told) <= quiet.KINDS_MAX  # type: ignore[union-attr]
