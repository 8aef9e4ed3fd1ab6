"""Closed orders and reservations are forgotten in their time, by real workers; what is owed is kept."""

from __future__ import annotations

import time

from tables import records as r
from tables import rows
from tables.codec import encode
from tables.store import VERSION_BYTES


def _states(system, topic, kind):
    """Row key -> states in the order in which they were written; None: the key was taken away."""
    found: dict[str, list[str | None]] = {}
    for message in system.read(topic):
        key = message.key().decode().rpartition("|")[0]
        if key.startswith(kind):
            value = message.value()
            found.setdefault(key, []).append(rows.decode(key, value[VERSION_BYTES:]).state if value else None)
    return found


def _tell_the_time(system):
    """Anybody may; without it a log that waits for nothing is told once a minute."""
    now_ms = time.time_ns() // 1_000_000
    for topic in ("orders", "warehouse"):
        for partition in range(4):
            system.send_raw(topic, None, encode(r.Tick(id=f"t{now_ms}", now_ms=now_ms)), partition)
    system.flush()


def test_what_is_closed_is_forgotten_and_what_is_owed_is_kept(system):
    system.apply(reservation_keep_seconds=2, order_keep_seconds=2)
    system.start("one")
    system.receive("JERKY", 5)
    system.place("refused", {"JERKY": 9})
    system.place("sold", {"JERKY": 2})
    system.place("waits", {"JERKY": 1}, payment="pending", payment_seconds=3_000)
    system.flush()
    system.until_decided(2)
    # What is owed is there before anything is forgotten: it does not come later, it stays.
    system.wait(lambda: _states(system, "order-changelog", "order|").get("order|sold", [""])[-1] == "confirmed")
    system.wait(lambda: _states(system, "stock-changelog", "res|").get("res|waits|1", [""])[-1] == "held")

    def deleted(topic, key):
        _tell_the_time(system)
        return "deleted" in _states(system, topic, key).get(key, ())

    system.wait(lambda: deleted("order-changelog", "order|refused"))
    system.wait(lambda: deleted("stock-changelog", "res|refused|1"))
    assert system.wait(lambda: [m for m in system.read("order-status") if m.key() == b"refused" and m.value() is None])
    assert _states(system, "order-changelog", "order|")["order|sold"][-1] == "confirmed"
    assert _states(system, "stock-changelog", "res|")["res|waits|1"][-1] == "held"
    assert system.audit()["ok"]
