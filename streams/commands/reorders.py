"""`smokehouse reorders`: what to buy or move, and what becomes of it: list, accept, dismiss, history, dial.

Reads `reorders`, `planning`, `stock-levels` (and `demand`, for the dial); writes `warehouse` and `planning`.
Guarantees: a recommendation is ordered once, however often it is accepted; the order is on the log before the decision
says so. Exit codes: 1 not (all) written, 2 something is wrong with what was asked, 3 a topic cannot be read. Does not
belong here: what is recommended (`forecasting`), how decisions are written (`reorder_decisions`).
"""

from __future__ import annotations

import getpass
from difflib import get_close_matches
from typing import Annotated, Any, NoReturn

import msgspec
from cyclopts import App, Parameter

from forecasting.decisions import Key, Recommended, summary, within
from streams.commands.options import between
from streams.commands.output import fail, put_json, put_table, say, some
from streams.commands.planned import decisions, recommendations
from streams.commands.reorder_decisions import Decider, NotAccepted
from streams.commands.reorder_dial import dial
from streams.commands.session import EXIT_ARGUMENTS, connected, reading
from tables import records as r

reorders_app = App(name="reorders", help="Reorders: what to buy or move, and what is decided about it.")
Run = Annotated[str, Parameter(name="--run")]
Json = Annotated[bool, Parameter(name="--json", negative="")]
COST_MAX = 10**12  # cents
reorders_app.command(dial)


@reorders_app.command(name="list")
def list_reorders(
    *, supplier: str = "", location: str = "",
    everything: Annotated[bool, Parameter(name="--all", negative="")] = False,
    json_output: Json = False,
) -> None:  # fmt: skip
    """Recommendations that wait for a decision, the most urgent first.

    Parameters
    ----------
    supplier
        Only purchases from this supplier.
    location
        Only what this location needs.
    everything
        Also what is decided, and where nothing is to be done.
    json_output
        One JSON list on stdout: each recommendation with its state and its decision.
    """
    with reading():
        found = [
            x for x in recommendations(connected()).values()
            if (everything or x.state == "open") and supplier in ("", x.reorder.supplier)
            and location in ("", x.reorder.location)
        ]  # fmt: skip
    if json_output:
        put_json([
            msgspec.to_builtins(x.reorder) | {"state": x.state, "decision": x.decision} for x in found
        ])  # fmt: skip
    elif found:
        columns = ("sku", "location", "what", "units", "from", "cost", "order by", "there", "run", "state", "why")
        put_table("Reorders", columns, [_row(x) for x in found])
        cost = sum(x.reorder.cost_cents for x in found if x.state == "open")
        say(f"{sum(x.state == 'open' for x in found)} wait for a decision, {_money(cost)} in all")
    else:
        say("nothing waits for a decision")


@reorders_app.command
def accept(
    sku: str = "", location: str = "", /, *, quantity: Annotated[int, between(1)] | None = None, by: str = "",
    reason: str = "", run: Run = "", everything: Annotated[bool, Parameter(name="--all", negative="")] = False,
    max_cost: Annotated[int, between(0, COST_MAX)] | None = None, json_output: Json = False,
) -> None:  # fmt: skip
    """Order what is recommended (or send for it), and note who decided so.

    Parameters
    ----------
    sku, location
        Which recommendation; not with --all.
    quantity
        Units to take instead of what is recommended.
    by
        Who decides. Default: your name on this machine.
    reason
        Why, for those who look at the history.
    run
        What was listed is of this run: if a later one recommends anew meanwhile, nothing is ordered.
    everything
        All that wait, the most urgent first, as long as all together cost at most --max-cost.
    max_cost
        In cents, with --all. Purchases whose cost is not known are left to people.
    json_output
        One JSON list on stdout: the decisions.
    """
    if everything:
        if sku or run or quantity is not None:
            fail("--all takes what is recommended: no SKU, no --quantity, no --run", EXIT_ARGUMENTS)
        if max_cost is None:
            fail("--all needs --max-cost CENTS", EXIT_ARGUMENTS)
    elif max_cost is not None:
        fail("--max-cost goes with --all", EXIT_ARGUMENTS)
    with reading():
        settings = connected()
        decider = Decider(settings, by or _me(), reason)
        found = recommendations(settings)
        if everything:
            chosen, left = within(found.values(), max_cost or 0)
        else:
            chosen, left = [_undecided(found, sku, location, run, override=quantity is not None)], []
        told: list[r.ReorderDecision] = []
        for x in chosen:
            try:
                told.append(decider.accept(x.reorder, x.reorder.quantity if quantity is None else quantity))
            except NotAccepted as why:
                if not everything:
                    fail(str(why), EXIT_ARGUMENTS)
                say(str(why))
                left.append(x)
        decider.close()
    if json_output:
        put_json(told)
    for x in told:
        say(f"{x.sku} at {x.location}: {x.quantity} {_ordered(x)}" + _changed(x))
    if everything:
        say(f"{len(told)} accepted for {_money(sum(x.cost_cents for x in told))}, {len(left)} left")


@reorders_app.command
def dismiss(
    sku: str, location: str, /, *, reason: str, by: str = "", run: Run = "", json_output: Json = False
) -> None:
    """Do not follow a recommendation; the next run recommends anew.

    Parameters
    ----------
    sku, location
        Which recommendation.
    reason
        Why, for those who look at the history.
    by
        Who decides. Default: your name on this machine.
    run
        What was listed is of this run: if a later one recommends anew meanwhile, that stays open.
    json_output
        The decision as JSON on stdout.
    """
    with reading():
        settings = connected()
        chosen = _undecided(recommendations(settings), sku, location, run, override=False)
        decider = Decider(settings, by or _me(), reason)
        told = decider.dismiss(chosen.reorder)
        decider.close()
    if json_output:
        put_json(told)
    say(f"{sku} at {location}: {chosen.reorder.quantity} recommended in run {told.run} are dismissed")


@reorders_app.command
def history(*, sku: str = "", json_output: Json = False) -> None:
    """Every decision, the newest first, with what was recommended against what was taken.

    Parameters
    ----------
    sku
        Only of this SKU.
    json_output
        One JSON document on stdout: decisions and summary.
    """
    with reading():
        found = [x for x in decisions(connected()).values() if sku in ("", x.sku)]
    found.sort(key=lambda x: (x.decided_at or x.time, x.run, x.sku, x.location), reverse=True)
    fared = summary(found)
    if json_output:
        put_json({"decisions": found, "summary": fared})
        return
    if found:
        columns = ("decided", "run", "sku", "location", "decision", "recommended", "taken", "by", "reference", "reason")
        put_table("Decisions", columns, [
            (x.decided_at or x.time, x.run, x.sku, x.location, x.decision, x.recommended, x.quantity, x.by,
             x.reference or "", x.reason)
            for x in found
        ])  # fmt: skip
    counts = ("as_recommended", "changed", "dismissed")
    say(f"{some(len(found), 'decision')}: " + ", ".join(f"{fared[name]} {name.replace('_', ' ')}" for name in counts))


def _undecided(found: dict[Key, Recommended], sku: str, location: str, run: str, *, override: bool) -> Recommended:
    """The recommendation, if there is something to decide about it; ends the command if not."""
    if not sku or not location:
        fail("give SKU and LOCATION, or --all", EXIT_ARGUMENTS)
    x = found.get((sku, location))
    if x is None:
        _unknown(found, sku, location)
    if run not in ("", x.reorder.run):
        fail(f"{sku} at {location}: the newest run is {x.reorder.run}, not {run}, and recommends {x.reorder.quantity}. "
             "Look again: smokehouse reorders list", EXIT_ARGUMENTS)  # fmt: skip
    if x.decision is not None:
        fail(f"{sku} at {location}: run {x.reorder.run} is {x.state} already, by {x.decision.by or 'somebody'} "
             f"({x.decision.quantity} units). The next run recommends anew", EXIT_ARGUMENTS)  # fmt: skip
    if x.state == "nothing" and not override:
        fail(f"{sku} at {location}: nothing is recommended. {x.reorder.reason} To order all the same: accept with "
             "--quantity", EXIT_ARGUMENTS)  # fmt: skip
    return x


def _unknown(found: dict[Key, Recommended], sku: str, location: str) -> NoReturn:
    there = [place for name, place in found if name == sku]
    if there:
        fail(f"{sku!r}: nothing is known of it at {location!r}, but at: {', '.join(sorted(there))}", EXIT_ARGUMENTS)
    near = get_close_matches(sku, {name for name, _ in found}, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    fail(f"{sku!r}: unknown SKU (no recommendation is published).{hint} See: smokehouse reorders list --all",
         EXIT_ARGUMENTS)  # fmt: skip


def _row(x: Recommended) -> tuple[Any, ...]:
    one = x.reorder
    what = "buy" if one.kind == "purchase" else "bring"
    return (
        one.sku, one.location, what, one.quantity, one.supplier or one.from_location,
        _money(one.cost_cents) if one.cost_cents else "", one.order_by, one.expected, one.run, x.state, one.reason,
    )  # fmt: skip


def _ordered(x: r.ReorderDecision) -> str:
    if x.kind == "transfer":
        return f"on their way from {x.from_location}, {x.reference}"
    return f"ordered{' from ' + x.supplier if x.supplier else ''}, {x.reference}"


def _changed(x: r.ReorderDecision) -> str:
    return "" if x.quantity == x.recommended else f" ({x.recommended} recommended)"


def _money(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02d}"


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
