"""From forecasts, stock and plans to a recommendation per SKU and location: the order of the steps, and nothing else.

Pure. SKUs that share a supplier with a budget or a minimum must come together (`Plans.groups` says which do).
Guarantees: the same input gives the same words, in whatever order SKUs and places come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from forecasting.policy.advice import Advice, advice_of
from forecasting.policy.calendar import Delivery, delivery
from forecasting.policy.drafts import Draft, buy, want
from forecasting.policy.levels import Pooled, levels
from forecasting.policy.sharing import refill, spare, transfer
from forecasting.policy.suppliers import settle
from forecasting.policy.terms import Outlook, Stock, Terms
from tables.records import SupplierTerms, Supply


@dataclass(frozen=True, slots=True)
class Place:
    """A location of a SKU: without an outlook nothing was ever asked for there, and what it has it can give."""

    stock: Stock
    outlook: Outlook | None = None


class Known(Protocol):
    """What plans must answer (`forecasting.plans`)."""

    def supply(self, sku: str) -> Supply: ...

    def supplier(self, name: str | None) -> SupplierTerms | None: ...

    def budget_left(self, supplier: SupplierTerms, day: int) -> int | None: ...


Key = tuple[str, str]  # (sku, location)


def plan(skus: Mapping[str, Mapping[str, Place]], known: Known, terms: Terms) -> dict[Key, Advice]:
    """Advice for every place that has an outlook, and for every centre."""
    drafts = [draft for sku in sorted(skus) for draft in _of_sku(skus[sku], known.supply(sku), known, terms)]
    by_supplier: dict[str, list[Draft]] = {}
    for draft in drafts:
        if draft.kind == "purchase" and draft.supply.supplier:
            by_supplier.setdefault(draft.supply.supplier, []).append(draft)
    for name, theirs in by_supplier.items():
        supplier = known.supplier(name)
        if supplier is not None:
            settle(theirs, supplier, known.budget_left(supplier, theirs[0].delivery.order_day))
    return {
        (draft.sku, draft.location): advice_of(
            draft, terms, known.supplier(draft.supply.supplier) if draft.kind == "purchase" or draft.moving else None
        )
        for draft in drafts
    }


def advise(outlook: Outlook, stock: Stock, terms: Terms, *, sku: str = "SKU", known: Known | None = None) -> Advice:
    """The advice for one SKU at one place."""
    return plan({sku: {"MAIN": Place(stock, outlook)}}, known or _Nothing(), terms)[sku, "MAIN"]


def receipt_day(
    today: int, location: str, supply: Supply, known: Known, terms: Terms, centre: Stock | None = None
) -> int:
    """The day on which what is ordered or sent for at the next chance is there. An empty `centre` sends nothing before
    it has got something itself; what is under way to it without a day, or late, is taken to be there."""
    bought = delivery(today, terms, known.supplier(supply.supplier)).arrival_day
    if supply.central is None or location == supply.central:
        return bought
    centre = centre or Stock()
    later = [(day, units) for day, units in centre.arrivals if day > today]
    there = centre.position - sum(units for _, units in later)
    sent = today if there > 0 else min([bought, *(day for day, _ in later)])
    return _moving(sent, supply, terms).arrival_day


def _of_sku(places: Mapping[str, Place], supply: Supply, known: Known, terms: Terms) -> Sequence[Draft]:
    outlooks = {name: place.outlook for name, place in sorted(places.items()) if place.outlook is not None}
    if not outlooks:
        return []
    today = next(iter(outlooks.values())).first_day
    coming = delivery(today, terms, known.supplier(supply.supplier))
    if supply.central is not None:
        return _central(places, outlooks, supply, supply.central, coming, terms)
    drafts = [
        want(_draft(supply, name, outlook, places[name].stock, coming, terms)) for name, outlook in outlooks.items()
    ]
    if len(places) > 1:
        enough = {draft.location: draft.levels.order_up_to for draft in drafts}
        transfer(drafts, {
            name: spare(place.stock.available, place.stock.position, enough.get(name, 0))
            for name, place in sorted(places.items()) if not place.stock.discontinued
        })  # fmt: skip
    for draft in drafts:
        if draft.kind == "purchase":
            buy(draft)
        else:
            draft.moving = _moving(today, supply, terms)
    return drafts


def _central(
    places: Mapping[str, Place], outlooks: Mapping[str, Outlook], supply: Supply, central: str, coming: Delivery,
    terms: Terms,
) -> list[Draft]:  # fmt: skip
    """Goods are bought for the demand and the stock of all places together; the others are refilled from the centre."""
    pooled = Pooled([outlooks[name] for name in sorted(outlooks)])
    moving = _moving(pooled.first_day, supply, terms)
    others = [
        want(_draft(supply, name, outlook, places[name].stock, moving, terms))
        for name, outlook in outlooks.items() if name != central
    ]  # fmt: skip
    for draft in others:  # also those without a need: none of them is a purchase, whatever its supplier takes at least
        draft.kind, draft.from_location = "transfer", central
    here = places[central].stock if central in places else Stock()
    kept = 0
    if central in outlooks:
        kept = levels(outlooks[central], _exposed(pooled.first_day, moving), 0, terms.service).reorder_point
    refill(others, central, max(0, here.available - here.owed - kept))
    everywhere = _together([place.stock for place in places.values()])
    bought = _draft(supply, central, pooled, everywhere, coming, terms, beyond_days=supply.transfer_days)
    return [*others, buy(want(bought))]


def _draft(
    supply: Supply, location: str, outlook: Outlook, stock: Stock, coming: Delivery, terms: Terms, beyond_days: int = 0
) -> Draft:
    enough = levels(outlook, _exposed(outlook.first_day, coming) + beyond_days, terms.cover_days, terms.service)
    return Draft(supply.sku, location, outlook, stock, stock.position, enough, coming, supply, beyond_days=beyond_days)


def _exposed(today: int, coming: Delivery) -> int:
    return coming.next_arrival_day - today


def _moving(today: int, supply: Supply, terms: Terms) -> Delivery:
    arrival = today + supply.transfer_days
    return Delivery(today, arrival, arrival + terms.review_days)


def _together(stocks: Sequence[Stock]) -> Stock:
    return Stock(
        sum(x.available for x in stocks), sum(x.shortage for x in stocks), sum(x.incoming for x in stocks),
        sum(x.backordered for x in stocks), all(x.discontinued for x in stocks),
        tuple(sorted(arrival for x in stocks for arrival in x.arrivals)),
    )  # fmt: skip


class _Nothing:
    """No plans: everybody is supplied by the terms alone."""

    def supply(self, sku: str) -> Supply:
        return Supply(id="none", sku=sku)

    def supplier(self, name: str | None) -> SupplierTerms | None:
        return None

    def budget_left(self, supplier: SupplierTerms, day: int) -> int | None:
        return None
