"""`smokehouse reorders dial`: which nominal level would have filled what is wanted, by the own last weeks played again.

Reads `demand`, `stock-levels` and `planning`; with --set writes `planning`. Exit codes: 1 no level fills so much, 2 the
past is too short, or numpy is missing, 3 a topic cannot be read. Does not belong here: the play (`forecasting.dial`).
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from connectors.outlet import DeliveryFailed
from forecasting.plans import Plans
from forecasting.policy import Terms
from forecasting.series import BadDemand, DemandHistory, Series
from streams.commands.composing import outlet_to, record_of, write
from streams.commands.newest import newest
from streams.commands.options import Period, PlanDays, between
from streams.commands.output import fail, put_json, put_table, say
from streams.commands.planned import plans
from streams.commands.session import CANNOT_READ, EXIT_ARGUMENTS, connected
from streams.reader import ReadError
from streams.settings import Settings
from streams.topics import DEMAND, STOCK_LEVELS
from tables import records as r

DAYS_MAX = 294  # 26 weeks played, 16 weeks that the first of them looks back on


def dial(
    *, fill: Annotated[float, Parameter(validator=Number(gt=0, lt=1))] = 0.97, lead_days: PlanDays = 7,
    review_days: Period = 1, cover_days: PlanDays = 14, weeks: Annotated[int, between(1)] = 26,
    set_it: Annotated[bool, Parameter(name="--set", negative="")] = False,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:  # fmt: skip
    """Find the nominal service level that fills a share of units, by playing the last weeks with it.

    Parameters
    ----------
    fill
        Wanted: units sold over units asked for.
    lead_days, review_days, cover_days
        As of `smokehouse forecast`: for SKUs of whose supplier nobody has told more. Others are played with the lead
        time of their supplier, and the days between its orders.
    weeks
        How many are played; fewer where the past is shorter.
    set_it
        Tell forecasters to use it from now on.
    json_output
        One JSON document on stdout: the dial, what every level filled with how much stock, how right alerts were.
    """
    try:
        from forecasting.dial import TooLittle, as_json, choose
    except ImportError as error:
        fail(f"the dial needs the extra `forecast`: {error}", EXIT_ARGUMENTS)
    try:
        settings = connected()
        terms = Terms(lead_days=lead_days, review_days=review_days, cover_days=cover_days)
        told = Plans()
        for record in plans(settings).values():
            told.take(record)
        found = choose(_histories(settings), lambda one: told.terms(one.sku, terms), fill, weeks=weeks)
    except ReadError as error:
        fail(str(error), CANNOT_READ)
    except (TooLittle, ValueError) as error:
        fail(str(error), EXIT_ARGUMENTS)
    said = as_json(found)
    if json_output:
        put_json(said)
    else:
        rows = [(x["service"], x["fill"], x["stock_days"]) for x in said["levels"]]
        put_table(f"{found.weeks} weeks of {found.series} series", ("service", "fill", "stock in days"), rows)
        say(f"stock-out alerts: {said['alerts']}")
    if found.service is None:
        fail(f"no level fills {fill:.1%} of units; the highest fills {said['levels'][-1]['fill']:.1%}")
    say(f"service {found.service} is the smallest that fills {fill:.1%}")
    if set_it:
        _set(settings, found.service, fill, said["levels"])


def _set(settings: Settings, service: float, fill: float, levels: list[dict[str, float]]) -> None:
    replayed = next(x["fill"] for x in levels if x["service"] == service)
    outlet = outlet_to(settings)
    try:
        write(outlet, record_of(r.ServiceSet, {"service": service, "wanted_fill": fill, "replayed_fill": replayed}))
        outlet.flush()
    except DeliveryFailed as error:
        fail(str(error))
    say("forecasters use it from now on")


def _histories(settings: Settings) -> list[Series]:
    """All closed days of every series, as a forecaster knows them."""
    history = DemandHistory()
    for record in newest(settings, DEMAND, r.Demand, lambda _: True):
        try:
            history.add(record)
        except BadDemand:
            continue  # a dead letter of the forecaster's already
    for levels in newest(settings, STOCK_LEVELS, r.StockLevels, lambda x: any(at.out_since for at in x.locations)):
        for at in levels.locations:
            history.is_out((levels.sku, at.location), at.out_since)
    today = history.today()
    found = () if today is None else (history.series(key, today, DAYS_MAX) for key in sorted(history.keys()))
    return [one for one in found if one is not None]
