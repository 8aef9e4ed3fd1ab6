"""Alerts that a step raised and recorded, as records of the `alerts` topic. Pure; the same words each time."""

from __future__ import annotations

from collections.abc import Iterable

from tables import records as r
from tables.codec import instant
from tables.outcome import ALERTS, At, Send, version_of
from tables.rows import PartitionRow, RaisedAlert


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
