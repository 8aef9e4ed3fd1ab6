"""The auditor's own fold of the stock log: which answer each reserve had to get, and what every promise came to.

Reads records of the stock log in order, and the answers found in the order log. Guarantees: at every grant its own
books must have had the units; where an answer differs from its own decision that is a finding, and it goes on with the
answer that was given. Does not belong here: facts (`shelves`), what is published (`check_stock`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proof.audit.findings import Findings, Spot
from proof.audit.intake import LogState
from proof.audit.seen import INDEX_BITS, WAREHOUSE, Cut, spot_of
from proof.audit.shelves import Part, Promise, Room, apply_fact, close
from tables import records as r
from tables.codec import digest

OPEN = ("claimed", "held", "allocated")
Answers = dict[tuple[str, int, int], tuple[r.ReserveAnswered, Spot]]  # (order, attempt, stock partition)


class StockBook:
    """All partitions of the stock log. `compare(room, log, place)` is called after each record."""

    def __init__(self, answers: Answers, cut: Cut, findings: Findings) -> None:
        self.rooms: dict[int, Room] = {}
        self.compare: Callable[[Room, LogState, int], None] | None = None
        self._answers, self._cut, self._findings = answers, cut, findings

    def take(self, log: LogState, record: Any, place: int, ms: int) -> str:
        """Apply one record; a text says why it belongs to the dead letters instead."""
        room = self.rooms.get(log.number)
        if room is None:
            room = self.rooms[log.number] = Room()
        kind = type(record)
        if kind in (r.Reserve, r.Allocate, r.Hold, r.Release):
            _forget(room, log, record)
        if kind is r.Reserve:
            return self._reserve(room, log, record, place)
        if kind is r.Allocate:
            _promote(room, log, record, place, "allocated", ("claimed", "held"))
        elif kind is r.Hold:
            _promote(room, log, record, place, "held", ("claimed",))
        elif kind is r.Release:
            _release(room, log, record, place)
        elif kind is r.Prune:
            _prune(room, log, record, place)
        else:
            content = digest(record)
            known = room.facts.get(record.id)
            if known is not None:
                return "" if known[0] == content else "id_conflict"
            room.facts[record.id] = (content, place)
            apply_fact(room, log, record, place)
        return ""

    def after(self, log: LogState, place: int) -> None:
        if self.compare is not None and (room := self.rooms.get(log.number)) is not None:
            self.compare(room, log, place)

    def check_answers(self) -> None:
        """Every answer must belong to a reserve command of its partition, unless that came after what was read."""
        for (order_id, _, _), (answer, spot) in self._answers.items():
            if self._cut.is_sure(*spot[:2], spot.offset << INDEX_BITS):
                self._findings.add("answer", order_id, spot, "no answer: nobody asked", _told(answer))

    # ---- reserve

    def _reserve(self, room: Room, log: LogState, command: r.Reserve, place: int) -> str:
        key = (command.order_id, command.attempt)
        promise = room.promises.get(key)
        asked = [(x.sku, x.quantity) for x in command.lines]
        if promise is not None and promise.asked:
            return "" if [(x.sku, x.quantity) for x in promise.parts] == asked else "id_conflict"
        expected = self._decide(room, log, command, released=promise is not None)
        answer = self._judge(room, log, command, expected, place)
        if promise is None:
            granted = bool(answer.locations)
            promise = room.promises[key] = Promise(place, place, "claimed" if granted else "refused")
            places = answer.locations or [""] * len(command.lines)
        else:
            promise.asked = promise.at = place
            places = [""] * len(command.lines)
        promise.order_ms = command.asked_ms
        for line, location in zip(command.lines, places, strict=True):
            promise.parts.append(Part(line.sku, line.quantity, location))
            if location and (shelf := room.shelf(line.sku, location)) is not None:
                shelf.claimed += line.quantity
                shelf.at = place
        close(promise, log)
        return ""

    def _judge(
        self, room: Room, log: LogState, command: r.Reserve, expected: r.ReserveAnswered, place: int
    ) -> r.ReserveAnswered:
        """The answer that was given, compared with the one that had to be; the latter if it is still on its way."""
        checked = self._findings.checked
        found = self._answers.pop((command.order_id, command.attempt, log.number), None)
        if found is None:
            checked["answer"] += 1
            if self._cut.is_sure(WAREHOUSE, log.number, place):
                spot = spot_of(WAREHOUSE, log.number, place)
                self._findings.add("answer", command.order_id, spot, _told(expected), "no answer in the order log")
            return expected
        answer, spot = found
        checked["answer"] += 1
        if not answer.refused:
            checked["promise"] += len(answer.locations)
            if not self._covered(room, command, answer, spot):
                usable = len(answer.locations) == len(command.lines)
                return answer if usable else expected
        if answer.refused != expected.refused or answer.locations != expected.locations:
            self._findings.add(
                "answer", command.order_id, spot, _told(expected), _told(answer),
                note=f"reserve at {WAREHOUSE}[{log.number}] place {place >> 10}.{place & 1023}",
            )  # fmt: skip
        return answer

    def _covered(self, room: Room, command: r.Reserve, answer: r.ReserveAnswered, spot: Spot) -> bool:
        """Whether every line of a grant is covered whole where the answer says."""
        if len(answer.locations) != len(command.lines):
            self._findings.add("promise", command.order_id, spot, f"{len(command.lines)} locations", _told(answer))
            return False
        taken: dict[tuple[str, str], int] = {}
        good = True
        for line, location in zip(command.lines, answer.locations, strict=True):
            shelf = room.shelf(line.sku, location)
            free = (shelf.free if shelf else 0) - taken.get((line.sku, location), 0)
            if location not in command.locations or free < line.quantity:
                good = False
                self._findings.add(
                    "promise", line.sku, spot, f"at most {max(free, 0)} units", f"{line.quantity} units granted",
                    location=location, note=f"order {command.order_id}, attempt {command.attempt}: beyond stock",
                )  # fmt: skip
            taken[line.sku, location] = taken.get((line.sku, location), 0) + line.quantity
        return good

    def _decide(self, room: Room, log: LogState, command: r.Reserve, *, released: bool) -> r.ReserveAnswered:
        """The answer by these books: each line whole from the first location that has it, or nothing."""
        chosen: list[str] = []
        refused: list[r.Refusal] = []
        taken: dict[tuple[str, str], int] = {}
        for line in command.lines:
            if released:
                refused.append(r.Refusal(line.sku, line.quantity, "released", 0))
                continue
            location, reason, there = self._line(room, log, command, line, taken)
            if reason:
                refused.append(r.Refusal(line.sku, line.quantity, reason, there))
            else:
                chosen.append(location)
                taken[line.sku, location] = taken.get((line.sku, location), 0) + line.quantity
        return r.ReserveAnswered(
            id="expected", order_id=command.order_id, attempt=command.attempt, partition=log.number, refused=refused,
            locations=[] if refused else chosen,
        )  # fmt: skip

    def _line(
        self, room: Room, log: LogState, command: r.Reserve, line: r.Line, taken: dict[tuple[str, str], int]
    ) -> tuple[str, str, int]:
        """(location, reason of a refusal, units there were)."""
        master = room.skus.get(line.sku)
        if master is None:
            return "", "unknown_sku", 0
        there = reach = 0
        chosen = ""
        for location in command.locations:
            shelf = master.shelves.get(location)
            if shelf is None:
                continue
            gone = taken.get((line.sku, location), 0)
            free = max(shelf.free, 0) - gone
            if 0 < line.quantity <= free:
                chosen, there = location, free
                break
            there += max(free, 0)
            reach = max(reach, shelf.free + shelf.claimed - gone)
        if master.discontinued:
            return "", "discontinued", there
        if not 1 <= line.quantity <= r.QUANTITY_MAX:
            return "", "malformed_quantity", there
        kept_ms = log.limits.reservation_keep_seconds * 1000
        asked_ms = command.asked_ms or log.first_ms
        if asked_ms and log.state_ms - asked_ms >= kept_ms:
            return "", "too_old", there
        if chosen:
            return chosen, "", there
        return "", "insufficient" if reach < line.quantity else "contended", there


# -- promises ----------------------------------------------------------------------------------------------------------


def _forget(room: Room, log: LogState, command: Any) -> None:
    """A promise that is past its time counts as never made."""
    key = (command.order_id, command.attempt)
    if (promise := room.promises.get(key)) is not None and (promise.deleted or log.is_past(promise.forget_ms)):
        room.forgotten.add(key)
        del room.promises[key]


def _prune(room: Room, log: LogState, record: r.Prune, place: int) -> None:
    for item in record.items:
        promise = room.promises.get((item.order_id, item.attempt))
        if promise is not None and not promise.deleted and log.is_past(promise.forget_ms):
            promise.deleted, promise.at, promise.state = True, place, "deleted"
            room.forgotten.add((item.order_id, item.attempt))


def _promote(room: Room, log: LogState, command: Any, place: int, after: str, allowed: tuple[str, ...]) -> None:
    promise = room.promises.get((command.order_id, command.attempt))
    if promise is None or promise.state not in allowed:
        return
    for part in promise.parts:
        if part.open and (shelf := room.shelf(part.sku, part.location)) is not None:
            setattr(shelf, promise.state, getattr(shelf, promise.state) - part.open)
            if after == "released":
                part.released += part.open
                part.open = 0
            else:
                setattr(shelf, after, getattr(shelf, after) + part.open)
            shelf.at = place
    promise.state, promise.at = after, place
    close(promise, log)


def _release(room: Room, log: LogState, command: r.Release, place: int) -> None:
    promise = room.promises.get((command.order_id, command.attempt))
    if promise is None:  # released before it was asked: whatever comes later takes nothing
        promise = room.promises[command.order_id, command.attempt] = Promise(place, 0, "released")
        return close(promise, log)
    if not command.lines:
        return _promote(room, log, command, place, "released", OPEN)
    if command.id in promise.released_by or promise.state not in OPEN:
        return
    promise.released_by.add(command.id)
    promise.at = place
    asked: dict[str, int] = {}
    for line in command.lines:
        asked[line.sku] = asked.get(line.sku, 0) + line.quantity
    for part in promise.parts:
        count = min(part.open, asked.get(part.sku, 0))
        if count and (shelf := room.shelf(part.sku, part.location)) is not None:
            part.open -= count
            part.released += count
            setattr(shelf, promise.state, getattr(shelf, promise.state) - count)
            shelf.at = place
    if not any(part.open for part in promise.parts):
        promise.state = "released"
        close(promise, log)


def _told(answer: r.ReserveAnswered) -> str:
    if not answer.refused:
        return f"granted at {answer.locations}"
    return "refused: " + ", ".join(f"{x.sku} {x.quantity} {x.reason} ({x.available} there)" for x in answer.refused)
