"""Who may take what: the stock that a channel can be promised at one location.

Pure functions on a stock row and its lots. A channel leaves alone the ring-fenced stock of the others, its own buffer,
the safety stock, and units that earlier buyers wait for; and it is promised no more than lots cover that live long
enough for it. Does not belong here: deciding a command (`reservations`), what a lot is (`lots`).
"""

from __future__ import annotations

from tables.lots import day_after, room, today
from tables.outcome import View
from tables.rows import ChannelRow, LotRow, PartitionRow, StockRow


def takeable(row: StockRow, channel: str) -> int:
    """Units this channel may take now, whatever their lots; below nothing if others hold more than there is."""
    free = (
        row.on_hand - row.unavailable - row.claimed - row.held - row.allocated - row.policy.safety_stock
        - row.backordered
    )  # fmt: skip
    for share in row.shares:  # nearly always none
        free -= share.buffer if share.channel == channel else share.ring_fence
    return free


def ring_fence(row: StockRow, channel: str) -> int:
    """What is left of the channel's own stock."""
    return next((x.ring_fence for x in row.shares if x.channel == channel), 0)


def open_to_all(row: StockRow) -> int:
    """Units that a channel without stock of its own may take."""
    return max(takeable(row, ""), 0)


def for_backorders(row: StockRow) -> int:
    """Units that buyers who wait may have; safety stock stays."""
    return max(
        row.on_hand - row.unavailable - row.claimed - row.held - row.allocated - row.policy.safety_stock, 0
    )


def floor_of(rules: ChannelRow | None, log: PartitionRow) -> str:
    """The earliest best-before a promise to this channel allows; "": any lot that is not expired."""
    if rules is None or not log.state_ms:
        return ""
    days = rules.promise_days + rules.minimum_life_days
    return day_after(today(log), days) if days else ""


def room_of(view: View, row: StockRow, floor: str) -> int:
    """Units that can be promised from lots that live until `floor`, beside what was promised from them before."""
    lots: list[LotRow] = [view.get(key) for key in view.below(f"lot|{row.sku}|{row.location}|")]
    return room(lots, row.floors, floor)
