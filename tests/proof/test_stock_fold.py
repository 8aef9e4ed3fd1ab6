"""The stock log alone, folded twice: whatever facts and commands come, the auditor's books are the agents' rows.

Hypothesis makes the traffic; the stock agent's real steps handle it; what it answers stands where orders would read it.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from proof.audit.changelogs import Changelog
from proof.audit.check_stock import StockRows
from proof.audit.findings import Findings
from proof.audit.intake import Intake
from proof.audit.levels import Levels
from proof.audit.seen import ORDERS, STOCK_CHANGELOG, STOCK_LEVELS, WAREHOUSE, Cut
from proof.audit.stock_book import StockBook
from proof.audit.told import Told
from tables import records as r

SKUS = ("S0", "S1", "K")
PLACES = ("W1", "W2", "W3")
LOTS = ("A", "B", "C")
CHANNELS = ("shop", "web")
POLICIES = ("all_or_nothing", "ship_available", "backorder")


class Listener:
    """Stands where the order book would: hears the answers, decides nothing."""

    def take(self, log: Any, record: Any, place: int, ms: int) -> str:
        return ""

    def after(self, log: Any, place: int) -> None: ...


def folded(belt: Any) -> tuple[Findings, StockBook]:
    """The stock side of an audit."""
    findings, cut = Findings(), Cut()
    told = Told(cut, findings)
    listener = Intake(ORDERS, Listener(), cut, findings, told.hear)
    listener.read(belt.source(ORDERS))
    changelog = Changelog(findings)
    changelog.read(belt.source(STOCK_CHANGELOG), {}, 1)
    levels = Levels(belt.partitions, cut, findings)
    levels.read(belt.source(STOCK_LEVELS), {})
    book, rows = StockBook(told, cut, findings), StockRows(changelog, cut, findings)

    def compare(room: Any, log: Any, place: int) -> None:
        rows.compare(room, log, place)
        levels.compare(room, log, place)

    book.compare = compare
    intake = Intake(WAREHOUSE, book, cut, findings)
    intake.read(belt.source(WAREHOUSE))
    told.check_rest()
    book.check_kits()
    rows.check_rest(intake.ends)
    rows.check_facts(book.rooms)
    levels.check_rest(intake.ends)
    for partition, room in book.rooms.items():
        for sku, master in room.skus.items():
            rows.check_sku(partition, sku, master)
            levels.check_sku(partition, sku, master)
        for (order_id, attempt), promise in room.promises.items():
            rows.check_promise(partition, order_id, attempt, promise)
    return findings, book


class Traffic:
    """Stock facts and commands, chosen by `chance`."""

    def __init__(self, belt: Any, chance: random.Random) -> None:
        self.belt, self.chance = belt, chance
        self.any_fact, self.any_rule = belt.any_fact, belt.any_rule
        self.number = self.orders = 0
        self.partition = 0

    def happen(self) -> None:
        chosen = self.chance.random()
        if chosen < 0.35:
            self._fact()
        elif chosen < 0.55:
            self._reserve()
        elif chosen < 0.8:
            self._about()
        elif chosen < 0.86:
            self.belt.tick(self.chance.choice((1, 60, 60)))
            if self.chance.random() < 0.3:
                for _ in range(30):
                    self.belt.tick(3600)
        elif chosen < 0.9:
            self._rules()
        else:
            self.belt.step("warehouse", self.partition, self.chance.choice((1, 5, 100)))
            self.belt.checkpoint("warehouse", self.partition)

    def settle(self) -> None:
        while self.belt.step("warehouse", self.partition, 1000):
            self.belt.checkpoint("warehouse", self.partition)

    def _pick(self, *values: Any) -> Any:
        return self.chance.choice(values)

    def _id(self) -> str:
        self.number += 1
        return f"f{self.number}"

    def _reserve(self) -> None:
        self.orders += 1
        skus = self.chance.sample((*SKUS, "NONE"), self.chance.randint(1, 3))
        self._put(r.Reserve(
            id=f"o{self.orders}:1:0", order_id=f"o{self.orders}", attempt=1, order_partition=0,
            lines=[r.Line(sku, self._pick(1, 2, 3, 7, 12, 0 if self.chance.random() < 0.1 else 4)) for sku in skus],
            locations=self.chance.sample(PLACES, self.chance.randint(1, 3)), channel=self._pick(*CHANNELS, "other"),
            policy=self._pick(*POLICIES),
        ))  # fmt: skip

    def _about(self) -> None:
        order_id = f"o{self.chance.randint(max(1, self.orders - 6), self.orders + 1)}"
        who: dict[str, Any] = {"id": f"{order_id}:{self._id()}", "order_id": order_id, "attempt": 1}
        sku, place, lot = self._pick(*SKUS), self._pick(*PLACES), self._pick(None, *LOTS)
        units = self.chance.randint(1, 5)
        some = [r.ReleaseLine(sku, units, self._pick("", place))]
        kinds = [
            (r.Hold, {}), (r.Allocate, {}), (r.Allocate, {}), (r.Allocate, {}),
            (r.Release, {}), (r.Release, {"lines": some}), (r.Backorder, {"lines": some}),
            (r.Move, {"order_partition": 0, "lines": [r.MoveLine(x, self._pick(*PLACES))
                                                      for x in self.chance.sample(SKUS, self._pick(1, 2))]}),
            (r.Shipped, {"sku": sku, "location": place, "quantity": units, "lot": lot}),
            (r.Picked, {"sku": sku, "location": place, "quantity": units, "lot": lot, "short": self._pick(0, 1, 3)}),
        ]  # fmt: skip
        kind, fields = self._pick(*kinds)
        self._put(kind(**who, **fields))

    def _fact(self) -> None:
        self._put(self.any_fact(self.chance, self._id(), SKUS, PLACES, LOTS))

    def _rules(self) -> None:
        self._put(self.any_rule(self.chance, self._id(), SKUS, PLACES, LOTS))

    def _put(self, record: Any) -> None:
        self.belt.put("warehouse", self.partition, record)


def run(belt: Any, chance: random.Random, happenings: int) -> tuple[Findings, StockBook]:
    traffic = Traffic(belt, chance)
    for _ in range(happenings):
        traffic.happen()
    traffic.settle()
    return folded(belt)


@settings(
    max_examples=30, deadline=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(chance=st.randoms(use_true_random=False), happenings=st.integers(1, 120))
def test_any_stock_traffic_is_folded_alike(new_belt: Any, chance: random.Random, happenings: int) -> None:
    findings, _ = run(new_belt(partitions=1), chance, happenings)

    assert findings.kept == []


def test_long_stock_traffic_is_folded_alike(new_belt: Any) -> None:
    """Enough that every rule is checked, with a fixed seed."""
    findings, book = run(new_belt(partitions=1), random.Random(3), 1_500)

    assert findings.kept == []
    for rule in ("promise", "floor", "backorder_limit", "move", "fill", "oldest_first", "kit", "ring_fence", "level"):
        assert findings.checked[rule] > 5, (rule, findings.checked)
    [room] = book.rooms.values()
    assert any(lot.expired for lots in room.lots_of.values() for lot in lots.values())


def test_more_lots_are_due_than_one_record_may_change_before_all_heard_of_other_days_to_warn(new_belt: Any) -> None:
    """Those that had not heard of them yet were to be looked at earlier, and come first."""
    belt = new_belt(partitions=1)
    belt.put("warehouse", 0, r.PolicySet(id="ten", sku="S0", expiring_days=10))
    for n in range(50):
        belt.put("warehouse", 0, r.Received(
            id=f"in{n}", sku="S0", location=f"N{n:02}", quantity=1, lot="A", best_before="2023-11-14"
        ))  # fmt: skip
    belt.put("warehouse", 0, r.PolicySet(id="three", sku="S0", expiring_days=3))
    belt.tick(2 * 3600)  # past midnight: all of them are over
    belt.step("warehouse", 0, 54)  # and no note is read yet
    belt.checkpoint("warehouse", 0)
    expired = [n for n in range(50) if belt.agents["warehouse", 0].table.get(f"lot|S0|N{n:02}|A").expired]
    assert expired == [*range(30), *range(40, 50)]
    while belt.step("warehouse", 0, 1):
        belt.checkpoint("warehouse", 0)

    findings, book = folded(belt)

    assert findings.kept == []
    assert all(x.lots["A"].expired for x in book.rooms[0].skus["S0"].shelves.values())


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(st.integers(1, 31), min_size=2, max_size=5), st.permutations(range(5)))
def test_lines_are_placed_where_the_fewest_and_best_ranked_locations_are(
    new_belt: Any, covers: list[int], ranking: list[int]
) -> None:
    """Stock so sparse that it matters which locations are chosen: bit n of a line, there is some at location n."""
    belt = new_belt(partitions=1)
    for n, bits in enumerate(covers):
        for place in range(5):
            if bits >> place & 1:
                belt.place(r.Received(id=f"{n}-{place}", sku=f"S{n}", location=f"W{place}", lot="L", quantity=2))
    belt.put("warehouse", 0, r.Reserve(
        id="o:1:0", order_id="o", attempt=1, order_partition=0, locations=[f"W{x}" for x in ranking],
        lines=[r.Line(f"S{n}", 2) for n in range(len(covers))],
    ))  # fmt: skip
    while belt.step("warehouse", 0, 100):
        belt.checkpoint("warehouse", 0)

    findings, book = folded(belt)

    assert findings.kept == []
    assert book.rooms[0].promises["o", 1].state == "claimed"
