"""Alerts: raised beside a stock row, and said as records of the `alerts` topic. Pure; the same words each time."""

from __future__ import annotations

from collections.abc import Iterable

from tables import ledger
from tables import records as r
from tables.codec import instant
from tables.outcome import ALERTS, At, Send, version_of
from tables.rows import PartitionRow, RaisedAlert, StockRow


def raised(
    stock: StockRow | None, sku: str, location: str, kind: str, *, lot: str = "", units: int = 0, note: str = ""
) -> RaisedAlert:
    """An alert beside the stock as it stood when it was raised; `stock` None: there never was any."""
    if stock is None:
        return RaisedAlert(sku, location, kind, 0, 0, 0, lot, "", units, note)
    q = ledger.quantities(stock)
    point = stock.policy.reorder_point
    return RaisedAlert(sku, location, kind, q.available, q.shortage, point, lot, "", units, note)


def alert_sends(alerts: Iterable[RaisedAlert], at: At, log: PartitionRow) -> list[Send]:
    """One send per alert, numbered by its place among those of its record."""
    version = version_of(log.log_id, at.place)
    return [
        Send(ALERTS, None, alert.sku, r.Alert(
            id=f"{log.log_id}:{log.partition}:{at.place}:{n}", time=instant(at.ms), sku=alert.sku,
            location=alert.location, kind=alert.kind, available=alert.available, shortage=alert.shortage,
            reorder_point=alert.reorder_point, version=version, lot=alert.lot, order_id=alert.order_id,
            units=alert.units, note=alert.note,
        ))
        for n, alert in enumerate(alerts)
    ]  # fmt: skip
