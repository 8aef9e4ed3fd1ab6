"""What one SKU wants at one place, before it is shared out: units needed, packs, minimum of the SKU, shelf life.

Pure but for the draft itself, which the later steps change (`quantity`, `kind`, `notes`) until advice is made of it.
Guarantees: a quantity is 0 or a multiple of the case pack, and never above what is owed and sells within shelf life.
Does not belong here: other places, other SKUs of the supplier.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from forecasting.policy.calendar import Delivery
from forecasting.policy.levels import Levels
from forecasting.policy.terms import Outlook, Stock
from tables.records import Supply

SHELF_LIFE_PROBABILITY = 0.9


@dataclass(slots=True)
class Draft:
    sku: str
    location: str
    outlook: Outlook
    stock: Stock
    position: int
    levels: Levels
    delivery: Delivery
    supply: Supply
    cap: int | None = None  # units that may be bought at once for shelf life
    needed: int = 0
    quantity: int = 0
    kind: Literal["purchase", "transfer"] = "purchase"
    from_location: str = ""
    beyond_days: int = 0  # of the days its levels are for, those in which goods are moved on from the centre
    moving: Delivery | None = None  # of what comes from another place instead of the supplier its levels are for
    notes: list[str] = field(default_factory=list)

    @property
    def cost_cents(self) -> int:
        return self.quantity * self.supply.unit_cost_cents if self.kind == "purchase" else 0

    @property
    def least(self) -> int:
        """The fewest units that can be bought."""
        return in_packs(max(1, self.supply.minimum_quantity), self.supply.case_pack)

    def room(self) -> int:
        """Units that shelf life leaves beside `quantity`, in whole packs; a billion where goods keep."""
        left = 10**9 if self.cap is None else self.cap - self.quantity
        return max(0, left) // self.supply.case_pack * self.supply.case_pack


def want(draft: Draft) -> Draft:
    """What to buy for this place alone, if anything: the first step of every draft."""
    if draft.stock.discontinued or draft.position > draft.levels.reorder_point:
        return draft
    draft.needed = max(0, draft.levels.order_up_to - draft.position)
    return draft


def buy(draft: Draft) -> Draft:
    """`needed` as a purchase: packs, the minimum of the SKU, shelf life."""
    supply, wanted = draft.supply, draft.needed
    draft.cap = cap_of(draft)
    if not wanted:
        return draft
    quantity = max(draft.least, in_packs(wanted, supply.case_pack))
    if quantity != wanted:
        draft.notes.append(f"{wanted} needed; {_packs(supply)} make it {quantity}.")
    if draft.cap is not None and quantity > draft.cap:
        quantity = draft.cap // supply.case_pack * supply.case_pack
        quantity = 0 if quantity < draft.least else quantity
        draft.notes.append(
            f"Shelf life of {supply.shelf_life_days} days: no more than {draft.cap} would sell in it beside what is"
            f" there, so {quantity}."
        )
    draft.quantity = quantity
    return draft


def cap_of(draft: Draft) -> int | None:
    """Demand that goods bought now may hope for: the .9 quantile over their shelf life, less what is left then.

    What is owed beyond all that is there or coming waits for them, and is gone at once.
    """
    days = draft.supply.shelf_life_days
    if not days:
        return None
    left = draft.position - draft.outlook.total_mean(draft.delivery.arrival_day - draft.outlook.first_day)
    waiting = max(0, -draft.position)
    return waiting + max(0, int(draft.outlook.total_quantile(days, SHELF_LIFE_PROBABILITY) - max(0.0, left)))


def in_packs(units: int, pack: int) -> int:
    """Up to whole packs."""
    return -(-units // pack) * pack


def _packs(supply: Supply) -> str:
    return f"packs of {supply.case_pack}" + (
        f" and a minimum of {supply.minimum_quantity}" if supply.minimum_quantity else ""
    )
