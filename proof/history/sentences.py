"""Records in words: one line per type for what a record says, and for what it made the agents say.

Pure. A type that is not in a table is named as it stands on the wire, so a new rule's records have a line from the
start, and a sentence when somebody writes one here. Does not belong here: what a record changed (`trail`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tables import records as r


def came(record: Any) -> str:
    """What this record of a log says."""
    sentence = _CAME.get(type(record))
    return sentence(record) if sentence else tag(record).replace("_", " ")


def said(record: Any) -> str:
    """What this record, sent because of another, tells people; "" for one that only moves the work on."""
    sentence = _SAID.get(type(record))
    return sentence(record) if sentence else ""


def tag(record: Any) -> str:
    return str(record.__struct_config__.tag)


def units(lines: Iterable[Any]) -> str:
    """Lines with `sku` and `quantity`: `2 A, 1 B`."""
    return ", ".join(f"{line.quantity} {line.sku}" for line in lines)


def refusal(refused: r.Refusal) -> str:
    return f"{refused.sku} {refused.reason}: {refused.quantity} asked, {refused.available} there"


def _answered(record: r.ReserveAnswered) -> str:
    who = f"partition {record.partition} answers attempt {record.attempt}"
    if record.refused:
        return f"{who}: refused, " + "; ".join(map(refusal, record.refused))
    return f"{who}: granted at {', '.join(dict.fromkeys(record.locations))}"


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _shipped_line(line: r.ShippedLine) -> str:
    return f"{line.quantity} {line.sku}" + (f" at {line.location}" if line.location else "") + _lot(line.lot)


def _lot(lot: str | None) -> str:
    return f", lot {lot}" if lot else ""


_CAME: dict[type, Callable[[Any], str]] = {
    r.OrderPlaced: lambda x: f"placed by {x.channel}: {units(x.lines)}",
    r.CancelRequested: lambda x: f"cancel {units(x.lines) or 'the order'}{_because(x.reason)}",
    r.PaymentCaptured: lambda x: "payment captured",
    r.PaymentFailed: lambda x: f"payment failed{_because(x.reason)}",
    r.CheckOpened: lambda x: f"check {x.check} opened",
    r.CheckPassed: lambda x: f"check {x.check} passed",
    r.CheckFailed: lambda x: f"check {x.check} failed{_because(x.reason)}",
    r.OrderShipped: lambda x: "a parcel left: " + ("; ".join(map(_shipped_line, x.lines)) or "everything"),
    r.ReserveAnswered: _answered,
    r.ReservationOverdue: lambda x: f"partition {x.partition} asks what became of attempt {x.attempt}",
    r.DeadlineReached: lambda x: "its deadline has come",
    r.AskAgain: lambda x: f"attempt {x.attempt} is due" + (f", after {x.hops} more turns" if x.hops else ""),
    r.Reserve: lambda x: f"attempt {x.attempt} asks for {units(x.lines)}",
    r.Hold: lambda x: f"hold what attempt {x.attempt} claimed",
    r.Allocate: lambda x: f"allocate what attempt {x.attempt} holds",
    r.Release: lambda x: f"give back {units(x.lines) or 'what attempt ' + str(x.attempt) + ' holds'}",
    r.Shipped: lambda x: f"{x.quantity} {x.sku} left {x.location}{_lot(x.lot)}",
    r.Prune: lambda x: "old and closed: its rows may be forgotten",
}
_SAID: dict[type, Callable[[Any], str]] = {
    r.OrderDecided: lambda x: (
        f"given back: {units(x.lines)}{_because(x.reason)}" if x.status == "cancelled"
        else f"decided: {x.status}{_because(x.reason)}"
    ),
    r.Reserve: lambda x: f"asks for {units(x.lines)}, attempt {x.attempt}",
    r.AskAgain: lambda x: f"will ask again, attempt {x.attempt}",
    r.Alert: lambda x: f"alert: {x.sku} at {x.location} {x.kind}, {x.available} available",
}  # fmt: skip
