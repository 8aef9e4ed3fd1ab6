"""What a forecaster knows of plans: the newest record of each, what is spent, and what was ordered a moment ago.

Reads records of `planning`; no topics, no clock. The day of a decision is the one it was advised for, so that
replayed and simulated days work. Does not belong here: quantities (`policy`), bytes (`planning`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Set
from dataclasses import dataclass, field, replace
from datetime import date

from forecasting.planning import key_of
from forecasting.policy.calendar import period
from forecasting.policy.terms import Terms
from tables import records as r

BATCH = 256  # SKUs planned at a time, where nothing ties them


@dataclass(slots=True)
class Plans:
    """`share`: the part of every budget that is this forecaster's; others buy for the SKUs of the rest."""

    share: float = 1.0
    service: float | None = None
    promotions: dict[str, r.PromotionPlanned] = field(default_factory=dict)
    _supply: dict[str, r.Supply] = field(default_factory=dict)
    _suppliers: dict[str, r.SupplierTerms] = field(default_factory=dict)
    _accepted: dict[str, dict[str, r.ReorderDecision]] = field(default_factory=dict)  # SKU -> key of the decision
    _spent: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)  # supplier -> ... -> (day, cents)
    _by_supplier: dict[str, set[str]] = field(default_factory=dict)  # -> SKUs
    _moved: set[str] = field(default_factory=set)
    _moved_suppliers: set[str] = field(default_factory=set)
    _moved_everything: bool = False

    def take(self, record: r.PlanningRecord) -> None:
        """Take a record in, and note whose advice may change for it."""
        match record:
            case r.Supply():
                before = self.supply(record.sku).supplier
                if before and before != record.supplier:
                    self._by_supplier[before].discard(record.sku)
                    self._moved_suppliers.add(before)
                if record.supplier:
                    self._by_supplier.setdefault(record.supplier, set()).add(record.sku)
                self._supply[record.sku] = record
                self._moved.add(record.sku)
            case r.SupplierTerms():
                self._suppliers[record.supplier] = record
                self._moved_suppliers.add(record.supplier)
            case r.ReorderDecision():
                self._decided(record)
                self._moved.add(record.sku)
                if record.supplier:
                    self._moved_suppliers.add(record.supplier)
            case r.PromotionPlanned():
                self.promotions[record.promotion] = record
            case r.ServiceSet():
                self.service = record.service
                self._moved_everything = True

    @property
    def has_moved(self) -> bool:
        return self._moved_everything or bool(self._moved or self._moved_suppliers)

    def moved(self, skus: Collection[str]) -> set[str]:
        """Those of these SKUs whose advice may have changed since the last call."""
        found = set(skus) if self._moved_everything else self._moved.intersection(skus)
        for name in self._moved_suppliers:
            found |= self._of(name).intersection(skus)
        self._moved, self._moved_suppliers, self._moved_everything = set(), set(), False
        return found

    def supply(self, sku: str) -> r.Supply:
        return self._supply.get(sku) or r.Supply(id="none", sku=sku)

    def supplier(self, name: str | None) -> r.SupplierTerms | None:
        return self._suppliers.get(name) if name else None

    def terms(self, sku: str, otherwise: Terms) -> Terms:
        """How many days its supplier takes and leaves between orders; no calendar, but how rare its order days are."""
        supplier = self.supplier(self.supply(sku).supplier)
        if supplier is None:
            return otherwise
        rare = -(-7 // len(supplier.order_weekdays)) if supplier.order_weekdays else 1
        return replace(otherwise, lead_days=supplier.lead_days, review_days=max(supplier.review_days, rare))

    def groups(self, skus: Iterable[str]) -> Iterator[list[str]]:
        """These SKUs, and those they share a budget or a minimum with, in lists that can be planned one by one."""
        alone: list[str] = []
        sharing: set[str] = set()
        for sku in sorted(skus):
            terms = self.supplier(self.supply(sku).supplier)
            if terms is not None and (terms.budget_cents is not None or terms.minimum_units or terms.minimum_cents):
                sharing.add(terms.supplier)
            else:
                alone.append(sku)
        for start in range(0, len(alone), BATCH):
            yield alone[start : start + BATCH]
        yield from (sorted(self._of(name)) for name in sorted(sharing))

    def budget_left(self, supplier: r.SupplierTerms, day: int) -> int | None:
        """Cents that may still be spent here in the period of this day; `None`: no limit."""
        if supplier.budget_cents is None:
            return None
        spent = self.spent(supplier, day)
        return int(max(0, supplier.budget_cents - spent) * self.share)

    def spent(self, supplier: r.SupplierTerms, day: int) -> int:
        """Cents of purchases accepted in the period of this day, whoever recommended them."""
        now = period(day, supplier.review_days)
        found = self._spent.get(supplier.supplier, {}).values()
        return sum(cents for on, cents in found if period(on, supplier.review_days) == now)

    def under_way(
        self, sku: str, version: tuple[int, int, int], references: Collection[tuple[str, str]]
    ) -> dict[str, int]:
        """Units per location (taken away: negative) that were decided and that a level of this version cannot show yet.

        `references`: what the level shows as incoming, and where: an order for several places has one reference.
        """
        found: dict[str, int] = {}
        for x in self._accepted.get(sku, {}).values():
            if x.log_id == version[0] and x.offset > version[1] and (x.location, x.reference) not in references:
                found[x.location] = found.get(x.location, 0) + x.quantity
                if x.from_location is not None:
                    found[x.from_location] = found.get(x.from_location, 0) - x.quantity
        return found

    def _decided(self, x: r.ReorderDecision) -> None:
        key = key_of(x)
        for spent in self._spent.values():
            spent.pop(key, None)
        self._accepted.get(x.sku, {}).pop(key, None)
        if x.decision == "accepted":
            self._accepted.setdefault(x.sku, {})[key] = x
            if x.kind == "purchase" and x.supplier:
                self._spent.setdefault(x.supplier, {})[key] = ordered_on(x), x.cost_cents

    def _of(self, supplier: str | None) -> Set[str]:
        return self._by_supplier.get(supplier or "", set())


def ordered_on(x: r.ReorderDecision) -> int:
    """The day the order was advised for; without one the run's: the day after the closed one that names it."""
    return date.fromisoformat(x.order_by).toordinal() if x.order_by else date.fromisoformat(x.run[:10]).toordinal() + 1
