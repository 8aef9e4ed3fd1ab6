"""`smokehouse pick-list`: what to take from which lot at a location, for the orders that wait there.

Reads `stock-levels` and `order-status`; writes nothing. Exit codes: 1 nothing known of the location or the order, 3 a
topic cannot be read. Does not belong here: which lots (`pick_plan`).
"""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from api.owed import Owing
from streams.commands.newest import newest
from streams.commands.output import fail, put_json, put_table, say, some
from streams.commands.pick_plan import Pick, plan
from streams.commands.session import connected, reading
from streams.settings import Settings
from streams.topics import ORDER_STATUS, STOCK_LEVELS
from tables.records import StockLevels

_flag = Parameter(name="--json", negative="")


def pick_list(location: str, /, *, order: str = "", json_output: Annotated[bool, _flag] = False) -> None:
    """What to pick at a location: confirmed orders, the oldest promise first; lots that may leave, first expired first.

    Parameters
    ----------
    location
        Where it is picked.
    order
        Only this order: it is picked now, before all others.
    json_output
        One JSON list on stdout, an item per order.
    """
    with reading():
        picks = _picks(connected(), location, order)
    if order and not picks:
        fail(f"order {order!r} has nothing to be picked at {location}. How it stands: smokehouse orders get {order}")
    if json_output:
        put_json([_plain(pick) for pick in picks])
    elif picks:
        _show(location, picks)
    else:
        say(f"nothing is to be picked at {location}")


def _picks(settings: Settings, location: str, order: str) -> list[Pick]:
    known: set[str] = set()

    def is_there(levels: StockLevels) -> bool:
        known.update(at.location for at in levels.locations)
        return any(at.location == location for at in levels.locations)

    levels = {x.sku: x for x in newest(settings, STOCK_LEVELS, StockLevels, is_there)}
    if not levels:
        fail(f"nothing was ever at {location!r}; there is stock at: {', '.join(sorted(known)) or 'no location yet'}")
    return plan(location, levels, newest(settings, ORDER_STATUS, Owing, lambda x: _waits(x, location)), order)


def _waits(order: Owing, location: str) -> bool:
    return any(line.allocated > 0 and line.location == location for line in order.lines)


def _plain(pick: Pick) -> dict[str, Any]:
    lines = [line._asdict() | {"take": [take._asdict() for take in line.take]} for line in pick.lines]
    return pick._asdict() | {"lines": lines}


def _show(location: str, picks: list[Pick]) -> None:
    rows: list[tuple[Any, ...]] = []
    for pick in picks:
        name = pick.order_id
        for line in pick.lines:
            for take in line.take:
                rows.append((name, line.sku, take.quantity, take.lot, take.best_before))
                name = ""
            if line.missing:
                rows.append((name, line.sku, line.missing, "(no lot that may leave)", ""))
                name = ""
    put_table(f"Pick list of {location}", ("order", "sku", "units", "lot", "best before"), rows)
    missing = sum(line.missing for pick in picks for line in pick.lines)
    say(some(len(picks), "order") + (f"; {some(missing, 'unit')} in no lot that may leave" if missing else ""))
