"""`smokehouse replay`: a window of both logs decided anew under another policy, beside what it was.

Reads a policy file and both logs; writes snapshots of the folds, and nothing to the broker. Exit codes: 2 the file or
the window cannot be used, 3 a log cannot be read. Does not belong here: how it is replayed (`proof.history.replay`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from proof.history.policy import PolicyError, read_policy
from proof.history.replay import Replay
from proof.history.replay import replay as decide_anew
from streams.commands.folding import EXIT_ARGUMENTS, ROLES, logs_of, looking_back, moment_of
from streams.commands.output import fail, put_json, put_table, say
from streams.commands.session import connected

ROWS = ("orders", "confirmed", "rejected", "expired", "undecided", "units", "backordered", "short", "shipments",
        "stockout_hours")  # fmt: skip


def replay(
    *,
    policy: Path,
    from_: Annotated[str, Parameter(name="--from")] = "",
    to: str = "",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Decide the orders of a window anew under another policy, and show what would have been different.

    Parameters
    ----------
    policy
        TOML or JSON: records by type ([[policy_set]] with sku, safety_stock, ...; sku = "*": every SKU) that stand in
        for those of the logs from the beginning of the window on.
    from_
        Orders placed from then on (2026-03-01T00:00:00Z). Default: the beginning of the logs.
    to
        Orders placed before then. Default: the end of the logs.
    json
        One JSON document on stdout.
    """
    try:
        rules = read_policy(policy)
    except PolicyError as error:
        fail(str(error), EXIT_ARGUMENTS)
    start, end = _time(from_, "--from"), _time(to, "--to")
    if start is not None and end is not None and start >= end:
        fail("--from must lie before --to", EXIT_ARGUMENTS)
    settings = connected()
    with looking_back("replaying the logs") as bar:
        found = decide_anew(logs_of(settings), ROLES, rules, start, end, bar)
    if json:
        put_json(found)
    else:
        _show(found)


def _time(text: str, option: str) -> int | None:
    if not text:
        return None
    moment = moment_of(text, option)
    if moment.ms is None:
        fail(f"{option} {text!r}: give a time; a position belongs to one partition", EXIT_ARGUMENTS)
    return moment.ms


def _show(found: Replay) -> None:
    was, new = found.as_it_was, found.under_policy
    rows = [
        (name.replace("_", " "), getattr(was, name), getattr(new, name), _signed(found.difference.get(name, 0)))
        for name in ROWS
    ]
    put_table(f"{found.start} to {found.end}", ("", "as it was", "under the policy", "difference"), rows)
    if found.changed:
        put_table("Decided otherwise", ("order", "as it was", "under the policy"),
                  [(x.order_id, x.before, x.after) for x in found.changed])  # fmt: skip
        if found.changed_orders > len(found.changed):
            print(f"and {found.changed_orders - len(found.changed)} more")
    open_still = f"; {found.undecided_really} had no decision when the window ended" if found.undecided_really else ""
    say(f"The run as it was differs from what was really decided in {found.differing} of {was.orders} orders"
        f"{open_still}.")  # fmt: skip
    for note in found.notes:
        say(note)


def _signed(number: float) -> str:
    return f"{number:+g}" if number else "0"
