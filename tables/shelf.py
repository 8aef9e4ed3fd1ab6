"""What is found on the shelf: adjustments, counts, units set apart; and what is to hold for it: policies, a channel's
own stock. Decides; counts nothing.

Reads the stock and lot rows concerned. Guarantees: a count is judged as of the position it was taken at, while selling
goes on; one that is too old or too far off moves nothing and asks for a recount; no record changes the days of more
than `LOTS_MAX` lots: the rest follows in others. Does not belong here: what leaves with an order (`shipping`), what
holds for a lot everywhere (`recalls`).
"""

from __future__ import annotations

from tables import effects
from tables import records as r
from tables.lots import UNKNOWN_LOT, apart, fefo
from tables.movements import LOTS_MAX, Decision, Movements, stem
from tables.outcome import WAREHOUSE, At, Send, View, place_of
from tables.rows import CountEffect, LotRow, PartitionRow, Policy, Share, ShareEffect, lot_key, stock_key


def _expired(lot: LotRow) -> int:
    return lot.on_hand if lot.expired else 0


def _recalled(lot: LotRow) -> int:
    return lot.on_hand if lot.status == "recalled" else 0


_SPOKEN_OF = {"damaged": apart, "quality": apart, "expired": _expired, "recall": _recalled}  # by reasons of scrapping


def adjusted(view: View, fact: r.Adjusted, at: At, log: PartitionRow) -> Decision:
    """Units that leave are those that the reason speaks of, then others, by FEFO; units that come belong to the lot
    that goes out first."""
    m = Movements(view, at, log, occurred_at=fact.occurred_at)
    if fact.quantity < 0:
        m.leave(
            fact.sku, fact.location, -fact.quantity, fact.lot, "adjusted", reference=fact.reason,
            first=_SPOKEN_OF.get(fact.reason) if log.logic_version >= 5 else None,
        )  # fmt: skip
    elif fact.quantity:
        first = next((x.lot for x in fefo(m.lots(fact.sku, fact.location))), UNKNOWN_LOT)
        lot = m.lot(fact.sku, fact.location, fact.lot or first)
        m.move(lot, fact.quantity, "adjusted", reference=fact.reason)
    return m.decision()


def counted(view: View, fact: r.Counted, at: At, log: PartitionRow) -> Decision:
    """counted - expected as of the position it was taken at: selling went on meanwhile."""
    m = Movements(view, at, log, occurred_at=fact.occurred_at)
    row: LotRow | None = view.get(lot_key(fact.sku, fact.location, fact.lot))
    since = 0
    if row is not None and fact.as_of_offset is not None:
        as_of = place_of(fact.as_of_offset, fact.as_of_index)
        if len(row.moves) >= effects.MOVES_KEPT and row.moves[0][0] > as_of:
            m.alert(fact.sku, fact.location, "recount", lot=fact.lot, note="counted too long ago")
            return m.decision()
        since = sum(units for place, units in row.moves if place > as_of)
    lot = m.lot(fact.sku, fact.location, fact.lot)
    expected = lot.on_hand - since
    difference = fact.quantity - expected
    m.add(CountEffect(fact.sku, fact.location, max(expected, fact.quantity), abs(difference)))
    m.stock(fact.sku, fact.location)
    tolerance = m.policy(fact.sku, fact.location).count_tolerance
    if 0 < tolerance < abs(difference) and not fact.recount:
        m.alert(fact.sku, fact.location, "recount", lot=fact.lot, units=difference, note="too far off")
        return m.decision()
    applied = max(difference, -lot.on_hand)
    m.move(lot, applied, "counted", reference=fact.reason)
    m.missing = applied - difference
    return m.decision()


def condition_changed(view: View, fact: r.ConditionChanged, at: At, log: PartitionRow) -> Decision:
    """Units are set apart as far as there are any in good condition, or the other way round."""
    m = Movements(view, at, log)
    row: LotRow | None = view.get(lot_key(fact.sku, fact.location, fact.lot))
    good, apart = (row.on_hand - row.blocked, row.blocked) if row else (0, 0)
    units = min(fact.quantity, apart if fact.condition == "good" else good)
    if row is not None and units:
        m.move(row, blocked=-units if fact.condition == "good" else units)
    m.missing = fact.quantity - units
    return m.decision()


def policy_set(view: View, fact: r.PolicySet, at: At, log: PartitionRow) -> Decision:
    """The whole policy, at one location (made if it is new) or at all of them; and when its lots are to be told of."""
    m = Movements(view, at, log)
    keys = [stock_key(fact.sku, fact.location)] if fact.location else view.below(f"stock|{fact.sku}|")
    left = LOTS_MAX
    for key in keys:
        location = key.rpartition("|")[2]
        changes = m.policy(fact.sku, location).expiring_days != fact.expiring_days
        m.set_policy(fact.sku, location, policy_of(fact))
        left = _renew_days(m, fact.sku, location, left) if changes else left
    return m.decision()


def window_continued(view: View, fact: r.WindowContinued, at: At, log: PartitionRow) -> Decision:
    m = Movements(view, at, log)
    left = LOTS_MAX
    for key in view.below(f"stock|{fact.sku}|"):
        left = _renew_days(m, fact.sku, key.rpartition("|")[2], left)
    return m.decision()


def _renew_days(m: Movements, sku: str, location: str, left: int) -> int:
    """The first lots there whose next day is not what their shelf's policy says get it; how many more may, in all."""
    for lot in m.lots(sku, location):
        stale = m.due(lot) != lot.due
        if stale and not left:
            m.more = True
            break
        m.move(lot)
        left -= stale
    return left


def continued(fact: r.PolicySet | r.WindowContinued, at: At, log: PartitionRow) -> Send:
    """The note to this partition itself that goes on with the next lots, numbered from 1."""
    cause, number = stem(fact), 1
    if isinstance(fact, r.WindowContinued):
        said = fact.id.rpartition(":")[2]
        cause, number = fact.cause, int(said) + 1 if said.isdecimal() else at.place
    return Send(WAREHOUSE, log.partition, None, r.WindowContinued(id=f"{cause}:{number}", cause=cause, sku=fact.sku))


def policy_of(fact: r.PolicySet) -> Policy:
    return Policy(
        fact.reorder_point, fact.hysteresis, fact.safety_stock, fact.expiring_days, fact.count_tolerance,
        fact.backorder_limit, fact.backorder_due or "",
    )  # fmt: skip


def channel_stock_set(view: View, fact: r.ChannelStockSet, at: At, log: PartitionRow) -> Decision:
    m = Movements(view, at, log)
    m.add(ShareEffect(fact.sku, fact.location, Share(fact.channel, fact.ring_fence, fact.buffer)))
    m.stock(fact.sku, fact.location)
    return m.decision()


def sku_defined(view: View, fact: r.SkuDefined, at: At, log: PartitionRow) -> Decision:
    """Only the master changes."""
    return Decision(())
