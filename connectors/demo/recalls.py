"""Shows: a drill, then a real recall of one lot that customers have, opened and closed again.

Pure: which lot is chosen from published levels when it is due. Does not belong here: what a recall does (the pipeline).
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.demo.action import Action, everywhere
from connectors.demo.world import Demo, Errand, World
from streams.topics import WAREHOUSE
from tables import records as r

DRILL_SECONDS, DRILL_LASTS_SECONDS = 50.0, 10.0
RECALL_SECONDS, RECALL_LASTS_SECONDS = 120.0, 60.0
LOOK_AGAIN_SECONDS = 5.0


def planned(demo: Demo) -> Iterator[Errand]:
    """Once in a run: the drill and the real one."""
    for name, begins, lasts in (
        ("drill", DRILL_SECONDS, DRILL_LASTS_SECONDS), ("recall", RECALL_SECONDS, RECALL_LASTS_SECONDS),
    ):  # fmt: skip
        yield _recall(demo, name, demo.soon(begins), demo.soon(lasts))


def _recall(demo: Demo, name: str, due: float, lasts: float) -> Errand:
    return Errand(due, name, lambda world: _open(world, name, lasts))


def _open(world: World, name: str, lasts: float) -> Iterator[Action | Errand]:
    demo, dice = world.demo, world.dice(name)
    mock = name == "drill"
    shared: dict[tuple[str, str], int] = {}
    for level in world.levels.values():
        for place in level.locations:
            for lot in place.lots:
                if lot.status == "approved" and lot.on_hand and lot.lot.startswith("L"):
                    shared[lot.lot, level.sku] = shared.get((lot.lot, level.sku), 0) + lot.on_hand
    if not shared:
        if not world.closing:
            yield _recall(demo, name, world.now + demo.soon(LOOK_AGAIN_SECONDS), lasts)
        return
    lot, sku = dice.choice(sorted(shared))
    yield everywhere(world.now, WAREHOUSE, r.RecallOpened(
        id=f"{demo.run}:{name}:opened", lot=lot, skus=[sku], mock=mock,
        reason="quarterly drill" if mock else "a customer found a piece of film",
    ))  # fmt: skip
    yield everywhere(world.now + lasts, WAREHOUSE, r.RecallClosed(
        id=f"{demo.run}:{name}:closed", lot=lot, reason="drill over" if mock else "one packet only, the lot is sound",
    ))  # fmt: skip
