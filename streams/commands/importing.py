"""`smokehouse import orders`: a file of orders onto the logs, with a bar on stderr and an account on stdout.

Does not belong here: what the rows mean, how they are sent (`connectors.files`).
"""

from __future__ import annotations

import time
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from connectors.files.importer import ImportStalled, run_import
from connectors.files.plan import plan_import
from connectors.files.presets import FileRefused, choose_columns, preset_named
from connectors.files.reading import held, open_file
from connectors.files.report import summary
from connectors.outlet import DeliveryFailed
from streams.commands.output import fail, put_json, put_table, say, some, talk
from streams.commands.session import connected
from streams.reader import ReadError

import_app = App(name="import", help="Bring in data from files.")

STALLED, REFUSED, INTERRUPTED = 3, 2, 130


@import_app.command
def orders(
    file: Path,
    /,
    *,
    preset: str,
    map: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    speed: str = "max",
    stock_share: str = "0.8",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Import a file of order lines (CSV or parquet); returns when every order is decided.

    A SKU that has stock levels already keeps its master as it is; others are defined with the file's description.

    Parameters
    ----------
    file
        The order file. The same file again, as CSV or as parquet, changes nothing; a longer one adds what is new in it.
    preset
        What the file looks like: online-retail or complete-journey.
    map
        COLUMN=FIELD, where the file names a column differently: invoice, sku, quantity, time, customer, description.
    speed
        "max", or how many times faster than the orders came.
    stock_share
        Stock received first: this share of the units ordered of each SKU, rounded up.
    json
        The account as JSON on stdout.
    """
    started = time.monotonic()
    try:
        share, pace = _share(stock_share), _speed(speed)
        opened, known = open_file(file), preset_named(preset)
        choose_columns(known, opened.columns, map)  # what is wrong with the file is said before a broker is asked
        settings = connected()
        with held(file, lambda: say("another import of this file is running: waiting for its end")), _bar() as bar:
            task = bar.add_task("reading rows", total=None)
            plan = plan_import(opened, known, map, share, on_rows=lambda n: bar.advance(task, n))
            bar.reset(task, description="orders decided", total=len(plan.invoices))
            levels = bar.add_task("records read", total=None, visible=False)
            done = run_import(
                settings, plan, speed=pace, on_decided=lambda total: bar.update(task, completed=total),
                on_read=lambda n: bar.update(levels, advance=n, visible=True),
            )  # fmt: skip
    except FileRefused as error:
        fail(str(error), REFUSED)
    except (ImportStalled, DeliveryFailed, ReadError) as error:
        fail(str(error), STALLED)
    except KeyboardInterrupt:
        fail("stopped; the same import run again goes on from here", INTERRUPTED)
    account = summary(plan, done, time.monotonic() - started)
    if json:
        put_json(account)
    else:
        put_table(f"Import of {plan.name}", ["what", "count"], list(_rows(account)))
    if plan.classes["not_a_product"] == plan.rows:
        say(f"no code in it is a product's: the preset {known.name} knows them by {known.product_pattern}")
    if plan.dead:
        say(f"{some(len(plan.dead), 'dead letter')}, the first: {plan.dead[0].reason}")
        say("all of them: smokehouse tail dead-letters --from-beginning")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        console=talk, transient=True, disable=not talk.is_terminal,
    )  # fmt: skip


def _rows(account: dict[str, Any], prefix: str = "") -> Any:
    """Flat lines of the account: nested counts under the name they belong to."""
    for name, value in account.items():
        if isinstance(value, dict):
            yield from _rows(value, f"{prefix}{name}: ")
        else:
            yield f"{prefix}{name}".replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value)


def _share(text: str) -> Fraction:
    """The share exactly as written: 0.8 is 4/5, not the nearest binary fraction."""
    try:
        share = Fraction(text) if "/" in text else Fraction(Decimal(text))
    except (ValueError, ZeroDivisionError, InvalidOperation, OverflowError):
        share = Fraction(-1)
    if not 0 <= share <= 100:
        raise FileRefused(f"--stock-share {text!r}: give a share from 0 to 100, for example 0.8")
    return share


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 1e9:
        raise FileRefused(f"--speed {text!r}: give max, or a factor above 0, for example 3600")
    return speed
