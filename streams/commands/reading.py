"""`smokehouse stock get`, `orders get`, `tail`: look at stock, at an order, at a topic, straight from the broker.

Reads `stock-levels`, `order-status`, `reservations`: of each, the one partition that holds the key. Writes nothing, and
needs neither a worker nor the API. Exit codes: 1 there is none, 3 a topic cannot be read.
Does not belong here: how topics are read (`published`), how they are followed (`tailing`), how a past comes about
(`past_stock`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from msgspec.structs import replace

from streams.commands.output import fail, put_json, put_table, say
from streams.commands.published import Version, newest_of_keys, read_keys, version_text
from streams.commands.session import connected, reading
from streams.commands.tailing import tail
from streams.topics import ORDER_STATUS, ORDERS, RESERVATIONS, STOCK_LEVELS
from tables.records import OrderDecided, OrderStatus, StockLevels

if TYPE_CHECKING:
    from streams.commands.past_stock import Held, PastStock

__all__ = ["orders_app", "stock_app", "tail"]

QUANTITIES = (
    "on_hand", "available", "reserved", "allocated", "safety_stock", "unavailable", "shortage", "backordered",
    "open_to_all", "reorder_point",
)  # fmt: skip
LOCATIONS_ACROSS = 3  # side by side, within 80 columns
stock_app = App(name="stock", help="Stock: what there is of a SKU, by location and lot.")
orders_app = App(name="orders", help="Orders: how one stands, and what was decided.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


# -- stock -------------------------------------------------------------------------------------------------------------


@stock_app.command(name="get")
def get_stock(sku: str, /, *skus: str, location: str = "", at: str | None = None, json_output: Json = False) -> None:
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
    if at is not None:  # empty is no moment, and not now either
        return _get_past(asked, at, location, json_output=json_output)
    with reading():
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
        columns = ("order_id", "attempt", "channel", "state", "units", "location", "best before from", "ring-fenced")
        rows = [
            (x.order_id, x.attempt, x.channel, _state(x), x.units, x.location, x.floor, x.fenced or "")
            for x in past.reservations
        ]  # fmt: skip
        put_table(f"Held of {past.sku}", columns, rows)
    as_of = past.as_of
    say(f"as of {as_of.topic}[{as_of.partition}] {as_of.position}, {as_of.time} (log {as_of.log_id})")


def _state(held: Held) -> str:
    if not held.backordered:
        return held.state
    return f"backordered, due {held.due}" if held.due else "backordered"


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
            if any(at.out_since for at in across):
                rows.append(("out since", *(at.out_since for at in across)))
            rows += _version_rows([at.version for at in across])
            put_table(levels.sku, ("", *(at.location for at in across)), rows)
        _show_parts(levels)


def _show_parts(levels: StockLevels) -> None:
    """What stands below the quantities, each only if there is any of it."""
    at = levels.locations
    parts: dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]] = {
        "Lots": (
            ("location", "lot", "best before", "status", "on_hand", "blocked"),
            [(x.location, y.lot, y.best_before, y.status, y.on_hand, y.blocked) for x in at for y in x.lots],
        ),
        "Channels with stock of their own": (
            ("location", "channel", "available", "ring_fence", "buffer"),
            [(x.location, y.channel, y.available, y.ring_fence, y.buffer) for x in at for y in x.channels],
        ),
        "Incoming": (
            ("location", "reference", "kind", "quantity", "expected", "confirmed"),
            [
                (x.location, y.reference, y.kind, y.quantity, y.expected, "yes" if y.confirmed else "no")
                for x in at for y in x.incoming
            ],
        ),
        "What can be promised, by day": (
            ("location", "day", "units"), [(x.location, y.day or "now", y.quantity) for x in at for y in x.promise]
        ),
        "Accuracy of the books": (
            ("location", "counts", "exact", "units", "off"),
            [(x.location, y.counts, y.exact, y.units, y.off) for x in at if (y := x.accuracy)],
        ),
    }  # fmt: skip
    for title, (columns, rows) in parts.items():
        if rows:
            put_table(f"{title}: {levels.sku}", columns, rows)


def _version_rows(versions: Sequence[Version]) -> list[tuple[Any, ...]]:
    """A version in two cells: whole it makes columns wider than terminals are."""
    return [
        ("version: log id", *(log_id for log_id, _, _ in versions)),
        ("version: record", *(f"{offset}.{index}" for _, offset, index in versions)),
    ]


# -- orders ------------------------------------------------------------------------------------------------------------


LINE_COLUMNS = ("sku", "location", "quantity", "open", "allocated", "shipped", "cancelled", "returned", "due")


@orders_app.command(name="get")
def get_order(order_id: str, /, *, json_output: Json = False) -> None:
    """An order as it stands: lines, fulfilments, returns; its decision and where that was made; what changed later.

    Of every line, quantity = open + allocated + shipped + cancelled.

    Parameters
    ----------
    order_id
        The order, as its channel names it.
    json_output
        One JSON document on stdout: order, decision (null: undecided), cancellations, edits.
    """
    with reading():
        settings = connected()
        order = newest_of_keys(settings, ORDER_STATUS, OrderStatus, [order_id]).get(order_id)
        said = {x.record.id: x.record for x in read_keys(settings, RESERVATIONS, OrderDecided, [order_id]) if x.record}
    later: dict[str, list[OrderDecided]] = {"cancelled": [], "edited": []}
    decision = None
    for one in said.values():
        if one.status in later:
            later[one.status].append(one)
        else:
            decision = decision or one
    if order is None and not said:
        fail(f"{order_id!r}: unknown order (no status is published). If it was placed just now, see that a worker "
             "runs: smokehouse status")  # fmt: skip
    if json_output:
        put_json({
            "order": order, "decision": decision, "cancellations": later["cancelled"], "edits": later["edited"]
        })  # fmt: skip
        return
    if order is not None:
        _show_order(order)
    for one in said.values():
        _show_decided(one)


def _show_order(order: OrderStatus) -> None:
    facts = {
        "status": order.status, "reason": order.reason, "channel": order.channel, "payment": order.payment,
        "payment wanted": order.payment_wanted, "policy": order.policy, "sourcing": order.sourcing,
        "kits": ", ".join(f"{units} {kit}" for kit, units in order.kits.items()), "exchange of": order.exchange_of,
        "open checks": ", ".join(order.checks), "attempt": order.attempt, "occurred at": order.occurred_at,
        "decided at": order.decided_at, "noted": ", ".join(order.late), "version": version_text(order.version),
    }  # fmt: skip
    _put_facts(f"Order {order.order_id}", facts)
    put_table("Lines", LINE_COLUMNS, [tuple(getattr(line, c) for c in LINE_COLUMNS) for line in order.lines])
    if order.fulfilments:
        put_table("Fulfilments", ("location", "state", "cartons", "tracking", "tracking status"), [
            (x.location, x.state, ", ".join(x.cartons), ", ".join(x.tracking), x.tracking_status)
            for x in order.fulfilments
        ])  # fmt: skip
    if order.returns:
        put_table("Returns", ("return", "state", "units"), [(x.return_id, x.state, x.units) for x in order.returns])


def _show_decided(said: OrderDecided) -> None:
    _put_facts("Decided", {
        "status": said.status, "reason": said.reason, "units": _units(said), "at": said.decided_at,
        "by the record": f"{ORDERS.name}[{said.partition}] offset {said.offset}.{said.index}",
    })  # fmt: skip


def _put_facts(title: str, facts: dict[str, Any]) -> None:
    put_table(title, ("what", "value"), [(name, value) for name, value in facts.items() if value != ""])


def _units(decided: OrderDecided) -> str:
    return ", ".join(
        f"{x.quantity} {x.sku}" + (f" at {x.location}" if x.location else "")
        + (f" ({x.backordered} backordered)" if x.backordered else "") + (f" ({x.reason})" if x.reason else "")
        for x in decided.lines
    )  # fmt: skip
