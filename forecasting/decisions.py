"""From a recommendation to what is done about it: the order or transfer, the decision, and where both stand.

Pure. Guarantees: the order's id and reference follow from the recommendation (SKU, location, run) alone, so that a
recommendation accepted twice is ordered once. Does not belong here: who may decide, how records are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from forecasting.planning import decision_key
from tables import records as r

State = Literal["open", "accepted", "dismissed", "nothing"]
Key = tuple[str, str]


class Recommended(NamedTuple):
    """The newest recommendation of a SKU at a location, and what was decided about it."""

    reorder: r.Reorder
    decision: r.ReorderDecision | None

    @property
    def state(self) -> State:
        if self.decision is not None:
            return self.decision.decision
        return "open" if self.reorder.quantity else "nothing"


def recommended(
    reorders: Iterable[r.Reorder], decisions: Mapping[str, r.ReorderDecision]
) -> dict[Key, Recommended]:
    """By SKU and location, the most urgent first. `reorders` in log order; `decisions` by their key in the topic."""
    newest = {(x.sku, x.location): x for x in reorders}
    found = [Recommended(x, decisions.get(decision_key(x.sku, x.location, x.run))) for x in newest.values()]
    found.sort(key=lambda x: (x.reorder.order_by or "9999", x.reorder.position - x.reorder.reorder_point, x.reorder.sku,
                              x.reorder.location))  # fmt: skip
    return {(x.reorder.sku, x.reorder.location): x for x in found}


def within(found: Iterable[Recommended], cents: int) -> tuple[list[Recommended], list[Recommended]]:
    """What is open, the most urgent first: what all together costs at most so much, and the rest.

    A purchase whose cost is not known is of the rest: a rule cannot answer for it.
    """
    taken, left_over = [], []
    for x in found:
        cost = x.reorder.cost_cents
        if x.state != "open":
            continue
        if (cost or x.reorder.kind == "transfer") and cost <= cents:
            cents -= cost
            taken.append(x)
        else:
            left_over.append(x)
    return taken, left_over


def reference_of(reorder: r.Reorder) -> str:
    """One purchase order per run and supplier, one transfer per run and pair of places: at most 64 characters."""
    other = reorder.supplier if reorder.kind == "purchase" else f"{reorder.from_location}>{reorder.location}"
    tail = f"-{blake2b(other.encode(), digest_size=3).hexdigest()}" if other else ""
    return f"{'PO' if reorder.kind == 'purchase' else 'TR'}-{reorder.run}{tail}"


def order_fields(reorder: r.Reorder, quantity: int) -> tuple[type[r.Record], dict[str, Any]]:
    """The record of the stock log that does it, as fields of its type."""
    fields: dict[str, Any] = {
        "id": f"reorder:{reorder.sku}|{reorder.location}|{reorder.run}", "sku": reorder.sku, "quantity": quantity,
        "reference": reference_of(reorder),
    } | ({"expected": reorder.expected} if reorder.expected else {})  # fmt: skip
    if reorder.kind == "transfer":
        return r.TransferredOut, fields | {"location": reorder.from_location, "to": reorder.location}
    return r.PurchaseOrdered, fields | {"location": reorder.location, "supplier": reorder.supplier}


def decision_fields(
    reorder: r.Reorder, decision: Literal["accepted", "dismissed"], quantity: int, by: str, reason: str,
    unit_cost_cents: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """What was taken against what was recommended. Of a changed quantity the cost is the same per unit; where nothing
    was recommended, `unit_cost_cents` of a purchase."""
    cents = quantity * unit_cost_cents if reorder.kind == "purchase" else 0
    if reorder.quantity:
        cents = round(reorder.cost_cents * quantity / reorder.quantity)
    return {
        "id": f"{decision_key(reorder.sku, reorder.location, reorder.run)}:{decision}", "sku": reorder.sku,
        "location": reorder.location, "run": reorder.run, "decision": decision, "quantity": quantity,
        "recommended": reorder.quantity, "kind": reorder.kind, "supplier": reorder.supplier or None,
        "from_location": reorder.from_location or None, "cost_cents": cents,
        # Where nothing was recommended, that is the day on which something is expected to be: the order is of now.
        "order_by": (reorder.order_by if reorder.quantity else "") or None,
        "by": by, "reason": reason,
        "reference": reference_of(reorder) if decision == "accepted" else None,
    }  # fmt: skip


def summary(decisions: Iterable[r.ReorderDecision]) -> dict[str, int | float | None]:
    """How advice fared: taken as it was, changed (and by how much in all), dismissed."""
    listed = list(decisions)
    accepted = [x for x in listed if x.decision == "accepted"]
    changed = [x for x in accepted if x.quantity != x.recommended]
    advised = sum(x.recommended for x in accepted)
    return {
        "decisions": len(listed), "as_recommended": len(accepted) - len(changed), "changed": len(changed),
        "dismissed": len(listed) - len(accepted),
        "taken_of_recommended": round(sum(x.quantity for x in accepted) / advised, 3) if advised else None,
    }  # fmt: skip
