"""`smokehouse demo`: a jerky brand's traffic, seeded, until it is stopped or as many orders have come as asked.

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
from connectors.demo.traffic import Demo
from connectors.outlet import DeliveryFailed
from streams.commands.output import fail, put_json, put_table, talk
from streams.commands.session import connected
from streams.reader import ReadError

DAY_SECONDS = 60.0
RUN_NAME = r"[A-Za-z0-9._-]{1,32}"
_flag = Parameter(negative="")


BROKER_SECONDS = 30.0  # it may be started beside us


def demo(
    *,
    seed: int = 1,
    rate: float = 5.0,
    orders: int | None = None,
    forever: Annotated[bool, _flag] = False,
    day_seconds: float = DAY_SECONDS,
    run: str = "",
    json: Annotated[bool, _flag] = False,
) -> None:
    """Send the traffic of a jerky brand: four channels, three warehouses, normal days and a flash drop.

    Parameters
    ----------
    seed
        The same seed and run give the same catalogue, customers and lots.
    rate
        Orders per second, on average; a drop brings three times as many.
    orders
        Stop after so many orders, when all are decided (1,000 if neither this nor --forever is given).
    forever
        Go on until Ctrl-C.
    day_seconds
        A day of the demo's calendar, which starts some weeks ago, passes in so many seconds.
    run
        Name of the run, part of every id: a new one brings new orders. Default: the start time.
    json
        The account as JSON on stdout.
    """
    started = datetime.now(UTC)
    if not 0 < rate <= 100_000 or not 1 <= day_seconds <= 86_400 or (orders is not None and (orders < 1 or forever)):
        fail("give --rate from 0 to 100000, --day-seconds from 1 to 86400, and --orders N or --forever", 2)
    name = run or started.strftime("%Y%m%dT%H%M%S")
    if not re.fullmatch(RUN_NAME, name):
        fail(f"--run {name!r}: up to 32 letters, digits, dots, dashes or underscores", 2)
    wanted = None if forever else orders or 1_000
    plan = Demo(seed, name, Calendar.before(started, day_seconds), rate, wanted)
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
    tally = current.tally
    account = {"run": name, "seed": seed, "sent": dict(tally.sent), "decided": dict(tally.decided),
               "undecided": len(tally.open)}  # fmt: skip
    if json:
        put_json(account)
    else:
        rows = [(f"sent: {kind}", n) for kind, n in sorted(tally.sent.items())]
        rows += [(f"orders {status}", n) for status, n in sorted(tally.decided.items())]
        put_table(f"Demo run {name}", ["what", "count"], [*rows, ("orders undecided", len(tally.open))])


def _line(tally: Tally) -> str:
    decided = ", ".join(f"{n} {status}" for status, n in sorted(tally.decided.items()))
    return f"{tally.sent['order_placed']} orders placed; {decided or 'none decided yet'}"
