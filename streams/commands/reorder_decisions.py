"""Writes what was decided about a recommendation: the order or transfer to the stock log, then the decision.

Guarantees: an order is acknowledged before its decision is written, so a decision never speaks of an order that is not
there; after a failure the same decision again is the same order. A transfer is never larger than what its source has
left as far as is known by then. Of two who accept the same at once, the one whose order is first on the log decided,
and the other is told so. What may not be written is refused field by field.
Does not belong here: which recommendation, and whether it may still be decided.
"""

from __future__ import annotations

from typing import Any

from connectors.outlet import DeliveryFailed
from forecasting.decisions import decision_fields, order_fields, reference_of
from forecasting.plans import Plans
from forecasting.stock import Level, level_of
from streams.commands.composing import Wrong, outlet_to, record_of, write
from streams.commands.output import fail
from streams.commands.planned import plans
from streams.commands.published import newest_of_keys
from streams.commands.telling_file import refuse
from streams.reader import last_offsets, read_to_end
from streams.settings import Settings
from streams.topics import STOCK_LEVELS, WAREHOUSE
from tables import records as r
from tables.codec import STOCK_LOG
from tables.murmur2 import partition_of


class NotAccepted(Exception):
    """Nothing was ordered. The message says why, and what to do instead."""


class Decider:
    """Of one person, with one reason; `close` waits until everything is written."""

    def __init__(self, settings: Settings, by: str, reason: str) -> None:
        self._settings, self._by, self._reason = settings, by, reason
        self._outlet = outlet_to(settings)
        self._since = last_offsets(settings, WAREHOUSE.name)  # of before anything is read to decide on
        self._plans = Plans()
        for record in plans(settings).values():
            self._plans.take(record)

    def accept(self, reorder: r.Reorder, quantity: int) -> r.ReorderDecision:
        """Raises `NotAccepted`."""
        # Where nothing was recommended no cost was, and the supplier's budget is spent all the same.
        cost = 0 if reorder.quantity else self._plans.supply(reorder.sku).unit_cost_cents
        kind, fields = order_fields(reorder, quantity)
        order = _made(kind, fields)
        said = decision_fields(reorder, "accepted", quantity, self._by, self._reason, cost)
        _made(r.ReorderDecision, said)  # whatever is wrong with the decision is said before anything is ordered
        found = newest_of_keys(self._settings, STOCK_LEVELS, r.StockLevels, [reorder.sku]).get(reorder.sku)
        level = None if found is None else level_of(found)
        if level is not None and level.discontinued and reorder.quantity:
            raise NotAccepted(
                f"{reorder.sku} at {reorder.location}: the SKU is discontinued since this was recommended. Wait for the"
                " next run, which takes it back; what is wanted all the same can be accepted then, with --quantity"
            )
        if level is not None and reorder.kind == "transfer":
            self._require_units(level, reorder, quantity)
        self._write(order)
        self._flush()
        self._require_first(order)
        place = {} if level is None else {
            "log_id": level.version[0], "offset": self._outlet.last_offset(WAREHOUSE)
        }  # fmt: skip
        decision = self._decide(said | place)
        self._plans.take(decision)  # the next transfer from there finds less
        return decision

    def dismiss(self, reorder: r.Reorder) -> r.ReorderDecision:
        if not self._reason.strip():
            refuse(["reason: give one: it is what the history is for"], "smokehouse reorders dismiss --help")
        return self._decide(decision_fields(reorder, "dismissed", 0, self._by, self._reason))

    def close(self) -> None:
        self._flush()

    def _require_units(self, level: Level, reorder: r.Reorder, quantity: int) -> None:
        """It was planned on what there was then."""
        if (reorder.location, reference_of(reorder)) in level.references:
            return  # it left already, when the decision was lost: it is not taken twice
        there = level.at(reorder.from_location, self._plans).available
        if quantity > there:
            less = f"Bring at most {there} with --quantity, or wait" if there else "Wait"
            raise NotAccepted(
                f"{reorder.sku} at {reorder.location}: {quantity} cannot be brought from {reorder.from_location}, where"
                f" {there} are available now. {less} for the next run: it plans with what is there"
            )

    def _require_first(self, order: r.PurchaseOrdered | r.TransferredOut) -> None:
        """The stock agent takes the first of an id; a decision of ours would speak of another order."""
        partition, ours = partition_of(order.sku, len(self._since)), self._outlet.last_offset(WAREHOUSE)
        since = {partition: self._since[partition]}
        for batch in read_to_end(self._settings, WAREHOUSE.name, [partition], since, contiguous=True):
            for record in (x for message in batch if message.offset() < ours for x in STOCK_LOG.items(message.value())):
                if isinstance(record, type(order)) and record.id == order.id:
                    raise NotAccepted(
                        f"{order.sku}: somebody else accepted this a moment ago ({record.quantity} units). Nothing more"
                        " is ordered"
                    )

    def _decide(self, fields: dict[str, Any]) -> r.ReorderDecision:
        decision = _made(r.ReorderDecision, fields)
        self._write(decision)
        return decision

    def _write(self, record: r.Record) -> None:
        try:
            write(self._outlet, record)
        except DeliveryFailed as error:
            _not_written(error)

    def _flush(self) -> None:
        try:
            self._outlet.flush()
        except DeliveryFailed as error:
            _not_written(error)


def _made(kind: type[r.Record], fields: dict[str, Any]) -> Any:
    try:
        return record_of(kind, fields)
    except Wrong as wrong:
        refuse(list(wrong.args), "smokehouse reorders accept --help")


def _not_written(error: DeliveryFailed) -> None:
    fail(f"{error}. The same decision again orders nothing twice")
