"""How recorded effects are counted: an older row and what happened to it -> the row as it is from now on.

Pure functions on one row each. Guarantees: what they give follows from the row, the effects and the place alone, so
that a record delivered again leaves what it left before. Does not belong here: what the effects are (whoever decides
them), which rows are older (`facts`).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from tables import ledger
from tables.outcome import At, InvariantBroken
from tables.rows import (
    BatchEffect,
    BatchRow,
    CountEffect,
    CountRow,
    DemandEffect,
    DemandRow,
    Effect,
    Floor,
    IncomingEffect,
    IncomingRow,
    LotEffect,
    LotRow,
    PartitionRow,
    PolicyEffect,
    RaisedAlert,
    Share,
    ShareEffect,
    StockEffect,
    StockRow,
    TraceEffect,
    TraceRow,
)

MOVES_KEPT = 1_000  # movements a lot remembers; a count as of an older position asks for a recount


def stock(
    row: StockRow | None, effects: Iterable[Effect], at: At, log: PartitionRow, alerts: list[RaisedAlert]
) -> StockRow:
    """All of a record's effects on a stock row, as one move: nobody must hear of a stock between two of them. A row
    that is only made, or marked as changed, is no news."""
    on_hand = unavailable = allocated = backordered = 0
    policy, made = None, row is None
    floors: list[Floor] = []
    channels: list[Share] = []
    for effect in effects:
        if isinstance(effect, PolicyEffect):
            policy = effect.policy
            row = row or ledger.new_stock(effect.sku, effect.location, at.place, policy)
        elif isinstance(effect, ShareEffect):
            channels.append(effect.share)
        elif isinstance(effect, StockEffect):
            on_hand += effect.on_hand
            unavailable += effect.unavailable
            allocated += effect.allocated
            backordered += effect.backordered
            floors += effect.floors
    if row is None:
        raise InvariantBroken("a stock row is made together with its policy")
    shares = row.shares
    for share in channels:
        shares = with_share(shares, share)
    if not (on_hand or unavailable or allocated or backordered or floors) and (made or policy is None):
        return replace(row, at=at.place, shares=shares)
    row = row if policy is None else replace(row, policy=policy)
    there = row.floors
    for floor in floors:
        there = ledger.with_floor(there, floor.day, floor.units)
    return ledger.move(
        row, at.place, log.state_ms, alerts, on_hand=on_hand, unavailable=unavailable, allocated=allocated,
        backordered=backordered, floors=there, shares=shares,
    )  # fmt: skip


def with_share(shares: tuple[Share, ...], share: Share) -> tuple[Share, ...]:
    """The channel's share as it is set now, by channel; one of nothing is none."""
    others = [x for x in shares if x.channel != share.channel]
    if share.ring_fence or share.buffer:
        others.append(share)
    return tuple(sorted(others, key=lambda x: x.channel))


def lot(row: LotRow | None, effect: LotEffect, at: At) -> LotRow:
    row = row or blank_lot(effect.sku, effect.location, effect.lot, at)
    on_hand, blocked = row.on_hand + effect.on_hand, row.blocked + effect.blocked
    if not 0 <= blocked <= on_hand:
        raise InvariantBroken(f"lot {row.lot} of {row.sku} at {row.location}: {on_hand} units, {blocked} blocked")
    moves = row.moves
    if effect.on_hand:
        moves = (*moves[-(MOVES_KEPT - 1) :], (at.place, effect.on_hand))
    return LotRow(
        at.place, row.sku, row.location, row.lot,
        row.best_before if effect.best_before is None else effect.best_before, row.received, on_hand, blocked,
        row.status if effect.status is None else effect.status,
        row.expired if effect.expired is None else effect.expired,
        row.warned if effect.warned is None else effect.warned,
        row.due if effect.due is None else effect.due, moves,
    )  # fmt: skip


def blank_lot(sku: str, location: str, code: str, at: At) -> LotRow:
    """A lot that nothing is known of: no units, approved."""
    return LotRow(at.place, sku, location, code, "", at.place, 0, 0, "approved", False, False, 0, ())


def batch(effect: BatchEffect, at: At) -> BatchRow:
    return BatchRow(
        at.place, effect.sku, effect.lot, effect.best_before, effect.produced, effect.supplier, effect.documents,
        effect.status, effect.reason,
    )  # fmt: skip


def incoming(effect: IncomingEffect, at: At) -> IncomingRow:
    return IncomingRow(
        at.place, effect.sku, effect.location, effect.reference, effect.kind, effect.source, effect.ordered,
        effect.confirmed, effect.notified, effect.received, effect.expected, effect.lots, effect.state,
    )  # fmt: skip


def count(row: CountRow | None, effect: CountEffect, at: At) -> CountRow:
    counts, exact, units, off = (row.counts, row.exact, row.units, row.off) if row else (0, 0, 0, 0)
    return CountRow(
        at.place, effect.sku, effect.location, counts + 1, exact + (effect.off == 0), units + effect.units,
        off + effect.off,
    )  # fmt: skip


def demand(row: DemandRow | None, effect: DemandEffect, at: At) -> DemandRow:
    row = row or DemandRow(0, effect.sku, effect.location, effect.day)
    return replace(
        row, at=at.place, shipped=row.shipped + effect.shipped, returned=row.returned + effect.returned
    )  # fmt: skip


def trace(effect: TraceEffect, at: At) -> TraceRow:
    return TraceRow(
        at.place, effect.lot, effect.sku, effect.location, effect.kind, effect.units, at.ms, effect.occurred_at,
        effect.order_id, effect.channel, effect.known, effect.reference,
    )  # fmt: skip
