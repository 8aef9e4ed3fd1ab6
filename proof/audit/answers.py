"""An answer of the stock agent beside the one it had to give: differences, and units that it never had.

Reads a room before the answer is counted; adds findings. Guarantees: each rule has its name (`promise`: beyond stock,
`frozen`: only lots that nobody may have would cover it, `floor`: too fresh, `backorder_limit`). Does not belong here:
what the answer had to be (`decide`).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from proof.audit.decide import Verdict, floor_of
from proof.audit.findings import Findings, Spot
from proof.audit.promise import Part
from proof.audit.room import Room
from proof.audit.shelves import Shelf
from tables import records as r


def same(answer: r.ReserveAnswered, expected: Verdict) -> bool:
    """Whether it says the same; the parts of a line in any order."""
    return (
        Counter((x.sku, x.quantity, x.location, x.backordered, x.due) for x in answer.parts)
        == Counter((x.sku, x.quantity, x.location, x.back, x.due) for x in expected.parts)
        and answer.refused == expected.refused
        and answer.could == expected.could
    )


def told(answer: r.ReserveAnswered) -> str:
    parts = [f"{x.quantity} {x.sku} at {x.location}{' backordered ' + x.due if x.backordered else ''}"
             for x in answer.parts]  # fmt: skip
    return _told(parts, answer.refused, answer.could)


def expected_told(verdict: Verdict) -> str:
    parts = [f"{x.quantity} {x.sku} at {x.location}{' backordered ' + x.due if x.back else ''}"
             for x in verdict.parts]  # fmt: skip
    return _told(parts, verdict.refused, verdict.could)


def _told(parts: list[str], refused: list[r.Refusal], could: list[int]) -> str:
    why = [f"{x.quantity} {x.sku} {x.reason} ({x.available} there)" for x in refused]
    return f"granted {parts}, refused {why}, could {could}"


def granted(room: Room, command: r.Reserve, answer: r.ReserveAnswered) -> list[Part]:
    """The parts an answer grants, as these books keep them."""
    floor = floor_of(room, command.channel)
    return [Part(x.sku, x.quantity, x.location, back=x.backordered, floor=floor, due=x.due) for x in answer.parts]


def in_line(command: r.Reserve, parts: list[Part], refused: list[r.Refusal]) -> list[Part]:
    """Parts in the order of the command's lines, what was refused of a line after what was granted: their places are
    their names."""
    lines: list[Part] = []
    for line in command.lines:
        lines += [x for x in parts if x.sku == line.sku]
        lines += [Part(x.sku, x.quantity, "") for x in refused if x.sku == line.sku]
    return lines


def judge(room: Room, command: r.Reserve, answer: r.ReserveAnswered, spot: Spot, findings: Findings) -> None:
    """Every part granted was there: unpromised, of lots that may leave, fresh enough."""
    wanted = {x.sku: x.quantity for x in command.lines}
    given = Counter[str]()
    for part in granted(room, command, answer):
        given[part.sku] += part.quantity
        judge_part(room, part, command.channel, command.order_id, spot, findings)
        if command.locations and part.location not in command.locations:
            findings.add("promise", part.sku, spot, f"one of {command.locations}", part.location,
                         location=part.location, note=f"order {command.order_id}")  # fmt: skip
    for sku, units in given.items():
        rest = sum(x.quantity for x in answer.refused if x.sku == sku)
        if units + rest != wanted.get(sku, 0):
            findings.add("promise", sku, spot, f"{wanted.get(sku, 0)} units asked for", f"{units} granted, {rest} not",
                         note=f"order {command.order_id}")  # fmt: skip


def judge_part(room: Room, part: Part, channel: str, order_id: str, spot: Spot, findings: Findings) -> None:
    shelf = room.shelf(part.sku, part.location)
    findings.checked["promise"] += 1
    note = f"order {order_id}: beyond stock"

    def add(rule: str, expected: Any, text: str) -> None:
        findings.add(rule, part.sku, spot, expected, f"{part.quantity} units granted", location=part.location,
                     note=text)  # fmt: skip

    if part.back:
        findings.checked["backorder_limit"] += 1
        left = shelf.policy.backorder_limit - shelf.backordered if shelf else 0
        if left < part.quantity:
            add("backorder_limit", f"at most {max(left, 0)} without stock", f"order {order_id}")
        return
    free = shelf.free_to(channel) if shelf else 0
    if free < part.quantity:
        frozen = shelf.unavailable if shelf else 0
        rule = "frozen" if free + frozen >= part.quantity else "promise"
        add(rule, f"at most {max(free, 0)} units, {frozen} more that nobody may have", note)
    elif part.floor and shelf is not None:
        _fresh(shelf, part, add, findings)


def _fresh(shelf: Shelf, part: Part, add: Any, findings: Findings) -> None:
    findings.checked["floor"] += 1
    if shelf.room(part.floor) < part.quantity:
        add("floor", f"at most {shelf.room(part.floor)} units best before {part.floor} or later", "not fresh enough")
