"""What an import has to say when it is done. Pure: counts in, one document out."""

from __future__ import annotations

from typing import Any

from connectors.files.importer import Imported
from connectors.files.plan import Plan


def summary(plan: Plan, done: Imported, seconds: float) -> dict[str, Any]:
    """`classes` add up to `rows`; `seconds`: the whole import; `orders_per_second`: without the reading of the file."""
    assert sum(plan.classes.values()) == plan.rows, "classes of rows do not add up to the rows"
    return {
        "file": plan.name,
        "preset": plan.preset.name,
        "import_id": plan.import_id,
        "rows": plan.rows,
        "classes": plan.classes,
        "skus": len(plan.receipts),
        "units_received": done.units_received,
        "dead_letters": len(plan.dead),
        "cancellations": len(plan.cancels) + plan.unmatched,
        "unmatched_cancellations": plan.unmatched,
        "orders": {"placed": done.placed, **done.statuses, "reasons": done.reasons},
        "orders_sent_now": done.sent_orders,
        "orders_decided_otherwise": done.otherwise,
        "units_given_back": done.units_given_back,
        "seconds": round(seconds, 3),
        "orders_per_second": round(done.sent_orders / done.seconds, 1) if done.seconds else 0.0,
    }
