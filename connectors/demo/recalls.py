"""Shows: a drill, then a real recall of one lot that customers have, opened and closed again.

Pure: which lot is chosen from published levels when it is due: of those of best sellers that are being sold the one
with most units left (the last units may be gone before the recall is heard of, and then it shows nothing). Does not
belong here: what a recall does (the pipeline).
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.demo.action import Action, everywhere
from connectors.demo.catalogue import COUNTER, catalogue
from connectors.demo.world import Demo, Errand, World
from streams.topics import WAREHOUSE
from tables import records as r

DRILL_SECONDS, DRILL_LASTS_SECONDS = 50.0, 10.0
RECALL_SECONDS, RECALL_LASTS_SECONDS = 120.0, 60.0
LOOK_AGAIN_SECONDS = 5.0
_BEST_SELLERS = [item.sku for item in catalogue()[:6]]


def planned(demo: Demo) -> Iterator[Errand]:
    """Once in a run: the drill and the real one."""
    for name, begins, lasts in (
        ("drill", DRILL_SECONDS, DRILL_LASTS_SECONDS), ("recall", RECALL_SECONDS, RECALL_LASTS_SECONDS),
    ):  # fmt: skip
        yield _recall(demo, name, demo.soon(begins), demo.soon(lasts))


def _recall(demo: Demo, name: str, due: float, lasts: float) -> Errand:
    return Errand(due, name, lambda world: _open(world, name, lasts))


def _open(world: World, name: str, lasts: float) -> Iterator[Action | Errand]:
    demo = world.demo
    mock = name == "drill"
    oldest = [found for sku in _BEST_SELLERS if (found := _oldest(world, sku))]
    if not oldest:
        if not world.closing:
            yield _recall(demo, name, world.now + demo.soon(LOOK_AGAIN_SECONDS), lasts)
        return
    _, lot, sku = max(oldest)
    yield everywhere(world.now, WAREHOUSE, r.RecallOpened(
        id=f"{demo.run}:{name}:opened", lot=lot, skus=[sku], mock=mock,
        reason="quarterly drill" if mock else "a customer found a piece of film",
    ))  # fmt: skip
    yield everywhere(world.now + lasts, WAREHOUSE, r.RecallClosed(
        id=f"{demo.run}:{name}:closed", lot=lot, reason="drill over" if mock else "one packet only, the lot is sound",
    ))  # fmt: skip


def _oldest(world: World, sku: str) -> tuple[int, str, str] | None:
    """(units, lot, SKU): what goes out first of those that have not gone."""
    place = world.place(sku, COUNTER)
    lots = [x for x in place.lots if x.status == "approved" and x.on_hand] if place else []
    first = min(lots, key=lambda x: (x.best_before or "9999", x.lot), default=None)
    return (first.on_hand, first.lot, sku) if first else None
