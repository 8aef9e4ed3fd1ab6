"""Rules told to every partition: of a sales channel, of what a kit is made of. The last one told holds.

Pure steps. Guarantees: a rule counts from its place in the log on; what was placed or promised before keeps the one it
was decided by. Does not belong here: who applies them (`order_placing`, `deciding`).
"""

from __future__ import annotations

from tables import records as r
from tables.outcome import At, Outcome, View
from tables.rows import ChannelRow, KitRow, PartitionRow, channel_key, kit_key


def channel_set(view: View, record: r.ChannelSet, at: At, log: PartitionRow) -> Outcome:
    """The rules of a channel from here on."""
    key = channel_key(record.channel)
    row: ChannelRow | None = view.get(key)
    if row is None or row.at < at.place:
        row = ChannelRow(
            at.place, record.channel, tuple(dict.fromkeys(record.locations)), record.minimum_life_days,
            record.promise_days, record.policy, record.closed,
        )  # fmt: skip
    return Outcome(rows={key: row})


def kit_set(view: View, record: r.KitSet, at: At, log: PartitionRow) -> Outcome:
    """What a kit is made of from here on; a part named twice counts twice."""
    key = kit_key(record.kit)
    row: KitRow | None = view.get(key)
    if row is None or row.at < at.place:
        parts: dict[str, int] = {}
        for part in record.parts:
            parts[part.sku] = parts.get(part.sku, 0) + part.quantity
        row = KitRow(at.place, record.kit, tuple(parts.items()))
    return Outcome(rows={key: row})
