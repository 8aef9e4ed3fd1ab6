"""`smokehouse demo`: a jerky brand's traffic, seeded, until it is stopped, a week is over, or as many orders have come
as asked.

Does not belong here: what happens in it (`connectors.demo`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from connectors.demo.calendar import Calendar
from connectors.demo.runner import DemoRun, Tally
from connectors.demo.showing import SHOWN
from connectors.demo.world import Demo
from connectors.outlet import DeliveryFailed
from streams.commands.options import Seed, between
from streams.commands.output import fail, put_json, put_table, talk
from streams.commands.session import connected
from streams.reader import ReadError

RATE = 5.0
ORDERS = 1_000
DAY_SECONDS = 60.0
RUN_NAME = r"[A-Za-z0-9._-]{1,32}"
# A week in a minute: enough orders that everything happens which happens in a food brand.
WEEK_DAYS = 7
WEEK_DAY_SECONDS = 7.0
WEEK_RATE = 12.0
WEEK_PACE = 5.0
_flag = Parameter(negative="")


BROKER_SECONDS = 30.0  # it may be started beside us


def demo(
    *,
    seed: Seed = 1,
    rate: Annotated[float, between(0.001, 100_000)] | None = None,
    orders: Annotated[int, between(1)] | None = None,
    seconds: Annotated[float, between(1)] | None = None,
    forever: Annotated[bool, _flag] = False,
    week: Annotated[bool, _flag] = False,
    day_seconds: Annotated[float, between(1, 86_400)] | None = None,
    pace: Annotated[float, between(0.01, 100)] | None = None,
    run: str = "",
    json: Annotated[bool, _flag] = False,
) -> None:
    """Send the traffic of a jerky brand: five channels, three warehouses, lots, kits, purchases, transfers, returns,
    counts, a recall, normal days and a flash drop.

    Parameters
    ----------
    seed
        The same seed and run give the same catalogue, customers and lots.
    rate
        Orders per second, on average (5, in a week 12); a drop brings three times as many.
    orders
        Stop after so many orders, when all are done (1,000 if nothing else says when to stop).
    seconds
        Stop after so many seconds instead, when all are done.
    forever
        Go on until Ctrl-C.
    week
        Seven days in about a minute, everybody five times as fast; ends with 1 if something did not happen that happens
        in every week.
    day_seconds
        A day of the demo's calendar, which starts some weeks ago, passes in so many seconds (60, in a week 7).
    pace
        How many times faster than usual people pay, pick, ship and send back (1, in a week 5).
    run
        Name of the run, part of every id: a new one brings new orders. Default: the start time.
    json
        The account as JSON on stdout.
    """
    started = datetime.now(UTC)
    rate = (WEEK_RATE if week else RATE) if rate is None else rate
    day_seconds = (WEEK_DAY_SECONDS if week else DAY_SECONDS) if day_seconds is None else day_seconds
    pace = (WEEK_PACE if week else 1.0) if pace is None else pace
    if (orders is not None) + (seconds is not None) + forever + week > 1:
        fail("give one of --orders N, --seconds N, --forever and --week", 2)
    name = run or started.strftime("%Y%m%dT%H%M%S")
    if not re.fullmatch(RUN_NAME, name):
        fail(f"--run {name!r}: up to 32 letters, digits, dots, dashes or underscores", 2)
    if orders is None and seconds is None and not forever and not week:
        orders = ORDERS
    plan = Demo(
        seed, name, Calendar.before(started, day_seconds), rate, orders,
        seconds=WEEK_DAYS * day_seconds if week else seconds, pace=pace,
    )  # fmt: skip
    current: DemoRun | None = None
    try:
        with Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=talk, transient=True,
            disable=not talk.is_terminal,
        ) as bar:  # fmt: skip
            task = bar.add_task(f"demo run {name}", total=None)
            current = DemoRun(connected(BROKER_SECONDS), plan, lambda tally: bar.update(task, description=_line(tally)))
            current.run()
    except KeyboardInterrupt:
        talk.print("stopped")
    except (DeliveryFailed, ReadError) as error:
        fail(str(error), 3)
    if current is None:
        return
    _tell(current.tally, name, seed, json=json)
    missing = [what for names in SHOWN.values() for what in names if not current.tally.shown[what]]
    if week and missing:
        fail(f"this did not happen in the week: {', '.join(missing)}", 1)


def _tell(tally: Tally, name: str, seed: int, *, json: bool) -> None:
    shown = {about: {what: tally.shown[what] for what in names} for about, names in SHOWN.items()}
    if json:
        put_json({"run": name, "seed": seed, "sent": dict(tally.sent), "decided": dict(tally.decided),
                  "undecided": len(tally.open), "shown": shown})  # fmt: skip
        return
    rows = [(f"sent: {kind}", n) for kind, n in sorted(tally.sent.items())]
    rows += [(f"orders {status}", n) for status, n in sorted(tally.decided.items())]
    put_table(f"Demo run {name}", ["what", "count"], [*rows, ("orders undecided", len(tally.open))])
    put_table("Seen to happen", ["about", "what", "count"],
              [(about, what, n) for about, counts in shown.items() for what, n in counts.items()])  # fmt: skip


def _line(tally: Tally) -> str:
    decided = ", ".join(f"{n} {status}" for status, n in sorted(tally.decided.items()))
    return f"{tally.sent['order_placed']} orders placed; {decided or 'none decided yet'}"
