"""All purchases of one supplier together: what may be spent, and the least it takes.

Changes drafts. Guarantees: with a budget, the cost of all of them stays within it; packs, minimum of a SKU and shelf
life hold as before; an order is at or above the supplier's minimum or is not placed; every cut is told in the draft.
Units without a known cost cost nothing here. Does not belong here: which SKUs are of this supplier.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from forecasting.policy.drafts import Draft
from forecasting.policy.levels import lost_sales, mean_lost
from tables.records import SupplierTerms

STEPS = 20  # parts a purchase is cut into, where a budget is shared out
RAISE_DAYS = 28  # further days of demand that may be bought ahead to reach a supplier's minimum


def settle(drafts: Sequence[Draft], supplier: SupplierTerms, budget_cents: int | None) -> None:
    """`budget_cents`: what is left of this period's; None: no limit."""
    buys = [draft for draft in drafts if draft.kind == "purchase" and not draft.stock.discontinued]
    if budget_cents is not None:
        budget_cents = max(0, budget_cents)
        _within(buys, supplier.supplier, budget_cents)
    _at_least(buys, supplier, budget_cents)


# -- the budget --------------------------------------------------------------------------------------------------------


def _within(buys: Sequence[Draft], supplier: str, budget_cents: int) -> None:
    """Spend where a cent saves most lost sales, pack by pack; the same units save less the more of them there are."""
    priced = [draft for draft in buys if draft.cost_cents]
    if sum(draft.cost_cents for draft in priced) <= budget_cents:
        return
    wanted = [draft.quantity for draft in priced]
    totals = [lost_sales(draft.outlook, draft.levels.exposed_days) for draft in priced]
    granted, left = [0] * len(priced), budget_cents

    def offer(n: int) -> tuple[float, int, int, int]:
        draft = priced[n]
        pack = draft.supply.case_pack
        step = min(wanted[n] - granted[n], max(pack, wanted[n] // pack // STEPS * pack))
        step = step if granted[n] else max(step, draft.least)
        have = draft.position + granted[n]
        saved = mean_lost(totals[n], have) - mean_lost(totals[n], have + step)
        return -saved / (step * draft.supply.unit_cost_cents), have - draft.levels.reorder_point, n, step

    offers = [offer(n) for n in range(len(priced))]
    heapify(offers)
    while offers:
        _, _, n, step = heappop(offers)
        draft = priced[n]
        pack = draft.supply.case_pack
        affordable = left // draft.supply.unit_cost_cents // pack * pack
        units = min(step, affordable)
        if units < step and units + granted[n] < draft.least:
            continue
        granted[n] += units
        left -= units * draft.supply.unit_cost_cents
        if units == step and granted[n] < wanted[n]:
            heappush(offers, offer(n))
    for draft, before, units in zip(priced, wanted, granted, strict=True):
        draft.quantity = units
        if units < before:
            draft.notes.append(
                f"Budget: {money(budget_cents)} left for {supplier} in this period; {before - units} of {before} cut."
            )


# -- the minimum of an order -------------------------------------------------------------------------------------------


def _at_least(buys: Sequence[Draft], supplier: SupplierTerms, budget_cents: int | None) -> None:
    """Buy ahead what would be needed next until the order is large enough; where that cannot be, order nothing."""
    if not any(draft.quantity for draft in buys) or _lacks(buys, supplier) <= (0, 0):
        return
    before = [draft.quantity for draft in buys]
    why_not = _raise(buys, supplier, budget_cents)
    wanted = f"{supplier.supplier} takes orders from " + " and ".join(
        part for part in (
            f"{supplier.minimum_units} units" if supplier.minimum_units else "",
            money(supplier.minimum_cents) if supplier.minimum_cents else "",
        ) if part
    )  # fmt: skip
    if max(_lacks(buys, supplier)) > 0:
        for draft, units in zip(buys, before, strict=True):
            draft.quantity = 0
            if units:
                draft.notes.append(f"{wanted}, and {why_not}: {units} wait.")
        return
    for draft, units in zip(buys, before, strict=True):
        if draft.quantity > units:
            draft.notes.append(f"{wanted}: {draft.quantity - units} of them ahead of need.")


def _raise(buys: Sequence[Draft], supplier: SupplierTerms, budget_cents: int | None) -> str:
    """Whoever would run out first is bought more of, within shelf life, budget and `RAISE_DAYS` of demand; what would
    stand against more."""
    why_not = f"no more is needed of it within {RAISE_DAYS} days"
    left = None if budget_cents is None else budget_cents - sum(draft.cost_cents for draft in buys)
    lasting = [(_cover_days(draft), n) for n, draft in enumerate(buys) if draft.outlook.level > 0]
    heapify(lasting)
    while lasting and max(_lacks(buys, supplier)) > 0:
        _, n = heappop(lasting)
        draft = buys[n]
        pack = draft.supply.case_pack
        ahead = int(draft.levels.order_up_to + RAISE_DAYS * draft.outlook.level) - draft.position - draft.quantity
        units = max(pack, ahead // STEPS // pack * pack) if draft.quantity else draft.least
        cost, useful = draft.supply.unit_cost_cents, min(draft.room(), ahead)
        most = useful if left is None or not cost else min(useful, left // cost)
        if units > most and draft.quantity:
            units = pack
        if units > most:
            if most < useful:
                why_not = "no more can be paid in this period"
            continue
        draft.quantity += units
        left = None if left is None else left - units * cost
        heappush(lasting, (_cover_days(draft), n))
    return why_not


def _lacks(buys: Sequence[Draft], supplier: SupplierTerms) -> tuple[int, int]:
    """Units and cents that the order is under its minimum."""
    units, cents = sum(draft.quantity for draft in buys), sum(draft.cost_cents for draft in buys)
    return max(0, supplier.minimum_units - units), max(0, supplier.minimum_cents - cents)


def _cover_days(draft: Draft) -> float:
    return (draft.position + draft.quantity) / draft.outlook.level


def money(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02d}"
