"""A recommendation, in figures and in words.

Pure. Guarantees: whatever changed a quantity is told in the reason, with its figures. Does not belong here: decisions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from forecasting.model import HORIZON_DAYS
from forecasting.policy.calendar import iso
from forecasting.policy.drafts import Draft
from forecasting.policy.terms import Outlook, Stock, Terms
from tables.records import SupplierTerms

CHANGE_WORTH_SAYING = 0.05  # of order-up-to: a smaller change is no news to a buyer


@dataclass(frozen=True, slots=True)
class Advice:
    """One recommendation; `order_by` is empty when nothing is due within the horizon. `kind`: purchase or transfer."""

    quantity: int
    order_by: str
    reorder_point: int
    order_up_to: int
    safety_stock: int
    position: int
    lead_days: int
    reason: str
    kind: str = "purchase"
    supplier: str = ""
    from_location: str = ""
    needed: int = 0
    cost_cents: int = 0
    expected: str = ""

    def withdrawn(self) -> Advice:
        """For a place where nothing is bought or moved to any more."""
        return replace(
            self, quantity=0, needed=0, cost_cents=0, order_by="", expected="",
            reason="Nothing is to be bought or moved here any more: the SKU is supplied in another way.",
        )  # fmt: skip

    def is_news_after(self, before: Advice | None) -> bool:
        """Whether a buyer would act differently than on `before`."""
        if before is None or (self.quantity > 0) != (before.quantity > 0) or self.order_by != before.order_by:
            return True
        if self._how() != before._how() or self.cost_cents * before.quantity != before.cost_cents * self.quantity:
            return True
        least = max(1.0, CHANGE_WORTH_SAYING * max(self.order_up_to, before.order_up_to))
        return (
            abs(self.quantity - before.quantity) >= least
            or abs(self.reorder_point - before.reorder_point) >= least
            or abs(self.order_up_to - before.order_up_to) >= least
        )

    def _how(self) -> tuple[str, str, str, str]:
        return self.kind, self.supplier, self.from_location, self.expected


def advice_of(draft: Draft, terms: Terms, supplier: SupplierTerms | None) -> Advice:
    levels, outlook, delivery = draft.levels, draft.outlook, draft.moving or draft.delivery
    due_days = None
    if not draft.stock.discontinued:
        if draft.needed or draft.quantity:
            due_days = max(0, delivery.order_day - outlook.first_day) if draft.kind == "purchase" else 0
        else:
            # At the reorder point and yet at what is ordered up to, as what never sells is, there is nothing to buy.
            due_days = _days_until(outlook, draft.position - min(levels.reorder_point, levels.order_up_to - 1))
    doubt = [] if outlook.status == "ok" else ["Too little history: the forecast leans on other series."]
    return Advice(
        quantity=draft.quantity,
        order_by="" if due_days is None else iso(outlook.first_day + due_days),
        reorder_point=levels.reorder_point,
        order_up_to=levels.order_up_to,
        safety_stock=levels.safety_stock,
        position=draft.position,
        lead_days=delivery.arrival_day - delivery.order_day,
        reason=" ".join([
            f"{_verdict(draft, terms, due_days)}: {_figures(draft.stock, outlook.first_day)};"
            f" {_need(draft, terms, supplier)}; {outlook.level:.2f} a day lately.", *draft.notes, *doubt,
        ]),
        kind=draft.kind,
        supplier=(draft.supply.supplier or "") if draft.kind == "purchase" else "",
        from_location=draft.from_location,
        needed=draft.needed,
        cost_cents=draft.cost_cents,
        expected=iso(delivery.arrival_day) if draft.quantity else "",
    )  # fmt: skip


def _verdict(draft: Draft, terms: Terms, due_days: int | None) -> str:
    up_to = f"up to {draft.levels.order_up_to} ({terms.cover_days} days more)"
    if draft.stock.discontinued:
        return "No purchase: the SKU is discontinued"
    if draft.kind == "transfer" and draft.needed and not draft.quantity:
        return f"Nothing of the {draft.needed} needed can be brought from {draft.from_location}"
    if draft.kind == "transfer" and draft.quantity:
        return f"Bring {draft.quantity} from {draft.from_location}, {up_to}"
    if draft.quantity:
        return f"Buy {draft.quantity} {'on ' + iso(draft.delivery.order_day) if due_days else 'today'}, {up_to}"
    if draft.needed:
        return f"No purchase of the {draft.needed} needed"
    if due_days is None:
        return f"No {draft.kind} within {HORIZON_DAYS} days"
    return f"No {draft.kind} yet, expected in {due_days} {'day' if due_days == 1 else 'days'}"


def _figures(stock: Stock, today: int) -> str:
    late = [(day, units) for day, units in stock.arrivals if day < today]
    overdue = f" ({sum(units for _, units in late)} of it overdue, since {iso(min(late)[0])})" if late else ""
    return (
        f"position {stock.position} = {stock.available} available"
        + (f" + {stock.incoming} incoming{overdue}" if stock.incoming else "")
        + (f" - {stock.owed} owed" if stock.owed else "")
    )


def _need(draft: Draft, terms: Terms, supplier: SupplierTerms | None) -> str:
    levels, delivery, today = draft.levels, draft.delivery, draft.outlook.first_day
    lead_days = delivery.arrival_day - today
    if supplier is not None:
        span = f"{levels.exposed_days} days, until what {supplier.supplier} is asked for a chance later is there"
        span += " and moved on" if draft.beyond_days else ""
    else:
        span = f"{lead_days} days lead time + {levels.exposed_days - draft.beyond_days - lead_days} review"
        span += f" + {draft.beyond_days} to move it on" if draft.beyond_days else ""
    return (
        f"reorder point {levels.reorder_point} = {100 * terms.service:.3g}% quantile of demand over {span}"
        f" ({levels.expected:.1f} expected, {levels.safety_stock} safety)"
    )


def _days_until(outlook: Outlook, units: int) -> int | None:
    """After how many days expected demand has used up `units`; `None` beyond the horizon."""
    left = float(units)
    for ahead, mean in enumerate(outlook.mean(HORIZON_DAYS), start=1):
        left -= mean
        if left <= 0:
            return ahead
    return None
