"""What a record changed: counters and states of rows, part by part, against the rows as they stood.

Pure. Rows of orders show as they are published (status, money wanted). Guarantees: a field that holds units or a state
is told; names, places and what sentences say better are not. Does not belong here: which records (`trail`), words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from proof.history.account import Change, LotMoved
from tables.order_document import status
from tables.order_early import EARLY
from tables.outcome import View
from tables.rows import OrderRow, PartitionRow, TraceRow

_UNTOLD_ROWS = ("fact|", "expiry|", "demand|", "partition", "trace|")
_UNTOLD = frozenset((  # names, places, and what sentences say better
    "at", "digest", "order_id", "attempt", "order_partition", "asked", "first_location", "day", "hour", "occurred_at",
    "payment_seconds", "sku", "location", "lot", "received", "level", "short", "locations", "seen", "moved", "moved_ok",
    "due", "demand", "outs_at", "channel", "policy",
))  # fmt: skip


def changes(view: View, rows: dict[str, Any], log: PartitionRow) -> Iterable[Change]:
    """Everything that these rows change, against the rows of the view."""
    for key, row in rows.items():
        before = view.get(key)
        if key.startswith(_UNTOLD_ROWS) or before is row:
            continue
        old, new = _fields(before, log), _fields(row, log)
        for name in dict.fromkeys((*new, *old)):
            value = new.get(name, old.get(name))
            was, now = old.get(name, type(value)()), new.get(name, type(value)())
            if was != now:
                yield Change(key, name, was, now)


def lots_moved(rows: dict[str, Any]) -> list[LotMoved]:
    """The movements of lots that these rows remember."""
    return [
        LotMoved(x.lot, x.sku, x.location, x.kind, x.units, x.known, x.reference)
        for x in rows.values() if isinstance(x, TraceRow)
    ]  # fmt: skip


def _fields(row: Any, log: PartitionRow) -> dict[str, Any]:
    """What a row tells, flat; nothing of a row that is not there."""
    if row is None:
        return {}
    told: dict[str, Any] = {}
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if name in _UNTOLD or name.endswith("_ms"):
            continue
        if name in _PARTS:
            told |= _PARTS[name](value)
        elif isinstance(value, int | str):
            told[name] = value
        elif isinstance(value, tuple) and all(isinstance(part, str) for part in value):
            told[name] = ", ".join(value)
    if isinstance(row, OrderRow) and row.state not in ("unplaced", "deleted"):
        told.pop("state")
        document = status(row, log)
        told = {"status": document.status, **told, "payment wanted": document.payment_wanted}
    return told


def _lines(lines: tuple[Any, ...]) -> dict[str, Any]:
    """Of a reservation: units each part holds. Of an order: what became of each line's units, beside where it is."""
    told: dict[str, Any] = {}
    for line in lines:
        name = f"{line.sku} at {line.location}" if line.location else line.sku
        if hasattr(line, "back") and hasattr(line, "open") and hasattr(line, "floor"):
            told = _add(told, f"{name}, backordered" if line.back else f"{name}, held", line.open)
        else:
            fields = ("shipped", "cancelled", "returned")
            told = _add(told, f"{name}: units", line.quantity) if line.location else told
            told = _add(told, f"{name}: backordered", line.back)
            for field in fields:
                told = _add(told, f"{name}: {field}", getattr(line, field))
    return told


def _add(told: dict[str, Any], name: str, units: int) -> dict[str, Any]:
    if units:
        told[name] = told.get(name, 0) + units
    return told


def _floors(floors: tuple[Any, ...]) -> dict[str, Any]:
    return {f"claims that need best before {x.day}": x.units for x in floors}


def _shares(shares: tuple[Any, ...]) -> dict[str, Any]:
    return {f"ring fence of {x.channel}": x.ring_fence for x in shares}


def _fulfilments(done: tuple[Any, ...]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for one in done:
        told[f"at {one.location}"] = one.state
        if one.cartons:
            told[f"at {one.location}: cartons"] = ", ".join(one.cartons)
        for number, said in one.tracking:
            told[f"tracking {number}"] = said
    return told


def _returns(returns: tuple[Any, ...]) -> dict[str, Any]:
    return {
        f"return {x.return_id}": f"{x.state}: " + ", ".join(f"{units} {sku}" for sku, units in x.lines) for x in returns
    }


def _edit(edit: Any) -> dict[str, Any]:
    return {"edit under way": edit.id} if edit is not None else {}


def _edits(edits: tuple[Any, ...]) -> dict[str, Any]:
    return {"edits that wait": ", ".join(x.id for x in edits)} if edits else {}


def _waiting(waiting: tuple[Any, ...]) -> dict[str, Any]:
    return {"cancellations that wait": len(waiting)} if waiting else {}


def _early(entries: tuple[Any, ...]) -> dict[str, Any]:
    told = [x.status for x in entries if x.kind == EARLY and x.reason]
    return {"waits for its turn": ", ".join(told)} if told else {}


_PARTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "lines": _lines, "floors": _floors, "shares": _shares, "fulfilments": _fulfilments, "returns": _returns,
    "edit": _edit, "edits": _edits, "waiting": _waiting, "entries": _early,
}  # fmt: skip
