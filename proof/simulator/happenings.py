"""What may happen in a step: traffic, time, work and faults, each as a function of the world; and a run of them.

Guarantees: step n depends on the seed, n and the state alone, so that a run can be replayed with some of its steps left
out (`shrink`); each tells whether anything happened, so that faults are counted that did something. Does not belong
here: how often (`swarm`), what an owner is (`worker`).
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable

from proof.simulator.sending import ANSWERS
from proof.simulator.swarm import FAULTS
from proof.simulator.worker import CHANGELOG
from proof.simulator.world import World
from tables import records as r
from tables.codec import encode, pack
from tables.murmur2 import partition_of

AGE_TICKS = 70  # of 60 s: longer than anything is kept
QUIET_ROUNDS = 6  # an order is decided after three; with moves, or asked again, after more


# -- traffic ---------------------------------------------------------------------------------------------------------

def _order(world: World) -> bool:
    if world.chance.random() < 0.8:
        world.put(world.traffic.order())
        return True
    packed: dict[int, list[bytes]] = {}  # as an importer does
    for _ in range(world.chance.randint(2, 5)):
        order = world.traffic.order()
        world.note("-> packed {}", order)
        packed.setdefault(partition_of(order.order_id, world.broker.partitions), []).append(encode(order))
    for partition, items in packed.items():
        world.broker.append("orders", partition, None, pack(items))
    return True


def _about_order(world: World) -> bool:
    world.put(world.traffic.about_order())
    return True


def _fact(world: World) -> bool:
    world.put(world.traffic.fact(world.broker.end("warehouse", 0)))
    return True


def _duplicate(world: World) -> bool:
    where = world.somewhere()
    log = world.broker.topics[where]
    seen = log[max(len(log) - 1 - int(world.chance.expovariate(0.1)), 0)]
    world.note("again {} offset {}", where, seen.offset)
    world.broker.append(*where, seen.key, seen.value, seen.headers)
    return True


def _replay(world: World) -> bool:
    """Yesterday's records once more."""
    where = world.somewhere()
    log = world.broker.topics[where]
    start = world.chance.randrange(len(log))
    world.note("replay {} from {}", where, start)
    for seen in log[start : start + world.chance.randint(2, 40)]:
        world.broker.append(*where, seen.key, seen.value)
    return True


def _misroute(world: World) -> bool:
    if world.broker.partitions == 1:
        return False
    topic, number = world.somewhere()
    seen = world.chance.choice(world.broker.topics[topic, number])
    if seen.key is None:
        return False
    wrong = (number + 1) % world.broker.partitions
    world.note("misrouted to {} {}: {!r}", topic, wrong, seen.value)
    world.broker.append(topic, wrong, seen.key, seen.value, seen.headers)
    return True


def _garbage(world: World) -> bool:
    values = (b"", b"{", b'{"type":"nothing"}', None, b'{"type":"packed","items":[{"type":"tick"},3]}',
              encode(r.LogicVersionSet(id="v1", version=1)))  # fmt: skip
    where = world.somewhere()
    value = world.chance.choice(values)
    world.note("garbage {} {!r}", where, value)
    world.broker.append(*where, None, value)
    return True


# -- time ------------------------------------------------------------------------------------------------------------

def _tick(world: World) -> bool:
    jump = world.chance.choice((0, 0, 1_000, 30_000))
    world.now_ms += jump
    world.broker.ms = max(world.broker.ms, world.now_ms)
    for where in world.places if world.chance.random() < 0.5 else [world.somewhere()]:
        world.tick(where, world.now_ms)
    return True


def _age(world: World) -> bool:
    """So much time passes that what is closed may be forgotten: after a quiet hour, as between two checkpoints the
    time that anything is kept for cannot pass."""
    moved = True
    while moved:
        moved = False
        for owner in world.owners.values():
            moved |= world.handle(owner, 1_000)
            world.save(owner)
    for _ in range(AGE_TICKS):
        world.now_ms += 60_000
        world.broker.ms = max(world.broker.ms, world.now_ms)
        for where in world.places:
            world.tick(where, world.now_ms)
    return True


def _clock_jump(world: World) -> bool:
    """One ticker's clock is wrong, by an hour or a year."""
    world.tick(world.somewhere(), world.now_ms + world.chance.choice((-3_600_000, 3_600_000, 400 * 86_400_000)))
    return True


def _broker_clock(world: World) -> bool:
    world.broker.ms += world.chance.choice((-3_600_000, -60_000, 60_000, 3_600_000))
    return True


# -- work ------------------------------------------------------------------------------------------------------------

def _work(world: World) -> bool:
    return world.handle(world.owners[world.somewhere()], world.chance.randint(1, world.swarm.batch_max))


def _land(world: World) -> bool:
    return world.lands(world.owners[world.somewhere()], 0.7)


def _quiet(world: World) -> bool:
    """For a moment all goes well: what there is to read is read, and what is said about it lands. No row is written."""
    for _ in range(QUIET_ROUNDS):
        moved = False
        for owner in world.owners.values():
            moved |= world.handle(owner, 1_000)
            owner.sending.land(lane=ANSWERS)
        if not moved:
            break
    return True


def _begin(world: World) -> bool:
    return world.begin(world.owners[world.somewhere()])


def _end(world: World) -> bool:
    return world.end(world.owners[world.somewhere()])


def _look(world: World) -> bool:
    return world.look(world.owners[world.somewhere()])


def _publish(world: World) -> bool:
    world.owners[world.somewhere()].go_on()
    return True


# -- faults ----------------------------------------------------------------------------------------------------------

def _crash(world: World) -> bool:
    where = world.somewhere()
    if world.chance.random() < 0.5:  # in the middle of its checkpoint
        world.begin(world.owners[where])
    world.crash(world.owners[where])
    world.follow(where)
    return True


def _all_crash(world: World) -> bool:
    for where in world.places:
        world.crash(world.owners[where])
    for where in world.places:
        world.follow(where)
    return True


def _zombie(world: World) -> bool:
    """The owner stands still, another takes over, and the old one does not know."""
    if len(world.zombies) >= world.swarm.zombies_max:
        return False
    where = world.somewhere()
    if world.chance.random() < 0.3:
        world.begin(world.owners[where])
        world.lands(world.owners[where], 0.0)
    world.zombies.append(world.owners[where])
    world.note("{} {} is a zombie now", world.owners[where].writer, where)
    world.follow(where)
    return True


def _zombie_works(world: World) -> bool:
    return bool(world.zombies) and world.handle(world.chance.choice(world.zombies), world.chance.randint(1, 8))


def _zombie_lands(world: World) -> bool:
    if not world.zombies:
        return False
    zombie = world.chance.choice(world.zombies)
    landed = world.lands(zombie, 0.5)
    if world.chance.random() < 0.15:
        world.zombies.remove(zombie)
        world.crash(zombie)
    return landed


def _zombie_writes(world: World) -> bool:
    if not world.zombies:
        return False
    zombie = world.chance.choice(world.zombies)
    before = zombie.committed
    happened = zombie.end_checkpoint() or world.begin(zombie)  # it deletes older copies; its commit is refused
    zombie.committed = before
    return happened


def _hand_over(world: World) -> bool:
    """The owner checkpoints, closes cleanly, and another opens."""
    where = world.somewhere()
    owner = world.owners[where]
    world.close(owner)
    world.follow(where)
    return True


def _compact(world: World) -> bool:
    topic, number = world.somewhere()
    world.note("compacts {} {}", CHANGELOG[topic], number)
    world.broker.compact(CHANGELOG[topic], number, world.chance)
    return True


def _view_compact(world: World) -> bool:
    for topic in ("stock-levels", "order-status", "demand"):
        world.broker.compact(topic, world.chance.randrange(world.broker.partitions), world.chance)
    return True


HAPPENINGS: dict[str, Callable[[World], bool]] = {
    "order": _order, "about_order": _about_order, "fact": _fact, "duplicate": _duplicate, "replay": _replay,
    "misroute": _misroute, "garbage": _garbage, "tick": _tick, "age": _age, "clock_jump": _clock_jump,
    "broker_clock": _broker_clock, "work": _work, "land": _land, "begin": _begin, "end": _end, "look": _look,
    "publish": _publish, "quiet": _quiet, "crash": _crash, "all_crash": _all_crash, "zombie": _zombie,
    "zombie_works": _zombie_works, "zombie_lands": _zombie_lands, "zombie_writes": _zombie_writes,
    "hand_over": _hand_over, "compact": _compact, "view_compact": _view_compact,
}  # fmt: skip


def run(world: World) -> None:
    """Every step of the world's swarm; `Violation` at the first rule that does not hold."""
    kinds, weights = world.swarm.kinds, world.swarm.weights
    for step in range(world.swarm.steps):
        if step in world.skip:
            continue
        world.step_number = step
        world.chance.seed(world.seed << 16 | step)
        happen(world, kinds[bisect(weights, world.chance.random() * weights[-1])])


def happen(world: World, kind: str) -> bool:
    """One happening, and a moment passes; whether anything happened."""
    happened = HAPPENINGS[kind](world)
    if happened and kind in FAULTS:
        world.faults[kind] += 1
    world.now_ms += world.chance.choice((0, 5, 200, 1000))
    world.broker.ms += world.now_ms - world.broker.ms if world.chance.random() < 0.02 else 5
    return happened
