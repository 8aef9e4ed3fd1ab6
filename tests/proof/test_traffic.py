"""Whatever traffic comes, in whatever order, however often, and whoever dies over it: the audit finds nothing.

Hypothesis makes the traffic and the faults; the agents' real steps handle it; the auditor folds it again. A finding
here is an error of the agents or of the auditor, and either is news.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from proof.audit.core import Audit
from proof.audit.seen import Cut
from tables import records as r

SKUS = ("S0", "S1", "S2", "S3")
PLACES = ("W1", "W2", "W3")
LOTS = ("A", "B", "C")
LIMITS = r.Limits(undecided_seconds=120, payment_seconds=90, check_seconds=200, attempts=4)


class Traffic:
    """One thing after another, chosen by `chance`. Ids meet again, with other content too, but not all of the time."""

    def __init__(self, belt: Any, chance: random.Random) -> None:
        self.belt, self.chance = belt, chance
        self.orders = self.facts = 0

    def happen(self) -> None:
        chosen = self.chance.random()
        for share, what in _SHARES:
            chosen -= share
            if chosen <= 0:
                return what(self)
        return self._work()

    def settle(self) -> None:
        """Everything is handled, deadlines pass, everything is handled."""
        self.belt.turn(self.chance.choice((1, 7, 1000)))
        for tick in range(1_000):  # a clock that was told ahead puts deadlines off
            if tick >= 8 and not any(agent.table.next_deadline for agent in self.belt.agents.values()):
                return
            self.belt.tick(60)
            self.belt.turn()

    # ---- records

    def _id(self, kind: str) -> str:
        self.facts += 1
        return f"{kind}{self.facts if self.chance.random() < 0.9 else self.chance.randrange(self.facts)}"

    def _order_id(self) -> str:
        """Of one of the last orders, or of the next."""
        return f"o{self.chance.randint(max(0, self.orders - 4), self.orders + 1)}"

    def _some(self, values: tuple[str, ...]) -> list[str]:
        return self.chance.sample(values, self.chance.randint(1, len(values)))

    def _maybe(self, value: Any) -> Any:
        return self.chance.choice((None, value))

    def _order(self) -> None:
        self.orders += self.chance.random() < 0.9
        order_id = f"o{self.orders}" if self.chance.random() < 0.9 else self._order_id()
        skus = self._some((*SKUS, "S0", "KIT")) if self.chance.random() < 0.9 else ["S0", "NONE"]
        units = (1, 1, 1, 2, 2, 3, 5) if self.chance.random() < 0.9 else (0, -1, 1)
        self._put(r.OrderPlaced(
            id=order_id, order_id=order_id, channel=self.chance.choice(("shop", "shop", "web", "other")),
            lines=[r.Line(sku, self.chance.choice(units)) for sku in skus],
            locations=self.chance.choice((self._some(PLACES), list(PLACES), [])),
            payment=self.chance.choice(("paid", "paid", "authorized", "pending")),
            policy=self.chance.choice((None, "all_or_nothing", "ship_available", "backorder")),
            checks=self.chance.choice(([], [], [], [], ["fraud"], ["fraud", "address"])),
            payment_seconds=self._maybe(30),
            occurred_at=self.chance.choice((None, "2023-11-13T23:30:00-02:00", "2023-11-12T08:00:00Z")),
        ))  # fmt: skip

    def _about_order(self) -> None:
        place = self._maybe(self.chance.choice(PLACES))
        back = {"return_id": self.chance.choice(("R1", "R2"))}
        more: dict[type, dict[str, Any]] = {
            r.CancelRequested: {"lines": self.chance.choice(([], self._units(r.CancelLine)))},
            r.OrderEdited: {"lines": self._units(r.EditLine)},
            r.PaymentCaptured: {}, r.PaymentAuthorized: {}, r.PaymentFailed: {}, r.PaymentVoided: {},
            r.PaymentRefunded: {"partial": self.chance.random() < 0.5},
            r.OrderPicked: {"location": place, "lines": self.chance.choice(([], self._units(r.PickedLine)))},
            r.OrderPacked: {"location": place, "cartons": self.chance.choice(([], ["C1"]))},
            r.OrderShipped: {"lines": self.chance.choice(([], [], self._units(r.ShippedLine))), "location": place,
                             "tracking": self._maybe(self.chance.choice(("T1", "T2"))),
                             "final": self.chance.random() < 0.3},
            r.TrackingUpdated: {"tracking": self.chance.choice(("T1", "T2")),
                                "status": self.chance.choice(("in_transit", "delivered", "delivered", "failure"))},
            r.OrderDelivered: {}, r.OrderReturned: {},
            r.ReturnAuthorized: back | {"lines": self._units(r.CancelLine)},
            r.ReturnReceived: back | {"lines": self._units(r.CancelLine)},
            r.ReturnInspected: back | {"lines": self._units(r.InspectedLine)},
            r.CheckOpened: {"check": "fraud"}, r.CheckPassed: {"check": "fraud"}, r.CheckFailed: {"check": "address"},
        }  # fmt: skip
        often = [r.CancelRequested] * 3 + [r.PaymentCaptured] * 3 + [r.OrderShipped] * 4 + [r.OrderEdited] * 3
        kind = self.chance.choice([*more, *often, r.CheckPassed, r.OrderPicked, r.ReturnInspected])
        self._put(kind(id=self._id(kind.__name__), order_id=self._order_id(), **more[kind]))

    def _units(self, line: type) -> list[Any]:
        where = {"location": self._maybe(self.chance.choice(PLACES)), "lot": self._maybe(self.chance.choice(LOTS))}
        more: dict[type, Callable[[], dict[str, Any]]] = {
            r.ShippedLine: lambda: where,
            r.InspectedLine: lambda: where | {"disposition": self.chance.choice(("restock", "scrap", "quarantine"))},
            r.PickedLine: lambda: {"lot": where["lot"], "short": self.chance.choice((0, 0, 1))},
        }
        skus = self._some(SKUS) if self.chance.random() < 0.9 else ["KIT"]
        fields = more.get(line, dict)()
        return [line(sku, self.chance.randint(0 if line is r.EditLine else 1, 4), **fields) for sku in skus]

    def _fact(self) -> None:
        if self.chance.random() < 0.15:
            return self._put(r.Received(id=self._id("f"), sku=self.chance.choice(SKUS), quantity=20, lot="D",
                                        location=self.chance.choice(PLACES), best_before="2026-01-01"))  # fmt: skip
        if self.chance.random() < 0.9:
            fact = self.belt.any_fact(self.chance, self._id("f"), SKUS, PLACES, LOTS)
            if isinstance(fact, r.Shipped) and self.chance.random() < 0.3:  # of an order that did not hear of it
                fact = replace(fact, order_id=self._order_id(), attempt=self.chance.randint(0, 2))
            return self._put(fact)
        if self.chance.random() < 0.4:
            parts = [r.KitPart("S0", 2), r.KitPart("S1", 1)] if self.chance.random() < 0.8 else []
            return self._put(r.KitSet(id=self._id("k"), kit="KIT", parts=parts))
        return self._put(self.belt.any_rule(self.chance, self._id("u"), SKUS, PLACES, LOTS))

    def _put(self, record: Any) -> None:
        self.belt.place(record)

    def _again(self) -> None:
        """A record once more: where it stood, or where it does not belong; or something that is no record."""
        where = self.chance.choice(sorted(self.belt.agents))
        log = self.belt.topics[where]
        seen = self.chance.choice(log[1:] or log)
        how = self.chance.randrange(6)
        if how < 4:
            self.belt.append(*where, seen.value)
        elif how == 4:
            self.belt.append(where[0], self.chance.randrange(self.belt.partitions), seen.value)
        else:
            self.belt.append(*where, self.chance.choice((b"", b"{", b'{"type":"nothing"}', None)))

    # ---- time and workers

    def _time(self) -> None:
        self.belt.tick(self.chance.choice((0, 1, 1, 5, 30)) if self.chance.random() < 0.95 else 500)

    def _work(self) -> None:
        where = self.chance.choice(sorted(self.belt.agents))
        if self.chance.random() < 0.2:
            return self.belt.turn(self.chance.choice((1, 10, 1000)))
        self.belt.step(*where, self.chance.choice((1, 3, 100)))
        if self.chance.random() < 0.6:
            self.belt.checkpoint(*where)
        return None

    def _fault(self) -> None:
        where = self.chance.choice(sorted(self.belt.agents))
        if self.chance.random() < 0.4:
            self.belt.zombie(*where, self.chance.choice((0, 1, 5)), write=self.chance.random() < 0.5)
            return
        alive = self.chance.random() < 0.5
        self.belt.step(*where, self.chance.choice((0, 1, 3, 100)), None if alive else self.chance.choice((0, 1, 2)))
        if not alive:
            self.belt.checkpoint(*where, self.chance.choice((0, 1, 3, 8)))
        self.belt.take_over(*where)
        if not alive:
            self.belt.zombies.pop(where)


_SHARES: list[tuple[float, Callable[[Traffic], None]]] = [
    (0.16, Traffic._order), (0.18, Traffic._about_order), (0.12, Traffic._fact), (0.06, Traffic._again),
    (0.05, Traffic._time), (0.08, Traffic._fault),
]  # fmt: skip


def run(belt: Any, chance: random.Random, happenings: int) -> dict[str, Any]:
    traffic = Traffic(belt, chance)
    for _ in range(happenings):
        traffic.happen()
    traffic.settle()
    return belt.audit()


@settings(
    max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate],  # an hour of shrinking helps nobody
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(chance=st.randoms(use_true_random=False), happenings=st.integers(1, 80))
def test_any_traffic_is_audited_clean(new_belt: Any, chance: random.Random, happenings: int) -> None:
    report = run(new_belt(partitions=2, limits=LIMITS), chance, happenings)

    assert report["findings"] == []
    assert report["orders"]["undecided"] == 0
    assert report["orders"]["on_hold"] == 0


def test_long_traffic_is_audited_clean(new_belt: Any) -> None:
    """Enough happenings that every rule is checked, with a fixed seed."""
    report = run(new_belt(partitions=3, limits=LIMITS), random.Random(5), 1_500)

    assert report["findings"] == []
    for rule, least in (("promise", 5), ("decision", 8), ("cancellation", 1), ("forwarded", 5), ("dead_letter", 20),
                        ("demand", 20)):  # fmt: skip
        assert report["checked"][rule] >= least, rule


@settings(
    max_examples=30, deadline=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(chance=st.randoms(use_true_random=False), happenings=st.integers(1, 120))
def test_who_looks_on_while_it_happens_finds_nothing_and_counts_the_same(
    new_belt: Any, chance: random.Random, happenings: int
) -> None:
    """What a worker that was taken over from says too late is told apart; nothing else differs from one look at all."""
    belt = new_belt(partitions=2, limits=LIMITS)
    whole = run(belt, chance, happenings)

    told = belt.audit_in_rounds(chance)

    assert told["findings"] == []
    for what in ("logs", "orders", "undecided"):
        assert told[what] == whole[what], what
    missed = Counter(whole["checked"])
    missed.subtract(told["checked"])
    missed = Counter({rule: count for rule, count in missed.items() if count})
    assert missed.keys() <= {"changelog", "level"}
    assert missed.total() == told["too_late"]


def test_who_looked_on_before_the_logs_were_opened_finds_nothing_and_counts_the_same(new_belt: Any) -> None:
    """The first cut is before the first record of either log; everything else was said by the time it was read."""
    belt = new_belt(partitions=2, limits=LIMITS)
    whole = run(belt, random.Random(5), 100)
    nothing = dict.fromkeys(belt.committed, 0)
    new = {topic: belt.source(topic) for topic, _ in belt.topics}
    looking_on = Audit()

    looking_on.round(lambda topic: [] if (topic, 0) in nothing else new.pop(topic, []), Cut(nothing, nothing, nothing))
    assert looking_on.report()["findings"] == []
    looking_on.round(lambda topic: new.pop(topic, []))

    told = looking_on.report()
    assert whole["checked"]["level"] > 10
    for what in ("findings", "logs", "orders", "undecided", "checked", "too_late"):
        assert told[what] == whole[what], what


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    covers=st.lists(st.integers(1, 15), min_size=2, max_size=5), ranking=st.permutations(range(4)),
    scarce=st.sets(st.integers(0, 3), max_size=2),
)  # fmt: skip
def test_orders_over_several_partitions_leave_from_as_few_locations_as_they_can(
    new_belt: Any, covers: list[int], ranking: list[int], scarce: set[int]
) -> None:
    """Bit n of a line: location n has some; at a scarce one enough for one of the two orders: moves may fail."""
    belt = new_belt(partitions=3)
    for n, bits in enumerate(covers):
        for place in range(4):
            if bits >> place & 1:
                units = 2 if place in scarce else 4
                belt.place(r.Received(id=f"{n}-{place}", sku=f"S{n}", location=f"W{place}", lot="L", quantity=units))
    belt.turn()
    for name in ("first", "second"):
        belt.place(r.OrderPlaced(
            id=name, order_id=name, channel="shop", payment="paid", locations=[f"W{x}" for x in ranking],
            lines=[r.Line(f"S{n}", 2) for n in range(len(covers))],
        ))  # fmt: skip
    belt.turn(1)

    report = belt.audit()

    assert report["findings"] == []
    assert report["orders"]["confirmed"] >= 1
