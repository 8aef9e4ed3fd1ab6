"""A forecaster's words: values of topics as the records that it takes in, and what it says as records to publish.

Reads values of `demand`, `stock-levels`, `planning` and (its own former words) `reorders` and `forecast-alerts`.
Guarantees: what cannot be read says why. Does not belong here: what to say (`runs`), where to publish it (`publish`).
"""

from __future__ import annotations

from datetime import date
from hashlib import blake2b
from typing import Any

import msgspec

from forecasting.model import HORIZON_DAYS, SeriesForecast
from forecasting.planning import PLANNING as PLANS
from forecasting.policy import Advice
from forecasting.policy.alerts import Concern
from forecasting.series import SeriesKey
from streams.topics import DEMAND, FORECAST_ALERTS, PLANNING, REORDERS, STOCK_LEVELS
from tables.codec import Unreadable
from tables.records import RECORD_BYTES_MAX, Demand, Forecast, ForecastAlert, PlanningRecord, Reorder, StockLevels

ID_CHARACTERS_MAX = 128  # of a record's id; a longer one is hashed

_DECODERS: dict[str, Any] = {
    DEMAND.name: msgspec.json.Decoder(Demand),
    STOCK_LEVELS.name: msgspec.json.Decoder(StockLevels),
    REORDERS.name: msgspec.json.Decoder(Reorder),
    FORECAST_ALERTS.name: msgspec.json.Decoder(ForecastAlert),
}

Known = Demand | StockLevels | Reorder | ForecastAlert | PlanningRecord


def read(topic: str, value: bytes) -> Known:
    """A value of `topic` as its record; `Unreadable` says why it is none."""
    if len(value) > RECORD_BYTES_MAX:
        raise Unreadable(f"{len(value)} bytes; the limit is {RECORD_BYTES_MAX}")
    if topic == PLANNING.name:
        return PLANS.read(value)
    try:
        return _DECODERS[topic].decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Unreadable((str(error).splitlines() or [type(error).__name__])[0][:300]) from error


def forecast_record(key: SeriesKey, forecast: SeriesForecast, run: str, time: str) -> Forecast:
    """The published form: a list entry per day from the open day on."""
    q50, q90, q95, q99 = ([float(units) for units in row] for row in forecast.daily_quantiles(HORIZON_DAYS))
    return Forecast(
        id=record_id(*key, run), time=time, sku=key[0], location=key[1], run=run,
        model=forecast.model, status=forecast.status,
        days=[date.fromordinal(forecast.first_day + ahead).isoformat() for ahead in range(HORIZON_DAYS)],
        mean=[round(mean, 4) for mean in forecast.mean(HORIZON_DAYS)], q50=q50, q90=q90, q95=q95, q99=q99,
    )  # fmt: skip


def reorder_record(key: SeriesKey, advice: Advice, run: str, time: str) -> Reorder:
    return Reorder(
        id=record_id(*key, run, str(advice.position), str(advice.quantity)), time=time, sku=key[0], location=key[1],
        run=run, quantity=advice.quantity, order_by=advice.order_by, reorder_point=advice.reorder_point,
        order_up_to=advice.order_up_to, position=advice.position, lead_days=advice.lead_days, reason=advice.reason,
        kind=advice.kind, supplier=advice.supplier, from_location=advice.from_location, needed=advice.needed,
        cost_cents=advice.cost_cents, expected=advice.expected,
    )  # fmt: skip


def advice_of(said: Reorder) -> Advice:
    """The advice that was published as this record."""
    return Advice(
        quantity=said.quantity, order_by=said.order_by, reorder_point=said.reorder_point,
        order_up_to=said.order_up_to, safety_stock=0, position=said.position, lead_days=said.lead_days,
        reason=said.reason, kind=said.kind, supplier=said.supplier, from_location=said.from_location,
        needed=said.needed, cost_cents=said.cost_cents, expected=said.expected,
    )  # fmt: skip


def alert_record(key: SeriesKey, concern: Concern, raised: bool, run: str, time: str) -> ForecastAlert:
    sku, location = key
    state = "raised" if raised else "cleared"
    return ForecastAlert(
        id=f"{sku}|{location}|{concern.kind}|{run}|{state}|{concern.day}", time=time, sku=sku, location=location,
        kind=concern.kind, state=state, run=run, probability=concern.probability, units=concern.units,
        stock=concern.stock, day=concern.day, until=concern.until, note=concern.note,
    )  # fmt: skip


def record_id(*parts: str) -> str:
    """Parts as one id; hashed where SKU and location are so long that it would not fit."""
    joined = "|".join(parts)
    return joined if len(joined) <= ID_CHARACTERS_MAX else blake2b(joined.encode(), digest_size=16).hexdigest()
