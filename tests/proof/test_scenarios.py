"""Directed runs: each counterexample the protocol's rules exist for, played step by step over the agents' real steps.

Every scenario ends well with the rules as they are, and is caught when the one rule it is about is broken. Together
with the seeds they are what the simulator can be trusted for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from proof.simulator.convergence import check, settle
from proof.simulator.mutants import MUTANTS, Mutant
from proof.simulator.sending import ANSWERS, ROWS
from proof.simulator.worker import CHANGELOG, Discipline, Mark, Owner, Violation
from proof.simulator.world import World
from streams.wiring import ROLES
from tables import records as r
from tables.codec import encode
from tables.murmur2 import partition_of

AGENTS = {role.topic: role for role in ROLES.values()}
ORDERS, STOCK = ("orders", 0), ("warehouse", 0)


class Play:
    """One partition of each log (or more), ten units at either place, the time told, everything durable."""

    def __init__(self, mutant: Mutant | None = None, partitions: int = 1) -> None:
        roles = mutant.roles(AGENTS) if mutant else AGENTS
        discipline = mutant.discipline() if mutant else Discipline()
        self.world = World(1, roles, discipline, partitions=partitions, stocked=False)
        self.put(self.receipt("here", "W1", 10), self.receipt("there", "W2", 10))
        self.time(0)
        self.turn()
        self.save()

    def receipt(self, fact_id: str, place: str, units: int) -> r.Received:
        return r.Received(id=fact_id, sku="S0", location=place, quantity=units, lot="A")

    def order(self, order_id: str, units: int, **more: Any) -> r.OrderPlaced:
        fields = {"lines": [r.Line("S0", units)], "locations": ["W1"], "payment": "paid", "channel": "shop"} | more
        return r.OrderPlaced(id=order_id, order_id=order_id, **fields)

    def shipped(self, order_id: str, units: int) -> r.Shipped:
        return r.Shipped(id=f"{order_id}-left", sku="S0", location="W1", quantity=units, order_id=order_id, attempt=1)

    def put(self, *records: Any) -> None:
        for record in records:
            self.world.put(record)

    def time(self, seconds: int) -> None:
        self.world.now_ms += seconds * 1_000
        self.world.broker.ms = self.world.now_ms
        for where in self.world.places:
            self.world.tick(where, self.world.now_ms)

    def owner(self, where: tuple[str, int]) -> Owner:
        return self.world.owners[where]

    def handle(self, where: tuple[str, int], records: int = 1_000) -> None:
        self.world.handle(self.owner(where), records)

    def say(self, where: tuple[str, int]) -> None:
        """What it has said lands; its rows do not."""
        self.owner(where).sending.land(lane=ANSWERS)

    def turn(self) -> None:
        """Everything is handled and answered, nothing written."""
        for _ in range(6):
            for where in self.world.places:
                self.handle(where)
                self.say(where)

    def save(self) -> None:
        for owner in self.world.owners.values():
            self.world.save(owner)
            owner.sending.land()

    def write(self, where: tuple[str, int], rows: int) -> None:
        """A checkpoint begins; so many of its rows land."""
        self.world.begin(self.owner(where))
        self.owner(where).sending.take(ROWS, CHANGELOG[where[0]], where[1], rows)

    def dies(self, where: tuple[str, int], *, machine: int = 1) -> None:
        """What was under way is lost; another owner opens at the committed offset."""
        old = self.owner(where)
        old.sending.lose()
        self.world.open(where, machine, old.committed)

    def stands_still(self, where: tuple[str, int]) -> Owner:
        """It is a zombie from now on: another owner opens, and what it has under way may land later."""
        old = self.owner(where)
        self.world.open(where, 1, old.committed)
        return old

    def cleaned(self, topic: str) -> None:
        """Compaction: of every key only the last record is left, and deletions are gone too."""
        log = self.world.broker.topics[topic, 0]
        last = {seen.key: seen for seen in log}
        self.world.broker.topics[topic, 0] = [x for x in log if last[x.key] is x and x.value is not None]

    def ends(self) -> None:
        """`Violation` if it does not settle to what one reader of the logs would have."""
        settle(self.world)
        check(self.world, audited=True)


# -- what the rules exist for ------------------------------------------------------------------------------------------


def zombie_writes_an_older_row_late(play: Play) -> None:
    """Z1: the old owner's row lands after its successor's, and may be all that compaction leaves."""
    play.put(play.order("o1", 4))
    play.turn()
    zombie = play.stands_still(STOCK)
    play.world.begin(zombie)
    play.put(play.order("o2", 6))
    play.turn()
    play.save()
    zombie.sending.land()
    play.cleaned("stock-changelog")
    play.dies(STOCK)
    play.put(play.order("o3", 6))
    play.turn()


def offset_committed_while_rows_are_lost(play: Play) -> None:
    """X7: answers are out, the offset is committed, the rows are not there yet, and the owner dies."""
    play.put(play.order("o1", 4))
    play.turn()
    play.world.begin(play.owner(STOCK))
    play.say(STOCK)
    play.world.end(play.owner(STOCK))
    play.dies(STOCK)


def only_the_first_half_of_a_checkpoint_lands(play: Play) -> None:
    """X3, X8: a decision may be there without what counts it, never the other way round."""
    play.put(play.order("o1", 10))
    play.turn()
    play.write(STOCK, 2)
    play.dies(STOCK)


def a_decision_is_on_record_and_one_of_its_rows_moved(play: Play) -> None:
    """X2: decided again, the order would be refused for want of the units it holds itself."""
    play.put(play.order("o1", 10))
    play.handle(ORDERS)
    play.say(ORDERS)
    play.handle(STOCK)
    play.say(STOCK)
    play.write(STOCK, 2)
    play.dies(STOCK)


def old_copies_go_before_the_own_copy_is_there(play: Play) -> None:
    """X6: the successor deletes what it took over, dies before its own rows land, and compaction cleans up."""
    play.dies(STOCK)
    play.put(play.order("o1", 4))
    play.turn()
    play.write(STOCK, 3)
    play.cleaned("stock-changelog")
    play.dies(STOCK)


def a_store_is_found_that_another_owner_has_overtaken(play: Play) -> None:
    """Z14k: machine 0 closed its store; meanwhile machine 1 wrote on."""
    owner = play.owner(STOCK)
    play.world.stores[0, STOCK] = _mark(play, owner)
    play.dies(STOCK, machine=1)
    play.put(play.order("o1", 4))
    play.turn()
    play.save()
    play.dies(STOCK, machine=0)


def a_release_comes_before_its_reserve(play: Play) -> None:
    """O7: nothing may be taken for an attempt that was given back already."""
    where = ("warehouse", 0)
    play.world.broker.append(*where, None, encode(r.Release(id="o1:1:0", order_id="o1", attempt=1)))
    play.put(play.order("o1", 10), r.CancelRequested(id="x1", order_id="o1"))
    play.world.broker.append(*where, None, encode(r.Reserve(
        id="o1:1:0", order_id="o1", attempt=1, order_partition=0, lines=[r.Line("S0", 10)], locations=["W1"],
        asked_ms=play.world.now_ms, channel="shop",
    )))  # fmt: skip
    play.handle(STOCK)


def a_fact_comes_twice(play: Play) -> None:
    """I6: units that were received once are there once."""
    play.put(play.receipt("again", "W1", 5), play.receipt("again", "W1", 5))
    play.turn()
    play.write(STOCK, 2)
    play.dies(STOCK)


def an_answer_is_lost_and_its_decision_is_not(play: Play) -> None:
    """P3: the rows landed, the answer did not; delivered again the command is answered again."""
    play.put(play.order("o1", 4))
    play.handle(ORDERS)
    play.say(ORDERS)
    play.handle(STOCK)
    play.write(STOCK, 1_000)
    play.dies(STOCK)


def a_zombies_older_view_is_the_last_word(play: Play) -> None:
    """R11: what a zombie publishes late stands behind what its successor has published."""
    play.put(play.order("o1", 4))
    play.turn()
    zombie = play.stands_still(STOCK)
    zombie.publish()
    play.put(play.order("o2", 6))
    play.turn()
    play.save()
    zombie.sending.land()


def a_partition_row_lands_before_the_rows_it_speaks_for(play: Play) -> None:
    """P4: it says that everything before it is there."""
    play.put(play.order("o1", 4, payment="pending", payment_seconds=10))
    play.handle(ORDERS, 1)
    for _ in range(3):
        play.time(60)
    play.handle(ORDERS)
    play.write(ORDERS, 1)
    play.dies(ORDERS)


def a_tick_made_a_lot_expire_and_only_half_of_it_landed(play: Play) -> None:
    """X2 for time: the lot says that it expired, its stock row does not; looked for again, no lot is due any more."""
    play.put(r.Received(id="old", sku="S0", location="W1", quantity=5, lot="B", best_before="2023-11-14"))
    play.turn()
    play.save()
    play.time(60)  # past midnight
    play.handle(STOCK)
    play.write(STOCK, 2)
    play.dies(STOCK)


def a_move_landed_in_half_of_its_rows(play: Play) -> None:
    """X3 for moves: counted and not recorded, it is decided again, and the units at the target that it holds itself
    are not free."""
    there, elsewhere = (next(x for x in ("S0", "S1", "S2") if partition_of(x, 2) == n) for n in (0, 1))
    assert there == "S0"
    play.put(r.Received(id="other", sku=elsewhere, location="W2", quantity=1, lot="A"))
    play.turn()
    lines = [r.Line(there, 10), r.Line(elsewhere, 1)]
    play.put(play.order("o1", 0, lines=lines, locations=["W1", "W2"]))
    orders = ("orders", partition_of("o1", 2))
    play.handle(orders)  # asks
    play.say(orders)
    for where in (STOCK, ("warehouse", 1)):
        play.handle(where)
        play.say(where)
    play.handle(orders)  # the second is at W2 alone: move the first
    play.say(orders)
    play.save()
    play.handle(STOCK)
    moved = play.owner(STOCK).table.get("res|o1|1")
    assert moved.moved_ok, "else this shows nothing"
    play.write(STOCK, 2)
    play.dies(STOCK)


def two_wait_and_there_is_stock_for_one(play: Play) -> None:
    """X2 for backorders: filled again from rows of which some have moved, the units would go to who waits second. The
    first who waits is the first who gets."""
    play.put(r.PolicySet(id="policy", sku="S0", backorder_limit=9))
    play.put(*(play.order(f"o{n}", units, policy="backorder") for n, units in ((1, 10), (2, 2), (3, 2))))
    play.turn()
    play.put(play.receipt("more", "W1", 2))
    play.handle(STOCK)
    play.say(STOCK)
    play.save()
    play.handle(STOCK)
    play.write(STOCK, 2)  # whom it fills, and that reservation; not the queue, not the stock
    play.dies(STOCK)


def a_channel_asks_for_what_would_not_live_long_enough(play: Play) -> None:
    """Ten units are there, and all of them are best before a day that is too near for this channel."""
    play.put(
        r.ChannelSet(id="rules", channel="grocer", minimum_life_days=30),
        r.Received(id="near", sku="S1", location="W1", quantity=10, lot="B", best_before="2023-11-20"),
        play.order("o1", 0, lines=[r.Line("S1", 2)], channel="grocer"),
    )
    play.turn()


def kits_were_made_and_their_parts_did_not_hear_of_it(play: Play) -> None:
    """P3 for kits: the kits' own rows landed, the word to the partitions of their parts did not."""
    play.put(r.KitAssembled(
        id="made", sku="BOX", location="W1", quantity=2, lot="K", parts=[r.KitPartUsed("S0", 4)]
    ))  # fmt: skip
    play.handle(STOCK)
    play.write(STOCK, 1_000)
    play.dies(STOCK)


def units_come_back_twice(play: Play) -> None:
    """Two people inspect the same two units: they are there once."""
    play.put(play.order("o1", 2))
    play.turn()
    play.put(r.OrderShipped(id="parcel", order_id="o1"))
    play.turn()
    back = [r.InspectedLine("S0", 2, "restock", "W1", "A")]
    play.put(*(r.ReturnInspected(id=f"back{n}", order_id="o1", return_id=f"R{n}", lines=back) for n in (1, 2)))
    play.turn()


# -- found by the seeds or by thought, played here in as few steps as show it -----------------------------------------


def a_reservation_row_lands_and_the_fact_that_shipped_from_it_does_not(play: Play) -> None:
    """The reservation was changed before the fact in one checkpoint, so it is written before it; and it is a row that
    the fact counts in. Decided again, the fact finds nothing owed any more: units stay allocated for ever."""
    play.put(play.order("o1", 2))
    play.turn()
    play.put(play.shipped("o1", 2))
    play.turn()
    play.write(STOCK, 1)
    play.dies(STOCK)


def a_note_that_came_too_late_is_read_again_at_a_later_time(play: Play) -> None:
    """Rows and partition row landed, the offset was not committed. A note about a deadline that had passed away does
    nothing; read again under the later state time of the recovered partition row it decides, against what was said."""
    play.put(play.order("o1", 2, payment="pending", payment_seconds=1))
    play.handle(ORDERS)
    play.time(60)
    play.time(60)
    play.say(ORDERS)
    play.handle(STOCK)
    play.say(STOCK)  # the answer stands before the note
    play.handle(ORDERS, 2)
    play.say(ORDERS)
    play.time(2)
    play.handle(ORDERS)
    play.write(ORDERS, 1_000)
    play.put(r.PaymentCaptured(id="paid", order_id="o1"))
    play.handle(ORDERS)
    play.say(ORDERS)  # confirmed
    play.dies(ORDERS)  # decided anew: expired


def a_torn_level_is_published_before_the_log_is_read_again(play: Play) -> None:
    """One location's row landed, an older change of another did not. What was taken over is published before the log is
    read, under the version of the first; the right level of that version comes later, and a reader has it already."""
    for n, place in enumerate(("W1", "W2", "W1")):
        play.put(play.receipt(f"more{n}", place, 5))
    play.turn()
    play.write(STOCK, 6)  # three facts, lot and stock of W1 (of the third fact), not W2's
    play.dies(STOCK)
    heir = play.owner(STOCK)
    heir.go_on()
    heir.publish()
    play.say(STOCK)


def copies_of_an_order_go_and_the_partition_row_stays(play: Play) -> None:
    """A zombie's rows land after its successor recovered; the successor deletes some of the zombie's copies, dies, and
    what is left is a partition row that speaks for rows that are gone."""
    play.put(play.order("o1", 2, payment="pending", payment_seconds=30))
    play.turn()
    play.save()
    play.dies(ORDERS)  # of a second writer, so that there is something to delete
    play.put(r.CheckOpened(id="c1", order_id="o1", check="fraud"))
    play.handle(ORDERS)
    zombie = play.owner(ORDERS)
    play.write(ORDERS, 1_000)
    play.stands_still(ORDERS)
    play.put(r.PaymentCaptured(id="paid", order_id="o1"))
    for _ in range(3):
        play.time(60)
    zombie.sending.land()
    play.world.end(zombie)
    play.world.handle(zombie, 1_000)
    play.world.begin(zombie)
    zombie.sending.land()
    play.handle(ORDERS, 1)
    play.write(ORDERS, 1_000)
    play.say(ORDERS)
    play.world.end(play.owner(ORDERS))
    play.owner(ORDERS).sending.take(ROWS, "order-changelog", 0, 1)  # one deletion lands
    play.cleaned("order-changelog")
    play.dies(ORDERS)


def a_dead_letter_is_lost_and_its_fact_was_taken_later(play: Play) -> None:
    """A parcel of an order nobody knows yet, from no location, is a dead letter; sent again after the order it counts.
    Delivered again the first one looks as if it had been taken, and the dead letter that was lost is not said again."""
    parcel = r.OrderShipped(id="parcel", order_id="o1", lines=[r.ShippedLine("S0", 1)])
    play.put(parcel, play.order("o1", 2), parcel)
    play.handle(ORDERS)
    play.write(ORDERS, 1_000)
    play.dies(ORDERS)


def a_part_of_a_kit_is_missing_and_its_order_is_said_again(play: Play) -> None:
    """What was granted of the kit is given back, and the order's lines are others than it asked for. Delivered again,
    the order asks in the words it asked in: another order of lines is another command."""
    play.put(
        r.KitSet(id="kit", kit="KIT", parts=[r.KitPart("S0", 1), r.KitPart("S2", 2)]),
        r.Received(id="s1", sku="S1", location="W1", quantity=9, lot="A"),
        play.order("o1", 0, lines=[r.Line("S1", 1), r.Line("KIT", 2)], policy="ship_available", payment="pending"),
    )
    play.turn()
    play.write(ORDERS, 1_000)
    play.dies(ORDERS)
    play.turn()


def a_parcel_that_came_back_is_delivered_after_all(play: Play) -> None:
    """The carrier's words cross: the order is returned, and stays so."""
    play.put(play.order("o1", 2))
    play.turn()
    play.put(r.OrderShipped(id="parcel", order_id="o1"), r.OrderReturned(id="back", order_id="o1"))
    play.put(r.OrderDelivered(id="there", order_id="o1"))
    play.turn()


def the_last_unit_is_cancelled_while_an_edit_waits_for_stock(play: Play) -> None:
    """With it the order is cancelled: the edit is over, and what stock grants for it is given back."""
    play.put(r.Received(id="s1", sku="S1", location="W1", quantity=9, lot="A"), play.order("o1", 2))
    play.turn()
    play.put(
        r.OrderEdited(id="edit", order_id="o1", lines=[r.EditLine("S1", 1)]),
        r.CancelRequested(id="none", order_id="o1", lines=[r.CancelLine("S0", 2)]),
    )
    play.turn()


Scenario = Callable[[Play], None]
# A scenario, and the defects it must show.
SCENARIOS: dict[Scenario, tuple[str, ...]] = {
    zombie_writes_an_older_row_late: ("writer missing from the key", "last write wins"),
    offset_committed_while_rows_are_lost: ("commit before flush", "commit before rows"),
    only_the_first_half_of_a_checkpoint_lands: ("stock rows before reservation rows",),
    a_decision_is_on_record_and_one_of_its_rows_moved: ("decided again on redelivery",),
    old_copies_go_before_the_own_copy_is_there: ("old keys deleted too early",),
    a_store_is_found_that_another_owner_has_overtaken: ("recovery starts at the kept store",),
    a_release_comes_before_its_reserve: ("tombstone missing",),
    a_fact_comes_twice: ("dedupe lost",),
    an_answer_is_lost_and_its_decision_is_not: ("stock answers not repeated",),
    a_zombies_older_view_is_the_last_word: ("views never published again",),
    a_partition_row_lands_before_the_rows_it_speaks_for: ("partition row first",),
    a_tick_made_a_lot_expire_and_only_half_of_it_landed: ("expiry decided again on redelivery",),
    a_move_landed_in_half_of_its_rows: ("move counted before it is recorded",),
    two_wait_and_there_is_stock_for_one: ("fill decided again on redelivery", "queue order reversed"),
    a_channel_asks_for_what_would_not_live_long_enough: ("floors ignored",),
    kits_were_made_and_their_parts_did_not_hear_of_it: ("kit parts told only once",),
    units_come_back_twice: ("returns counted twice",),
}
PARTITIONS = {a_move_landed_in_half_of_its_rows: 2}  # in one, nothing ever has to move


FOUND = (
    a_reservation_row_lands_and_the_fact_that_shipped_from_it_does_not,
    a_note_that_came_too_late_is_read_again_at_a_later_time,
    a_torn_level_is_published_before_the_log_is_read_again,
    copies_of_an_order_go_and_the_partition_row_stays,
    a_dead_letter_is_lost_and_its_fact_was_taken_later,
    a_part_of_a_kit_is_missing_and_its_order_is_said_again,
    a_parcel_that_came_back_is_delivered_after_all,
    the_last_unit_is_cancelled_while_an_edit_waits_for_stock,
)


@pytest.mark.parametrize("scenario", FOUND, ids=lambda x: x.__name__)
def test_what_was_found_is_survived(scenario: Scenario) -> None:
    play = Play()
    scenario(play)
    play.ends()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda x: x.__name__)
def test_the_rules_as_they_are_survive(scenario: Scenario) -> None:
    play = Play(partitions=PARTITIONS.get(scenario, 1))
    scenario(play)
    play.ends()


@pytest.mark.parametrize(
    ("scenario", "name"),
    [(scenario, name) for scenario, names in SCENARIOS.items() for name in names],
    ids=lambda x: getattr(x, "__name__", str(x).replace(" ", "_")),
)
def test_without_the_rule_it_is_caught(scenario: Scenario, name: str) -> None:
    play = Play(next(mutant for mutant in MUTANTS if mutant.name == name), PARTITIONS.get(scenario, 1))
    with pytest.raises(Violation):  # noqa: PT012 - the defect may show while it is played, or when it settles
        scenario(play)
        play.ends()


def test_a_defect_that_seeds_do_not_show_for_certain_has_its_scenario() -> None:
    shown = {name for names in SCENARIOS.values() for name in names}
    assert {x.name for x in MUTANTS if not x.seeds} <= shown


def _mark(play: Play, owner: Owner) -> Mark:
    end = play.world.broker.end("stock-changelog", 0)
    return Mark(owner.writer, end, dict(owner.store.kept), owner.table.index)
