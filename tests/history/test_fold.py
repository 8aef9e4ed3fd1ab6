"""A fold of a log is what a worker's rows were: at any position, at any time, with snapshots or without."""

from __future__ import annotations

import pytest

from proof.history.fold import Halted, fold
from proof.history.moment import Moment, before
from proof.history.snapshots import KEPT_MAX, Snapshots, state_hash
from streams.commands.folding import ROLES
from tables import records as r
from tables.codec import encode, pack
from tables.outcome import place_of
from tables.rows import stock_key

WAREHOUSE, ORDERS = "warehouse", "orders"
SKUS = ("A", "B", "C", "D")


@pytest.fixture
def busy(belt):
    """Orders that are confirmed, refused, shipped, cancelled and left waiting, over two partitions."""
    for sku in SKUS:
        belt.receive(sku, 25)
        belt.receive(sku, 5, "W2", "L2")
    belt.tick()
    for n in range(60):
        one, two = SKUS[n % 4], SKUS[(n + 1) % 4]
        belt.place(f"o{n}", "pending" if n % 5 == 0 else "paid", **{one: 1 + n % 3, two: 1})
        if n % 4 == 1:
            belt.put(r.OrderShipped(id=f"ship{n}", order_id=f"o{n}"))
        if n % 7 == 2:
            belt.put(r.CancelRequested(id=f"cancel{n}", order_id=f"o{n}"))
        if n % 6 == 0:
            belt.tick(1)
    return belt


def rows(folded):
    return dict(folded.table.rows())


@pytest.mark.parametrize("topic", [ORDERS, WAREHOUSE])
@pytest.mark.parametrize("number", [0, 1])
def test_a_fold_to_the_end_is_the_rows_of_the_agent(busy, topic, number):
    agent = busy.agents[topic, number]
    folded = busy.fold(topic, number)
    assert rows(folded) == dict(agent.table.rows())
    assert folded.log == agent.position_row()
    assert len(rows(folded)) > 10


@pytest.mark.parametrize("topic", [ORDERS, WAREHOUSE])
def test_a_fold_to_any_record_is_what_the_agent_had_just_after_it(busy, topic):
    """Records one at a time through an agent of their own, and a fold to each of them: the same rows."""
    messages = busy.topics[topic, 0]
    for last in range(0, len(messages), 9):
        shorter = busy.log(topic, 0)
        shorter._messages = messages[: last + 1]
        assert rows(busy.fold(topic, 0, Moment(place=place_of(last + 1)))) == rows(fold(shorter, ROLES[topic]))


def test_a_position_within_a_packed_record_counts_the_items_before_it(belt):
    items = [r.Received(id=f"in{n}", sku="A", location="W1", lot="L1", quantity=1) for n in range(5)]
    number = belt.home("A")
    belt.append(WAREHOUSE, number, pack([encode(item) for item in items]))
    for index in range(1, 6):
        folded = belt.fold(WAREHOUSE, number, before(place_of(1, index)))
        assert folded.table.get(stock_key("A", "W1")).on_hand == index
        assert folded.log.at == place_of(1, index) - 1
    assert belt.fold(WAREHOUSE, number, before(place_of(1))).table.get(stock_key("A", "W1")) is None


def test_a_time_takes_everything_up_to_the_first_record_stamped_later(belt):
    belt.receive("A", 3)
    first = belt.ms
    belt.receive("A", 4)
    number = belt.home("A")
    at = stock_key("A", "W1")
    assert belt.fold(WAREHOUSE, number, Moment(ms=first - 1)).table.get(at) is None
    assert belt.fold(WAREHOUSE, number, Moment(ms=first)).table.get(at).on_hand == 3
    assert belt.fold(WAREHOUSE, number, Moment(ms=belt.ms)).table.get(at).on_hand == 7


def test_unreadable_misrouted_and_dead_records_change_nothing_in_a_fold_either(belt):
    belt.receive("A", 3)
    home = belt.home("A")
    before_them = rows(belt.fold(WAREHOUSE, home))
    belt.append(WAREHOUSE, home, b"{")
    elsewhere = next(sku for sku in "BCDEFGH" if belt.home(sku) != home)
    belt.append(WAREHOUSE, home, encode(r.Received(id="x", sku=elsewhere, location="W1", lot="L1", quantity=1)))
    belt.append(WAREHOUSE, home, encode(r.Received(id="in:A:W1:L1:3", sku="A", location="W1", lot="L1", quantity=8)))
    assert rows(belt.fold(WAREHOUSE, home)) == before_them
    belt.settle()
    assert len(belt.dead) == 2
    assert len(belt.forwarded) == 1


def test_a_record_that_halts_a_worker_ends_the_fold_and_is_named(belt):
    belt.receive("A", 3)
    home = belt.home("A")
    belt.append(WAREHOUSE, home, encode(r.LogicVersionSet(id="logic:99", version=99)))
    offset = len(belt.topics[WAREHOUSE, home]) - 1
    with pytest.raises(Halted, match=rf"warehouse\[{home}\] halts at offset {offset}\.0: NewerLogic"):
        belt.fold(WAREHOUSE, home)
    assert belt.fold(WAREHOUSE, home, before(place_of(offset))).table.get(stock_key("A", "W1")).on_hand == 3


# -- snapshots ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def snapshots(tmp_path):
    """Makes the snapshots of a partition: one every few records, so that short logs have many."""
    told: list[str] = []

    def of(topic=WAREHOUSE, number=0, every=10):
        found = Snapshots(tmp_path, topic, number, 7, told.append, every)
        found.told, found.folder = told, tmp_path / "7" / f"{topic}-{number}"
        return found

    return of


@pytest.mark.parametrize("topic", [ORDERS, WAREHOUSE])
def test_folds_with_snapshots_and_without_have_the_same_hash_at_every_position(busy, snapshots, topic):
    kept = snapshots(topic)
    whole = busy.fold(topic, 0, snapshots=kept)
    assert len(list(kept.folder.iterdir())) > 3
    assert state_hash(whole.table.rows()) == state_hash(busy.fold(topic, 0).table.rows())
    for last in range(5, len(busy.topics[topic, 0]), 11):
        moment = before(place_of(last))
        with_them, alone = busy.fold(topic, 0, moment, snapshots=kept), busy.fold(topic, 0, moment)
        assert state_hash(with_them.table.rows()) == state_hash(alone.table.rows())
        assert with_them[1:] == alone[1:]


def test_a_snapshot_that_holds_later_records_is_not_used_for_a_time(busy, snapshots):
    kept = snapshots()
    busy.fold(WAREHOUSE, 0, snapshots=kept)
    stamps = {message.timestamp()[1] for message in busy.topics[WAREHOUSE, 0]}
    for stamp in sorted(stamps)[::7]:
        moment = Moment(ms=stamp)
        assert rows(busy.fold(WAREHOUSE, 0, moment, snapshots=kept)) == rows(busy.fold(WAREHOUSE, 0, moment))


def test_a_fold_starts_at_the_nearest_snapshot_before_its_moment(busy, snapshots):
    kept = snapshots()
    busy.fold(WAREHOUSE, 0, snapshots=kept)
    offsets = sorted(int(path.name.split("-")[0]) for path in kept.folder.iterdir())
    moment = before(place_of(offsets[2] + 3))
    log = busy.log(WAREHOUSE, 0)
    fold(log, ROLES[WAREHOUSE], moment, snapshots=kept)
    assert log.read_from == [offsets[2]]


def test_what_is_no_row_comes_back_from_a_snapshot_too(busy, snapshots):
    """Open deadlines, and what stands below a prefix: a step asks for both."""
    kept = snapshots(ORDERS, 0)
    busy.fold(ORDERS, 0, snapshots=kept)
    table, agent = busy.fold(ORDERS, 0, snapshots=kept).table, busy.agents[ORDERS, 0].table
    late = busy.ms + 86_400_000
    assert table.due(late, 0, 100) == agent.due(late, 0, 100) != []
    stock = snapshots(WAREHOUSE, 0)
    busy.fold(WAREHOUSE, 0, snapshots=stock)
    table, agent = busy.fold(WAREHOUSE, 0, snapshots=stock).table, busy.agents[WAREHOUSE, 0].table
    sku = next(sku for sku in SKUS if busy.home(sku) == 0)
    assert table.below(f"stock|{sku}|") == agent.below(f"stock|{sku}|") != []


def test_a_snapshot_whose_hash_does_not_fit_is_told_thrown_away_and_not_used(busy, snapshots):
    kept = snapshots()
    right = state_hash(busy.fold(WAREHOUSE, 0, snapshots=kept).table.rows())
    newest = max(kept.folder.iterdir())
    whole = newest.read_bytes()
    line, _, body = whole.partition(b"\n")
    newest.write_bytes(line.replace(b'"hash":"', b'"hash":"0') + b"\n" + body)
    assert state_hash(busy.fold(WAREHOUSE, 0, snapshots=kept).table.rows()) == right
    assert [told for told in kept.told if "its hash does not fit its rows" in told and newest.name in told]


def test_a_snapshot_cut_short_is_told_and_thrown_away(busy, snapshots):
    kept = snapshots()
    right = rows(busy.fold(WAREHOUSE, 0, snapshots=kept))
    newest = max(kept.folder.iterdir())
    newest.write_bytes(newest.read_bytes()[:-9])
    assert rows(busy.fold(WAREHOUSE, 0, snapshots=kept)) == right
    assert "is thrown away" in kept.told[0]


def test_a_snapshot_moved_to_another_position_is_not_used(busy, snapshots):
    kept = snapshots()
    right = rows(busy.fold(WAREHOUSE, 0, snapshots=kept))
    first, newest = min(kept.folder.iterdir()), max(kept.folder.iterdir())
    first.replace(newest)
    assert rows(busy.fold(WAREHOUSE, 0, snapshots=kept)) == right
    assert "it is of another place" in kept.told[0]


def test_snapshots_are_bounded_and_stay_spread_over_the_log(belt, snapshots):
    for n in range(200):
        belt.receive("A", 1 + n)
    home = belt.home("A")
    kept = snapshots(WAREHOUSE, home, every=7)
    belt.fold(WAREHOUSE, home, snapshots=kept)
    offsets = sorted(int(path.name.split("-")[0]) for path in kept.folder.iterdir())
    assert len(offsets) == KEPT_MAX
    assert max(b - a for a, b in zip([0, *offsets], [*offsets, 201], strict=False)) <= 3 * 201 / KEPT_MAX


def test_a_disk_that_takes_no_snapshot_is_told_and_the_fold_goes_on(busy, snapshots, tmp_path):
    (tmp_path / "7").write_text("no folder")
    kept = snapshots()
    assert rows(busy.fold(WAREHOUSE, 0, snapshots=kept)) == rows(busy.fold(WAREHOUSE, 0))
    assert "no snapshot at" in kept.told[0]
