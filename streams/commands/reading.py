"""`smokehouse stock get`, `orders get`, `tail`: look at stock, at an order, at a topic, straight from the broker.

Reads `stock-levels`, `order-status`, `reservations`: of each, the one partition that holds the key. Writes nothing, and
needs neither a worker nor the API. Exit codes: 1 there is none, 3 a topic cannot be read.
Does not belong here: how topics are read (`published`), how they are followed (`tailing`), how a past comes about
(`past_stock`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from msgspec.structs import replace

from streams.commands.output import fail, put_json, put_table, say
from streams.commands.published import Version, newest_of_keys, read_keys, version_text
from streams.commands.session import connected
from streams.commands.tailing import tail
from streams.reader import ReadError
from streams.topics import ORDER_STATUS, ORDERS, RESERVATIONS, STOCK_LEVELS
from tables.records import OrderDecided, OrderStatus, StockLevels

if TYPE_CHECKING:
    from streams.commands.past_stock import PastStock

__all__ = ["orders_app", "stock_app", "tail"]

CANNOT_READ = 3
QUANTITIES = ("on_hand", "available", "reserved", "allocated", "safety_stock", "unavailable", "shortage")
LOCATIONS_ACROSS = 3  # side by side, within 80 columns
stock_app = App(name="stock", help="Stock: what there is of a SKU, by location and lot.")
orders_app = App(name="orders", help="Orders: how one stands, and what was decided.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


# -- stock -------------------------------------------------------------------------------------------------------------


@stock_app.command(name="get")
def get_stock(sku: str, /, *skus: str, location: str = "", at: str = "", json_output: Json = False) -> None:
    """Quantities of SKUs per location and lot, in whole units, each with the version it stands at.

    Parameters
    ----------
    sku
        What to look up.
    skus
        More of them.
    location
        Only this location; sums are then of this location alone.
    at
        As it stood then, with the reservations open then: a time (2026-03-01T10:00:00Z), or a position in the SKU's
        partition of the stock log (OFFSET, OFFSET.INDEX, or a version as shown, LOG.OFFSET.INDEX).
    json_output
        One JSON list on stdout, a document per SKU in the order asked.
    """
    asked = list(dict.fromkeys([sku, *skus]))
    if at:
        return _get_past(asked, at, location, json_output=json_output)
    with _reading():
        there = newest_of_keys(connected(), STOCK_LEVELS, StockLevels, asked)
    found = [there[name] for name in asked if name in there]
    lacking = [f"{name!r}: unknown SKU (no stock level is published)" for name in asked if name not in there]
    if location:
        lacking += [_not_at(level, location) for level in found if location not in _locations(level)]
        found = [_only_at(level, location) for level in found if location in _locations(level)]
    if json_output:
        put_json(found)
    elif found:
        _show_stock(found)
    if lacking:
        fail("; ".join(lacking) + ". See which there are: smokehouse export levels --format csv --out -")
    return None


def _get_past(asked: Sequence[str], at: str, location: str, *, json_output: bool) -> None:
    from streams.commands.past_stock import past_stock  # folding needs the agents, and they take a moment to load

    found = past_stock(connected(), asked, at)
    known = [(past, past.levels) for past in found if past.levels is not None]
    lacking = [f"{past.sku!r}: unknown at {at}" for past in found if past.levels is None]
    if location:
        lacking += [_not_at(levels, location) for _, levels in known if location not in _locations(levels)]
        known = [
            (replace(past, reservations=[x for x in past.reservations if x.location == location]),
             _only_at(levels, location))
            for past, levels in known if location in _locations(levels)
        ]  # fmt: skip
    if json_output:
        put_json([replace(past, levels=levels) for past, levels in known])
    else:
        for past, levels in known:
            _show_past(past, levels)
    if lacking:
        fail("; ".join(lacking))


def _show_past(past: PastStock, levels: StockLevels) -> None:
    _show_stock([levels])
    if past.reservations:
        columns = ("order_id", "attempt", "state", "units", "location")
        rows = [tuple(getattr(held, column) for column in columns) for held in past.reservations]
        put_table(f"Held of {past.sku}", columns, rows)
    as_of = past.as_of
    say(f"as of {as_of.topic}[{as_of.partition}] {as_of.position}, {as_of.time} (log {as_of.log_id})")


def _locations(levels: StockLevels) -> list[str]:
    return [at.location for at in levels.locations]


def _not_at(levels: StockLevels, location: str) -> str:
    return f"{levels.sku!r} is not at {location!r}, but at: {', '.join(_locations(levels)) or 'no location yet'}"


def _only_at(levels: StockLevels, location: str) -> StockLevels:
    here = [at for at in levels.locations if at.location == location]
    return replace(
        levels, locations=here, available=sum(at.available for at in here), on_hand=sum(at.on_hand for at in here)
    )


def _show_stock(found: Sequence[StockLevels]) -> None:
    for levels in found:
        if not levels.locations:  # defined, and nothing of it has come yet
            put_table(levels.sku, ("", "no location"), [("on_hand", 0), *_version_rows([levels.version])])
        for first in range(0, len(levels.locations), LOCATIONS_ACROSS):
            across = levels.locations[first : first + LOCATIONS_ACROSS]
            rows = [(name, *(getattr(at, name) for at in across)) for name in QUANTITIES]
            rows += _version_rows([at.version for at in across])
            put_table(levels.sku, ("", *(at.location for at in across)), rows)
        lots = [(at.location, lot.lot, lot.best_before, lot.on_hand) for at in levels.locations for lot in at.lots]
        if lots:
            put_table(f"Lots of {levels.sku}", ("location", "lot", "best before", "on_hand"), lots)


def _version_rows(versions: Sequence[Version]) -> list[tuple[Any, ...]]:
    """A version in two cells: whole it makes columns wider than terminals are."""
    return [
        ("version: log id", *(log_id for log_id, _, _ in versions)),
        ("version: record", *(f"{offset}.{index}" for _, offset, index in versions)),
    ]


# -- orders ------------------------------------------------------------------------------------------------------------


@orders_app.command(name="get")
def get_order(order_id: str, /, *, json_output: Json = False) -> None:
    """An order as it stands, with its lines; its decision and where that was made; what was given back later.

    Parameters
    ----------
    order_id
        The order, as its channel names it.
    json_output
        One JSON document on stdout: order, decision (null: undecided), cancellations.
    """
    with _reading():
        settings = connected()
        order = newest_of_keys(settings, ORDER_STATUS, OrderStatus, [order_id]).get(order_id)
        said = {x.record.id: x.record for x in read_keys(settings, RESERVATIONS, OrderDecided, [order_id]) if x.record}
    decision = next((x for x in said.values() if x.status != "cancelled"), None)
    cancellations = [x for x in said.values() if x.status == "cancelled"]
    if order is None and not said:
        fail(f"{order_id!r}: unknown order (no status is published). If it was placed just now, see that a worker "
             "runs: smokehouse status")  # fmt: skip
    if json_output:
        put_json({"order": order, "decision": decision, "cancellations": cancellations})
    else:
        _show_order(order, [decision, *cancellations] if decision else cancellations)


def _show_order(order: OrderStatus | None, said: Sequence[OrderDecided]) -> None:
    if order is not None:
        facts = {
            "status": order.status, "reason": order.reason, "channel": order.channel, "payment": order.payment,
            "open checks": ", ".join(order.checks), "attempt": order.attempt, "occurred at": order.occurred_at,
            "decided at": order.decided_at, "came too late": ", ".join(order.late),
            "version": version_text(order.version),
        }  # fmt: skip
        put_table(f"Order {order.order_id}", ("what", "value"), [(k, v) for k, v in facts.items() if v != ""])
        columns = ("sku", "quantity", "location", "shipped", "cancelled")
        put_table("Lines", columns, [tuple(getattr(line, c) for c in columns) for line in order.lines])
    for x in said:
        facts = {
            "status": x.status, "reason": x.reason, "units": _units(x), "at": x.decided_at,
            "by the record": f"{ORDERS.name}[{x.partition}] offset {x.offset}.{x.index}",
        }  # fmt: skip
        put_table("Decided", ("what", "value"), [(k, v) for k, v in facts.items() if v != ""])


def _units(decided: OrderDecided) -> str:
    return ", ".join(
        f"{x.quantity} {x.sku}" + (f" at {x.location}" if x.location else "") + (f" ({x.reason})" if x.reason else "")
        for x in decided.lines
    )


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except ReadError as error:
        fail(str(error), CANNOT_READ)
