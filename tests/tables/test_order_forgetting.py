"""Forgetting an order, at the edges.

Each of these was once broken in a copy of the code, and no test failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from tables import records as r
from tables.pruning import DELETED_KEEP_MS


def cancelled_after_its_check(log: Any) -> None:
    log.confirm(checks=["fraud"], exchange_of="o0")
    log.tell(r.CheckPassed, check="fraud")
    log.tell(r.CancelRequested)


def refused_with_a_check_open(log: Any) -> None:
    log.append(r.KitSet(id="k", kit="BOX", parts=[r.Line("A", 2), r.Line("B", 1)]))
    log.place(("BOX", 1), checks=["fraud"])
    log.answer(refused=[r.Refusal("A", 2, "insufficient", 0)])
    log.answer(r.Part("B", 1, "W1"))
    assert log.order().state == "rejected"


def shipped_and_coming_back(log: Any) -> None:
    log.confirm(("A", 2))
    log.tell(r.OrderShipped, tracking="T1")
    log.tell(r.ReturnAuthorized, return_id="R1", lines=[r.Line("A", 1)])
    log.tell(r.CheckOpened, check="fraud")


def paid_too_late(log: Any) -> None:
    log.confirm(payment="pending")
    log.append(r.DeadlineReached(id="d", order_id="o1", deadline_ms=log.order().deadline_ms))
    log.tell(r.PaymentCaptured)
    assert log.order().state == "paid_unallocated"


def told_of_and_never_placed(log: Any) -> None:
    log.tell(r.CancelRequested, lines=[r.Line("A", 1)])
    log.tell(r.OrderEdited, lines=[r.Line("A", 3)])


@pytest.mark.parametrize(
    ("life", "carries"),
    [
        (cancelled_after_its_check, {"lines", "entries", "seen", "sourcing", "locations", "digest", "granted"}),
        (refused_with_a_check_open, {"checks", "kits", "refused", "lines"}),
        (shipped_and_coming_back, {"fulfilments", "returns", "late"}),
        (paid_too_late, {"alerts", "late"}),
        (told_of_and_never_placed, {"waiting", "edits", "seen"}),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_of_a_forgotten_order_nothing_stays_but_its_name_and_its_end(
    order_log: Any, life: Callable[[Any], None], carries: set[str]
) -> None:
    life(order_log)
    assert {name for name in carries if not getattr(order_log.order(), name)} == set()
    keep_ms = order_log.state.limits.order_keep_seconds * 1000
    order_log.state = replace(order_log.state, state_ms=order_log.state.state_ms + keep_ms)
    order_log.append(r.Prune(id="p", items=[r.Pruned("o1", 0)]))
    row = order_log.order()
    assert row.state == "deleted"
    assert row.forget_ms == order_log.state.state_ms + DELETED_KEEP_MS
    kept = {"at", "order_id", "state", "channel", "payment", "payment_seconds", "occurred_at", "attempt", "policy",
            "reason", "decided_ms", "exchange_of", "forget_ms"}  # fmt: skip
    for name, value in asdict(row).items():
        empty = {"check_failed": False, "deadline_ms": 0, "digest": b"", "edit": None, "sourcing": ""}.get(name, ())
        assert name in kept or value == empty, name
