"""From another place before from a supplier: surplus of one location for the need of another; a central buffer.

Changes drafts of one SKU. Guarantees: no place gives more than it has, nor what it needs itself (above its order-up-to
level; the centre, above its own reorder point); a place with a need gives nothing. Does not belong here: purchases.
"""

from __future__ import annotations

from collections.abc import Collection

from forecasting.policy.drafts import Draft


def transfer(drafts: Collection[Draft], surplus: dict[str, int]) -> None:
    """Where one other place can lift a position above its reorder point, units come from there; the neediest first.

    `surplus`: units each location can spare; what is given is taken off.
    """
    for draft in sorted(drafts, key=_urgency):
        if not draft.needed:
            continue
        giver = max(
            (place for place in surplus if place != draft.location), key=lambda x: (surplus[x], x), default=None
        )
        units = min(draft.needed, surplus[giver]) if giver is not None else 0
        if giver is None or draft.position + units <= draft.levels.reorder_point:
            continue
        surplus[giver] -= units
        _bring(draft, giver, units)
        draft.notes.append(f"{giver} has {units + surplus[giver]} more than it needs.")


def refill(drafts: Collection[Draft], central: str, there: int) -> None:
    """Places are refilled from the centre with what is `there`, the neediest first."""
    for draft in sorted(drafts, key=_urgency):
        if not draft.needed:
            continue
        units = min(draft.needed, there)
        there -= units
        _bring(draft, central, units)
        if units < draft.needed:
            draft.notes.append(f"{central} has no more than {units} of the {draft.needed} needed.")


def spare(available: int, position: int, order_up_to: int) -> int:
    """Units a place can give: there today, and above what it orders up to."""
    return max(0, min(available, position - order_up_to))


def _bring(draft: Draft, giver: str, units: int) -> None:
    draft.kind, draft.from_location, draft.quantity = "transfer", giver, units


def _urgency(draft: Draft) -> tuple[int, str]:
    return draft.position - draft.levels.reorder_point, draft.location
