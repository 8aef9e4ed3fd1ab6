"""What a run does to whom, by seed: pure. One list of steps for each worker, one for the broker, one for the logs.

The same seed and size give the same steps; when a step falls among the workers' instructions is chance, and no seed's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

# point -> the highest passing at which it is worth waiting for: later ones may never come
PASSINGS = {
    "apply": 2_000, "answer_send": 40, "answer_acked": 3, "row_send": 1_500, "rows_acked": 3, "store_write": 8,
    "commit": 3, "committed": 3, "recovery": 4, "recovery_fill": 2, "assigned": 1, "revoked": 1, "closed": 1,
}  # fmt: skip
OWNING = ("apply", "row_send", "rows_acked", "store_write", "commit", "recovery")  # with partitions in hand
LONG_SECONDS = 26.0  # beyond what a send, and a barrier, may take
ALONE_SECONDS = (12.0, 16.0)  # longer than a session, a start and a recovery
# where a worker stands still with much unsent: what it says when it wakes is a zombie's
ZOMBIES = ("rows_acked.before:1=stop", "answer_acked.before:2=stop", "row_send.after:200=stop", "commit.before:1=stop")
DAMAGES = ("flip", "truncate", "no_current", "foreign", "deleted")
NETWORK = ("latency", "stall_up", "stall_long", "stall_down", "cut", "drop_response", "throttle")
NOISES = ("duplicates", "replay", "garbage", "clock")
BROKER = ("broker_kill", "broker_restart", "broker_pause")


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. `kills` are counted in pairs: one at random, one at a named point."""

    orders: int
    rate: float  # orders a second
    workers: int = 2
    kills: int = 60
    pauses: int = 20
    damages: int = 5
    disks: int = 2
    network: int = 14
    noises: int = 16
    broker: int = 5
    gentle: bool = False  # one fault at a time, and never while a worker joins the group: see `broker`
    alone: int = 0  # kills at random of the first worker, with nothing else about: how long one kill is felt
    alive_seconds: tuple[float, float] = (1.0, 4.0)  # between two faults of one worker
    seconds: float = 0.0  # the faults of broker and logs are spread over so long


SIZES = {
    "kafka": Size(10_000, 30.0, alive_seconds=(0.5, 3.0), seconds=260.0),
    "embedded": Size(
        2_000, 24.0, kills=6, pauses=2, damages=1, disks=0, network=0, noises=8, broker=0, gentle=True,
        alive_seconds=(0.5, 3.0), seconds=100.0,
    ),
    "kills": Size(
        2_500, 20.0, kills=0, pauses=0, damages=0, disks=0, network=0, noises=0, broker=0, alone=8, seconds=1.0
    ),
    "try": Size(
        1_500, 15.0, kills=8, pauses=2, damages=2, disks=2, network=7, noises=4, broker=3, seconds=60.0
    ),
    "tiny": Size(
        600, 20.0, kills=4, pauses=1, damages=1, disks=0, network=0, noises=4, broker=0, gentle=True, seconds=20.0
    ),
}  # fmt: skip


class Step(NamedTuple):
    """`wait`: seconds before it. `kind`: what; `detail`: how; `amount`: seconds, bytes or records, by the kind."""

    wait: float
    kind: str
    detail: str = ""
    amount: float = 0.0


class Plan(NamedTuple):
    workers: list[list[Step]]
    broker: list[Step]
    logs: list[Step]


def plan(seed: int, size: Size, session_seconds: float) -> Plan:
    """The steps of a run."""
    dice = random.Random(f"nemesis:{seed}")
    steps = [_kill(dice, gentle=size.gentle) for _ in range((size.kills + 1) // 2)]
    steps += [
        Step(
            0,
            "pause",
            dice.choice(ZOMBIES) if n % 2 and not size.gentle else "",
            session_seconds + dice.uniform(1.0, 2.5),
        )
        for n in range(size.pauses)
    ]
    steps += [Step(0, "damage", DAMAGES[n % len(DAMAGES)]) for n in range(size.damages)]
    steps += [Step(0, "disk_full", ("open", "later")[n % 2], 5.0) for n in range(size.disks)]
    steps += [_network(dice, NETWORK[n % len(NETWORK)]) for n in range(size.network)]
    dice.shuffle(steps)
    lanes: list[list[Step]] = [[] for _ in range(size.workers)]
    for n, step in enumerate(steps):
        lanes[n % size.workers].append(step._replace(wait=dice.uniform(*size.alive_seconds)))
    lanes[0] += [Step(dice.uniform(*ALONE_SECONDS), "kill") for _ in range(size.alone)]
    broker = [BROKER[n % len(BROKER)] for n in range(size.broker)]
    noises = [NOISES[n % len(NOISES)] for n in range(size.noises)]
    return Plan(
        lanes,
        [Step(_gap(dice, size.seconds, size.broker), kind, "", 8.0) for kind in broker],
        [Step(_gap(dice, size.seconds, size.noises), kind, "", dice.choice((2, 5, 1_000))) for kind in noises],
    )


def _kill(dice: random.Random, *, gentle: bool) -> Step:
    point = dice.choice([x for x in PASSINGS if not gentle or x in OWNING])
    passing = dice.randint(1, max(PASSINGS[point] // (10 if gentle else 1), 1))
    return Step(0, "kill", f"{point}.{dice.choice(('before', 'after'))}:{passing}=kill")


def _network(dice: random.Random, kind: str) -> Step:
    amount = {
        "latency": dice.uniform(0.2, 2.0), "cut": dice.randint(1, 200_000), "throttle": dice.randint(20_000, 200_000),
        "stall_long": LONG_SECONDS,
    }.get(kind, dice.uniform(4.0, 9.0))  # fmt: skip
    return Step(0, kind, "", amount)


def _gap(dice: random.Random, seconds: float, count: int) -> float:
    return seconds / (count + 1) * dice.uniform(0.7, 1.3)
