"""Never oversold: many buyers, few units."""

from __future__ import annotations

BUYERS, UNITS = 10_000, 100


def test_ten_thousand_buyers_for_a_hundred_units_get_exactly_a_hundred(system):
    system.apply()
    system.start("one")
    system.start("two")
    system.receive("DROP", UNITS)
    for n in range(BUYERS):
        system.place(f"buyer-{n}", {"DROP": 1})
    system.flush()
    statuses = system.until_decided(BUYERS)
    assert statuses == {"confirmed": UNITS, "rejected": BUYERS - UNITS}
    reasons = {d.reason for d in system.decisions().values() if d.status == "rejected"}
    assert reasons <= {"insufficient", "contended"}
    system.audit()
