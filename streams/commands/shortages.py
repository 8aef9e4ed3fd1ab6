"""`smokehouse shortages`: what is owed and not there, with the orders that wait for it: work to be done.

Reads `stock-levels`, and `order-status` if anything is short; writes nothing. Guarantees: an item is open exactly as
long as its stock level says so; the oldest promise stands first. Exit codes: 0 (there may be none), 3 a topic cannot be
read. Does not belong here: which units are owed to whom (`api.owed`).
"""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from api.owed import OwedIndex, Owing, Shortage, shortage_at
from streams.commands.newest import newest
from streams.commands.output import put_json, put_table, say, some
from streams.commands.session import connected, reading
from streams.settings import Settings
from streams.topics import ORDER_STATUS, STOCK_LEVELS
from tables.records import LocationLevel, StockLevels

_flag = Parameter(name="--json", negative="")


def shortages(*, location: str = "", json_output: Annotated[bool, _flag] = False) -> None:
    """Units that are owed to orders and not there: by SKU and location, the oldest promise first.

    Parameters
    ----------
    location
        Only what this location has to solve.
    json_output
        One JSON list on stdout, an item per SKU and location.
    """
    with reading():
        items = _items(connected(), location)
    if json_output:
        put_json([item._asdict() | {"orders": [order._asdict() for order in item.orders]} for item in items])
    elif items:
        _show(items)
    else:
        say("nothing is short" + (f" at {location}" if location else ""))


def _items(settings: Settings, location: str) -> list[Shortage]:
    def short(levels: StockLevels) -> list[LocationLevel]:
        return [at for at in levels.locations if at.shortage > 0 and location in ("", at.location)]

    found = {
        (levels.sku, at.location): at
        for levels in newest(settings, STOCK_LEVELS, StockLevels, lambda x: bool(short(x)))
        for at in short(levels)
    }
    owed = OwedIndex()
    if found:
        for order in newest(settings, ORDER_STATUS, Owing, lambda x: _waits(x, found)):
            owed.take(order)
    return [shortage_at(sku, level, owed.at(sku, at)) for (sku, at), level in sorted(found.items())]


def _waits(order: Owing, places: dict[tuple[str, str], Any]) -> bool:
    return any(line.allocated > 0 and (line.sku, line.location) in places for line in order.lines)


def _show(items: list[Shortage]) -> None:
    columns = ("sku", "location", "short", "order", "channel", "promised at", "units", "not there")
    rows: list[tuple[Any, ...]] = []
    for item in items:
        head: tuple[Any, ...] = (item.sku, item.location, item.shortage)
        for order in item.orders or [None]:
            if order is None:
                rows.append((*head, "(no confirmed order)", "", "", "", ""))
            else:
                rows.append((*head, order.order_id, order.channel, order.decided_at, order.units, order.uncovered))
            head = ("", "", "")
    put_table("Shortages", columns, rows)
    short = sum(item.shortage for item in items)
    say(f"{len(items)} to solve, {some(short, 'unit')}; an item closes when its stock level says so")
