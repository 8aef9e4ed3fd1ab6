"""The auditor's own fold of the stock log: which answer each command had to get, and what every promise came to.

Reads records of the stock log in order, and what the order log was told. Guarantees: where an answer differs from its
own decision that is a finding, and it goes on with the answer that was given. Does not belong here: facts
(`stock_facts`), the decision itself (`decide`), what is published (`check_stock`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proof.audit import answers, demand
from proof.audit.decide import Verdict, decide, is_too_old
from proof.audit.findings import Findings, Spot
from proof.audit.freezing import FREEZING, expire
from proof.audit.intake import LogState
from proof.audit.promise import Part, Promise, close, standing
from proof.audit.promises import (
    Filled,
    backorder,
    can_move,
    fill,
    grant,
    is_forgotten,
    move,
    promote,
    prune,
    release,
)
from proof.audit.room import Room
from proof.audit.seen import WAREHOUSE, Cut, spot_of
from proof.audit.stock_facts import apply_fact
from proof.audit.told import Told
from tables import records as r
from tables.codec import digest

_COMMANDS = (r.Reserve, r.Allocate, r.Hold, r.Release, r.Move, r.Backorder)


class StockBook:
    """All partitions of the stock log. `compare(room, log, place)` is called after each record."""

    def __init__(self, told: Told, cut: Cut, findings: Findings) -> None:
        self.rooms: dict[int, Room] = {}
        self.compare: Callable[[Room, LogState, int], None] | None = None
        self._told, self._cut, self._findings = told, cut, findings

    def take(self, log: LogState, record: Any, place: int, ms: int) -> str:
        """Apply one record; a text says why it belongs to the dead letters instead."""
        room = self.rooms.get(log.number)
        if room is None:
            room = self.rooms[log.number] = Room()
        room.rules = log.logic
        kind = type(record)
        if order_id := getattr(record, "order_id", None):
            room.touched.add(order_id)
        if kind in (r.Tick, r.TickContinued):
            room.look_at_clock(log)
            expire(room, place)
        elif kind in _COMMANDS:
            return self._command(room, log, record, place, ms)
        elif kind is r.Prune:
            prune(room, log, record, place)
        elif kind is r.ChannelSet:
            room.channels[record.channel] = record
        else:
            return self._fact(room, log, record, place, ms)
        return ""

    def _fact(self, room: Room, log: LogState, fact: Any, place: int, ms: int) -> str:
        content = digest(fact)
        known = room.facts.get(fact.id)
        if known is not None:
            return "" if known[0] == content else "id_conflict"
        room.facts[fact.id] = (content, place)
        room.new_facts.append(fact.id)
        if type(fact) is r.FillBackorders:
            self._fill(room, log, fact, place)
        elif type(fact) in FREEZING:
            FREEZING[type(fact)](room, fact, place)
        else:
            apply_fact(room, fact, place)
            if type(fact) in (r.Shipped, r.Returned):
                demand.leave_or_return(room, fact, place, ms)
            if type(fact) is r.Shipped:
                promise = room.promises.get((fact.order_id or "", fact.attempt))
                if promise is not None and promise.at == place:
                    close(promise, log)
        return ""

    def _command(self, room: Room, log: LogState, command: Any, place: int, ms: int) -> str:
        kind, forgotten = type(command), is_forgotten(room, log, command)
        if kind is r.Reserve:
            return self._reserve(room, log, command, place, ms, forgotten)
        if forgotten:
            return ""
        if kind is r.Allocate:
            promote(room, log, command, place, "allocated", ("claimed", "held"))
        elif kind is r.Hold:
            promote(room, log, command, place, "held", ("claimed",))
        elif kind is r.Release:
            release(room, log, command, place)
        elif kind is r.Move:
            self._move(room, log, command, place)
        else:
            backorder(room, log, command, place)
        return ""

    def after(self, log: LogState, place: int) -> None:
        if self.compare is not None and (room := self.rooms.get(log.number)) is not None:
            self.compare(room, log, place)

    def check_kits(self) -> None:
        """Every kit's parts left their shelves, or came back to them."""
        for partition, room in self.rooms.items():
            for record_id, (sku, units, place) in list(room.kits.items()):
                told = any(record_id in x.told_kits for x in self.rooms.values())
                if not told and not self._cut.is_settled(WAREHOUSE, partition, place):
                    continue
                del room.kits[record_id]
                self._findings.checked["kit"] += 1
                if not told:
                    spot = spot_of(WAREHOUSE, partition, place)
                    self._findings.add("kit", sku, spot, f"{units} units moved by {record_id}", "none")

    # ---- reserve

    def _reserve(
        self, room: Room, log: LogState, command: r.Reserve, place: int, ms: int, forgotten: bool
    ) -> str:  # fmt: skip
        key = (command.order_id, command.attempt)
        promise = None if forgotten else room.promises.get(key)
        asked = [(x.sku, x.quantity) for x in command.lines]
        if len({sku for sku, _ in asked}) < len(asked):
            return "twice"
        if promise is not None and promise.asked:
            return "" if promise.wanted == asked else "id_conflict"
        too_old = is_too_old(log, command)
        if too_old and self._told.has_given((*key, log.number)):
            return ""
        if promise is None or too_old:
            expected = decide(room, log, command)
        else:
            refused = [r.Refusal(sku, units, "released", 0) for sku, units in asked]
            expected = Verdict([], refused, [])
        given, refusals = self._given(room, log, command, expected, place)
        if too_old:
            return ""  # whether it was asked before nobody knows any more: it is not kept, nor wanted once more
        parts = answers.in_line(command, given, refusals)
        if promise is None:
            promise = Promise(command.order_id, place, place, "claimed" if any(x.open for x in parts) else "refused")
            room.promise(key, promise)
        promise.asked = promise.at = place
        promise.order_ms, promise.channel, promise.wanted = command.asked_ms, command.channel, asked
        promise.could = expected.could
        if promise.state != "released":  # else nobody wants it any more
            demand.ask(room, command, promise, given, refusals, place, ms)
        grant(room, promise, parts if promise.state == "claimed" else [], place, command.attempt)
        close(promise, log)
        return ""

    def _given(
        self, room: Room, log: LogState, command: r.Reserve, expected: Verdict, place: int
    ) -> tuple[list[Part], list[r.Refusal]]:
        """What was given and refused, after a look at the answer; what had to be if that is still on its way."""
        self._findings.checked["answer"] += 1
        found = self._told.take(self._told.reserves, (command.order_id, command.attempt, log.number))
        if found is None:
            if self._cut.is_sure(WAREHOUSE, log.number, place):
                spot = spot_of(WAREHOUSE, log.number, place)
                self._findings.add("answer", command.order_id, spot, answers.expected_told(expected),
                                   "no answer in the order log")  # fmt: skip
            return expected.parts, expected.refused
        answer, spot = found
        answers.judge(room, command, answer, spot, self._findings)
        if answers.same(answer, expected):
            return answers.granted(room, command, answer), answer.refused
        self._findings.add(
            "answer", command.order_id, spot, answers.expected_told(expected), answers.told(answer),
            note=f"reserve at {WAREHOUSE}[{log.number}] place {place >> 10}.{place & 1023}",
        )  # fmt: skip
        return answers.granted(room, command, answer), answer.refused

    # ---- move

    def _move(self, room: Room, log: LogState, command: r.Move, place: int) -> None:
        promise = room.promises.get((command.order_id, command.attempt))
        if promise is None:
            return
        first = promise.state == "claimed" and not promise.moved
        ok = first and can_move(room, promise, command)
        found = self._told.take(self._told.moves, (command.order_id, command.attempt, log.number))
        given = found[0].moved if found is not None and first else ok
        if first:
            promise.moved, promise.moved_ok, promise.at = place, given, place
            if given:
                move(room, promise, command, place, command.attempt)
        spot = found[1] if found else spot_of(WAREHOUSE, log.number, place)
        self._moved(promise, command, ok, first, found, spot, sure=self._cut.is_sure(WAREHOUSE, log.number, place))

    def _moved(
        self, promise: Promise, command: r.Move, ok: bool, first: bool, found: Any, spot: Spot, *, sure: bool
    ) -> None:
        """The answer that was given beside the one that had to be: what the attempt holds now, moved or not."""
        if found is None:
            if sure and first:
                self._findings.checked["move"] += 1
                self._findings.add("move", command.order_id, spot, f"moved: {ok}", "no answer in the order log")
            return
        self._findings.checked["move"] += 1
        expected = standing(promise) if first else {}
        parts: dict[Any, int] = {}
        for x in found[0].parts:
            key = (x.sku, x.location, x.backordered)
            parts[key] = parts.get(key, 0) + x.quantity
        if (found[0].moved, parts) != (ok, expected):
            self._findings.add("move", command.order_id, spot, (ok, expected), (found[0].moved, parts))

    # ---- backorders

    def _fill(self, room: Room, log: LogState, note: r.FillBackorders, place: int) -> None:
        shelf = room.shelf(note.sku, note.location)
        if shelf is None:
            return
        for filled in fill(room, shelf, place):
            self._filled(room, filled, log, place)
        self._findings.checked["oldest_first"] += 1

    def _filled(self, room: Room, filled: Filled, log: LogState, place: int) -> None:
        """The order hears of exactly these units."""
        self._findings.checked["fill"] += 1
        record_id = f"{filled.order_id}:{filled.attempt}:{log.number}:{place}"
        room.touched.add(filled.order_id)
        found = self._told.take(self._told.fills, record_id)
        if found is None:
            if self._cut.is_sure(WAREHOUSE, log.number, place):
                spot = spot_of(WAREHOUSE, log.number, place)
                self._findings.add("oldest_first", filled.order_id, spot, filled, "not told: others were, or none",
                                   location=filled.location)  # fmt: skip
            return
        told, spot = found
        if (told.sku, told.location, told.quantity, told.waiting, told.heard, told.place) != (*filled[2:], place):
            self._findings.add("fill", filled.order_id, spot, filled, told, location=filled.location)
