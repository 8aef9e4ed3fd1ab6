"""`smokehouse explain`: why an order was decided as it was, from both logs folded again around it.

Reads both logs; writes snapshots of the folds. Exit codes: 1 no such order, 3 a log cannot be read. Does not belong
here: how it is found out (`proof.history.explain`).
"""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from proof.history.account import Change, Event, Explanation, Question
from proof.history.explain import explain as find_out
from proof.history.sentences import refusal, units
from streams.commands.folding import ROLES, logs_of, looking_back
from streams.commands.output import fail, put_json, put_line, put_table
from streams.commands.session import connected

QUANTITIES = ("on_hand", "available", "reserved", "allocated", "safety_stock", "unavailable")


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
    if asked := found.asked:
        put_line(f"\n1. Asked: {units(asked.lines)}, from {', '.join(asked.locations)}; channel {asked.channel}, "
                 f"payment {asked.payment}" + (f", checks {', '.join(asked.checks)}" if asked.checks else "")
                 + f"\n   {asked.position}, {asked.position.time}")  # fmt: skip
    for number, question in enumerate(found.questions, 2):
        _show_question(number, question)
    if decision := found.decision:
        put_line(f"\nDecided: {decision.status}" + (f", {decision.reason}" if decision.reason else "")
                 + f", attempt {decision.attempt}, by the record {decision.position}\n")  # fmt: skip
    if found.happened:
        rows = [(str(x.position), x.position.time, _what(x)) for x in found.happened]
        put_table("What happened", ("record", "time", "what"), rows)


def _show_question(number: int, asked: Question) -> None:
    put_line(f"\n{number}. Attempt {asked.attempt}: {units(asked.there)}, from {', '.join(asked.locations)}\n"
             f"   {asked.position}, {asked.position.time}. Just before it there was:\n")  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    lots: list[tuple[Any, ...]] = []
    for there in asked.there:
        if there.levels is None:
            rows.append((there.sku, "unknown SKU", *("" for _ in QUANTITIES)))
            continue
        for level in there.levels.locations:
            rows.append((there.sku, level.location, *(getattr(level, name) for name in QUANTITIES)))
            lots += [
                (there.sku, level.location, x.lot, x.best_before, x.on_hand, getattr(x, "status", ""))
                for x in level.lots
            ]
    put_table("Quantities", ("sku", "location", *QUANTITIES), rows)
    if lots:
        columns = ("sku", "location", "lot", "best before", "on_hand", "status")
        last = None if any(row[-1] for row in lots) else -1  # not every log knows of a status
        put_table("Lots", columns[:last], [row[:last] for row in lots])
    if asked.rules:
        since = f"since {asked.position.topic}[{asked.position.partition}]"
        put_table("Rules in force", ("what", since), [(x.what, x.position) for x in asked.rules])
    if answer := asked.answer:
        said = "; ".join(f"{x.quantity} {x.sku} from {x.location}" for x in answer.granted)
        why = "; ".join(map(refusal, answer.refused))
        put_line(f"Answer: {'refused, ' + why if why else 'granted, ' + said}; in the order log: "
                 f"{answer.position or 'not yet'}")  # fmt: skip


def _what(event: Event) -> str:
    parts = [event.text, *event.said]
    if event.dead:
        parts.append(f"not applied: {event.dead}")
    elif event.changes:
        parts += map(_change, event.changes)
    elif not event.said:
        parts.append("changed nothing")
    return "\n".join(parts)


def _change(change: Change) -> str:
    row = change.row.replace("|", " ")
    return f"  {row}: {change.field} {change.before or repr(change.before)} -> {change.after or repr(change.after)}"
