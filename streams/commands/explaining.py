"""`smokehouse explain`: why an order was decided as it was, from both logs folded again around it.

Reads both logs; writes snapshots of the folds. Exit codes: 1 no such order, 3 a log cannot be read. Does not belong
here: how it is found out (`proof.history.explain`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from proof.history.account import (
    Change,
    Decision,
    Event,
    Explanation,
    LotMoved,
    Position,
    Question,
    Request,
    Rule,
)
from proof.history.explain import explain as find_out
from proof.history.sentences import answered, units
from streams.commands.folding import ROLES, logs_of, looking_back
from streams.commands.output import fail, put_json, put_line, put_table
from streams.commands.session import connected
from tables.records import OrderStatus

QUANTITIES = ("on_hand", "available", "reserved", "allocated", "safety_stock", "unavailable", "backordered")


def explain(order_id: str, /, *, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Why an order was decided as it was: what was asked, what there was, which rule chose or refused, what followed.

    Parameters
    ----------
    order_id
        The order, as its channel names it.
    json
        One JSON document on stdout.
    """
    settings = connected()
    with looking_back("reading the logs") as bar:
        found = find_out(order_id, logs_of(settings), ROLES, bar)
    if found is None:
        fail(f"{order_id!r}: no record of the order log names this order")
    if json:
        put_json(found)
    else:
        _show(found)


def _show(found: Explanation) -> None:
    put_line(f"Order {found.order_id}: {found.status or 'not placed yet'} (log {found.log_id})")
    if now := found.stands:
        _show_standing(now)
    told: set[tuple[str, str]] = set()
    if asked := found.asked:
        _show_request(asked, told)
    decision = found.decision
    attempts = decision.attempt if decision is not None else 0
    for number, question in enumerate(found.questions, 2):
        if decision is not None and question.attempt > attempts:  # of an edit
            _show_decision(decision)
            decision = None
        _show_question(number, question, told)
    if decision is not None:
        _show_decision(decision)
    if found.happened:
        put_line("\nWhat happened:")
        for event in found.happened:
            put_line(f"{event.position.time}  {event.position}\n   {_what(event)}")


def _show_decision(decision: Decision) -> None:
    put_line(f"\nDecided: {decision.status}" + (f", {decision.reason}" if decision.reason else "")
             + f", attempt {decision.attempt}, by the record {decision.position}")  # fmt: skip


def _show_standing(now: OrderStatus) -> None:
    """How it stands: where, money, what became of its units, what was noted."""
    wanted = f", wanted now: {now.payment_wanted}" if now.payment_wanted else ""
    put_line(f"   payment {now.payment}{wanted}" + (f"; {now.sourcing}" if now.sourcing else ""))
    columns = ("sku", "location", "quantity", "open", "allocated", "shipped", "cancelled", "returned", "due")
    put_table("As it stands", columns, [tuple(getattr(x, column) for column in columns) for x in now.lines])
    for note in now.late:  # of what came too late, and of what could not be
        put_line(f"   noted: {note}")


def _show_request(asked: Request, told: set[tuple[str, str]]) -> None:
    where = ", ".join(asked.locations) or "no location"
    put_line(f"\n1. Asked: {units(asked.lines)}, from {where}; channel {asked.channel}, policy {asked.policy}, "
             f"payment {asked.payment}" + (f", checks {', '.join(asked.checks)}" if asked.checks else "")
             + (f", in exchange for {asked.exchange_of}" if asked.exchange_of else "")
             + f"\n   {asked.position}, {asked.position.time}")  # fmt: skip
    for kit in asked.kits:
        put_line(f"   kit {kit.kit}: {kit.quantity} times {' + '.join(f'{x.quantity} {x.sku}' for x in kit.parts)}")
    _show_rules(asked.rules, asked.position, told)


def _show_question(number: int, asked: Question, told: set[tuple[str, str]]) -> None:
    put_line(f"\n{number}. Attempt {asked.attempt}: {units(asked.there)}, from {', '.join(asked.locations)}, policy "
             f"{asked.policy}\n   {asked.position}, {asked.position.time}." + _life(asked)
             + " Just before it there was:\n")  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    offers: list[tuple[Any, ...]] = []
    for there in asked.there:
        if there.levels is None:
            rows.append((there.sku, "unknown SKU", *("" for _ in QUANTITIES)))
            continue
        for level in there.levels.locations:
            rows.append((there.sku, level.location, *(getattr(level, name) for name in QUANTITIES)))
        for x in there.offers:
            offers.append((there.sku, x.location, x.takes, x.good, x.fits, "yes" if x.covers else "no"))
    put_table("Quantities", ("sku", "location", *QUANTITIES), rows)
    if offers:
        columns = ("sku", "location", "may take", "in good lots", "of them for it", "covers the line")
        put_table(f"For channel {asked.channel}, best location first", columns, offers)
    lots = [
        (there.sku, x.location, x.lot, x.best_before, x.status.replace("_", " "), x.on_hand, x.blocked,
         "yes" if x.shippable else f"no: {x.why}")
        for there in asked.there for x in there.lots
    ]  # fmt: skip
    if lots:
        columns = ("sku", "location", "lot", "best before", "status", "on_hand", "blocked", "may leave")
        put_table("Lots", columns, lots)
    _show_rules(asked.rules, asked.position, told)
    if answer := asked.answer:
        for why in answer.why:
            put_line(f"Because {why}.")
        told = answered(answer.granted, answer.refused) or "nothing is held"
        put_line(f"Answer: {told}; in the order log: {answer.position or 'not yet'}")


def _life(asked: Question) -> str:
    """Which lots count on that day."""
    if asked.floor:
        return f" On {asked.day} channel {asked.channel} needs lots best before {asked.floor} or later."
    return f" On {asked.day} any lot that is not expired is good." if asked.day else " No day is known here yet."


def _show_rules(rules: Sequence[Rule], at: Position, told: set[tuple[str, str]]) -> None:
    """Those that were not told already."""
    fresh = [x for x in rules if (x.what, x.text) not in told]
    told.update((x.what, x.text) for x in fresh)
    if fresh:
        put_line(f"Rules in force, and since which record of {at.topic}[{at.partition}]:")
        for rule in fresh:
            put_line(f"   {rule.what}{': ' + rule.text if rule.text else ''} ({rule.position or 'long before'})")


def _what(event: Event) -> str:
    parts = [event.text, *event.said]
    if event.dead:
        parts.append(f"not applied: {event.dead}")
    else:
        parts += map(_lot, event.lots)
        parts += map(_change, event.changes)
    return "\n   ".join(parts if len(parts) > 1 else [*parts, "changed nothing"])


def _lot(moved: LotMoved) -> str:
    known = {"presumed": ", presumed by FEFO", "": ""}.get(moved.known, f", {moved.known}")
    reference = f" ({moved.reference})" if moved.reference else ""
    return f"  lot {moved.lot}: {abs(moved.units)} {moved.sku} {moved.kind.replace('_', ' ')}{reference}{known}"


def _change(change: Change) -> str:
    before, after = change.before, change.after
    if not isinstance(after, str):
        value = f"{before} -> {after}"
    else:
        value = f"{before} -> {after}" if before and after else after or f"no longer {before}"
    return f"  {_row(change.row)}: {change.field} {value}"


def _row(key: str) -> str:
    """A row's name as people say it."""
    kind, *names = key.split("|")
    if kind == "order":
        return "order"
    if kind == "res":
        return f"reservation {names[-1]}"
    if kind == "lot" and len(names) == 3:
        return f"lot {names[2]} of {names[0]} at {names[1]}"
    if kind in ("stock", "queue", "incoming") and len(names) > 1:
        return f"{'' if kind == 'stock' else kind + ' '}{names[0]} at {names[1]}"
    return key.replace("|", " ")
