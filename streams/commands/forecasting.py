"""`smokehouse forecast`: run a forecaster until it is asked to stop; its subcommands look at and try out forecasts.

Reads `demand`, `stock-levels`, `planning`; writes `forecasts`, `reorders`, `forecast-alerts`, `dead-letters`; talks on
stderr. Exit codes: 0 stopped as asked, 71 the broker did not take what was sent, 74 topics or group cannot be read, 2
unusable arguments; with the group also those with which the transport ends a process at once (`transport.failstop`).
Does not belong here: the work itself, the subcommands (`forecast_trying`, `forecast_showing`).
"""

from __future__ import annotations

import signal
from threading import Event
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number

from forecasting.consumer import forecast_until
from forecasting.learning import TRAINING_SECONDS
from forecasting.policy import Terms
from forecasting.publish import PublishFailed
from forecasting.sources import NotThere
from streams.commands.options import DAY_SECONDS, Period, PlanDays, Seconds, between
from streams.commands.output import fail, say
from streams.commands.session import connected
from streams.reader import ReadError

EXIT_ARGUMENTS = 2
BROKER_SECONDS = 60.0  # it may be started beside us
EXIT_SEND_FAILED = 71
EXIT_READ_FAILED = 74
EVERY_SECONDS_MIN = 0.1

forecast_app = App(name="forecast")
forecast_app.command("streams.commands.forecast_trying:backtest", name="backtest")
forecast_app.command("streams.commands.forecast_trying:train", name="train")
forecast_app.command("streams.commands.forecast_showing:show", name="show")


@forecast_app.default
def forecast(
    *,
    every: Annotated[float, between(EVERY_SECONDS_MIN, DAY_SECONDS)] = 10.0,
    partitions: str = "",
    lead_days: PlanDays = 7,
    review_days: Period = 1,
    cover_days: PlanDays = 14,
    service: Annotated[float, Parameter(validator=Number(gte=0.5, lt=1))] = 0.95,
    train_seconds: Seconds = TRAINING_SECONDS,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Forecast demand and recommend purchases, until Ctrl-C.

    Several forecasters share the SKUs by themselves; with --partitions each looks after the ones it is given.

    Parameters
    ----------
    every
        Seconds between runs while demand or stock change.
    partitions
        Look after these partitions only, without the group: for example 0,1.
    lead_days
        Days from order to receipt.
    review_days
        Days between two looks at what to buy.
    cover_days
        Days one purchase is meant to last beyond that.
    service
        Share of the time that stock shall last until the next receipt.
    train_seconds
        How long a training beside it may take, once a day; 0: never train.
    json_output
        Say each line as JSON, on stderr.
    """
    try:
        settings = connected(BROKER_SECONDS)
        terms = Terms(lead_days=lead_days, review_days=review_days, cover_days=cover_days, service=service)
        chosen = partitions_of_text(partitions)
    except ValueError as error:
        fail(str(error), EXIT_ARGUMENTS)
    stop = Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    try:
        forecast_until(
            stop, settings, terms, every_seconds=every, partitions=chosen, training_seconds=train_seconds,
            say=_say_json if json_output else say,
        )  # fmt: skip
    except PublishFailed as error:
        fail(f"forecasts were not taken by the broker at {settings.bootstrap}: {error}", EXIT_SEND_FAILED)
    except (ReadError, NotThere) as error:
        fail(f"cannot read from the broker at {settings.bootstrap}: {error}", EXIT_READ_FAILED)


def partitions_of_text(text: str) -> list[int] | None:
    """Numbers with commas between; `None` for none. A `ValueError` says what to give."""
    if not text:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise ValueError(f"--partitions {text}: give numbers with commas between, for example 0,1")
    return sorted({int(part) for part in parts})


def _say_json(line: str) -> None:
    say(msgspec.json.encode({"forecast": line}).decode())
