"""Runs a planned import: stock first, then the orders in file order, until every order is decided.

Reads: `reservations`, `stock-levels` for SKUs that are defined already, `dead-letters` for what an earlier run put
there, and both logs once some of its orders are decided (`earlier`). Writes: `warehouse`, `orders`, `dead-letters`.
Guarantee: at least once with the same bytes under the same ids, so that running it again, after a crash or on purpose,
changes nothing, and a longer file adds what is new in it. Resume point: the log itself (`decisions`): orders that are
decided are not sent again, and receive nothing again. One that was decided with other lines is, once: the order agent
then says `id_conflict`, because an order that grew is for somebody to edit.
Back-pressure: at most 1,000 orders are undecided at one time, because units claimed by orders that are refused a
moment later refuse others meanwhile.
Stock comes first without waiting for it to be applied: every receipt is acknowledged before the first order is sent,
and a reservation is asked for in the same partition of the same log as the receipt of its SKU, only after its order
was read, so it stands behind that receipt, and the only writer of the SKU reads it later.
Does not belong here: what the file says (`plan`), how records look (`speech`).
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from connectors.file_order import with_row
from connectors.files import earlier, speech
from connectors.files.decisions import Decisions
from connectors.files.known_skus import known_skus
from connectors.files.plan import Plan
from connectors.open_log import require_open_logs
from connectors.outlet import Outlet
from streams import reader
from streams.settings import Settings
from streams.topics import DEAD_LETTERS, ORDERS, RESERVATIONS, WAREHOUSE
from tables import records as r
from tables.codec import encode

UNDECIDED_MAX = 1_000
STALL_SECONDS = 120.0
POLL_SECONDS = 0.05
GIVE_BACK_SECONDS = 15.0  # without news after the last decision: what cancellations are still to say does not come


class ImportStalled(Exception):
    """Orders stay undecided. The message says how many and where to look."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an import. `sent_orders`: of them, in this run; the others were decided before, `otherwise` of
    them perhaps with other lines. `units_received`: for this import, by an earlier run of it too.
    """

    placed: int
    sent_orders: int
    statuses: dict[str, int]
    reasons: dict[str, int]
    units_received: int
    units_given_back: int
    otherwise: int
    seconds: float


def run_import(
    settings: Settings,
    plan: Plan,
    *,
    speed: float | None = None,
    stall_seconds: float = STALL_SECONDS,
    on_decided: Callable[[int], None] = lambda total: None,
    on_read: Callable[[int], None] = lambda records: None,
) -> Imported:
    """Import `plan`. `speed`: times the pace at which the orders came; None: as fast as they are decided.

    `on_decided` is told how many orders are, `on_read` of records as they are read to see what is known.
    `ImportStalled`, `DeliveryFailed` and `ReadError` end it; run again, it goes on where the log ends.
    """
    require_open_logs(settings)
    started = time.monotonic()
    outlet = Outlet(settings)
    wanted = [speech.order_id(plan, invoice) for invoice in plan.invoices]
    with contextlib.closing(reader.follow(settings, [RESERVATIONS.name])) as follower:
        decisions = Decisions(follower, wanted)
        decisions.catch_up()
        on_decided(len(wanted) - decisions.undecided)
        known = known_skus(settings, plan.receipts, on_read)
        units, cancelled = plan.receipts, {}
        received = sum(units.values())
        if decided := decisions.decided():  # of an earlier run, or of a shorter file
            before = earlier.received(settings, plan, on_read)
            cancelled = earlier.cancelled(settings, plan, on_read)
            left = plan.receipts_without({x for x in plan.invoices if speech.order_id(plan, x) in decided})
            units = {sku: n for sku, n in left.items() if sku not in before}
            received = sum(units.values()) + sum(before.values())
        for record in speech.receipts(plan, known, units):
            outlet.send(WAREHOUSE, record.sku.encode(), encode(record))
        letters = _dead_letters_there(settings) if plan.dead or decided else _DeadLetters(set(), set())
        for dead in plan.dead:
            if speech.dead_letter_id(plan, dead) not in letters.ids:
                outlet.send(DEAD_LETTERS, *speech.dead_letter(plan, dead))
        outlet.flush()
        run = _Run(outlet, decisions, cancelled, letters.contents, len(wanted), stall_seconds, on_decided)
        for event in _paced(speech.events(plan), speed, run):
            run.send(event.record, with_row(event.row))
        run.finish()
    return Imported(
        len(wanted), run.sent_orders, {name: decisions.statuses[name] for name in ("confirmed", "rejected", "expired")},
        dict(decisions.reasons.most_common()), received, decisions.units_given_back, run.otherwise,
        time.monotonic() - started,
    )  # fmt: skip


class _Run:
    """Orders on their way: sends, counts the undecided, waits when there are enough of them."""

    def __init__(
        self,
        outlet: Outlet,
        decisions: Decisions,
        cancelled: Mapping[str, str],
        refused: Collection[bytes],
        orders: int,
        stall_seconds: float,
        on_decided: Callable[[int], None],
    ) -> None:
        """`cancelled`: of an earlier import, cancellation -> the order it was said of. `refused`: records that are dead
        letters, as hashes."""
        self.sent_orders = 0
        self.otherwise = 0
        self._outlet = outlet
        self._decisions = decisions
        self._said = cancelled
        self._refused = refused
        self._orders = orders
        self._stall_seconds = stall_seconds
        self._on_decided = on_decided
        self._open: set[str] = set()
        self._cancelled: Counter[str] = Counter()
        self._last_news = time.monotonic()

    def send(self, record: r.OrderPlaced | r.CancelRequested, headers: list[tuple[str, bytes]]) -> None:
        """Send it, when fewer than 1,000 orders are undecided; an order that is decided is not sent again."""
        while len(self._open) >= UNDECIDED_MAX:  # before it is looked at: another run may get it decided meanwhile
            self.listen(POLL_SECONDS)
        if isinstance(record, r.CancelRequested):
            if self._said.get(record.id, record.order_id) != record.order_id:
                return  # more rows make another order the latest; the units came back to the one of then
            self._cancelled[record.order_id] += 1
        elif self._decisions.is_decided(record.order_id):
            if not self._decisions.is_other(record):
                return
            self.otherwise += 1
            if _content(encode(record)) in self._refused:  # each night's export would have one letter more
                return
        else:
            if not self._open:
                self._last_news = time.monotonic()
            self._open.add(record.order_id)
            self.sent_orders += 1
        self._outlet.send(ORDERS, record.order_id.encode(), encode(record), headers)

    def listen(self, seconds: float) -> None:
        """Take in decisions; `ImportStalled` if there were none for too long and orders wait for them."""
        self._outlet.serve()
        if fresh := self._decisions.take(seconds):
            self._open.difference_update(fresh)
            self._last_news = time.monotonic()
            self._on_decided(self._orders - self._decisions.undecided)
        elif self._open and time.monotonic() - self._last_news > self._stall_seconds:
            raise ImportStalled(
                f"no order was decided for {self._stall_seconds:.0f} s and {len(self._open)} wait. "
                "`smokehouse status` says whether workers run and which partition is halted; "
                "then run the same import again, it goes on from here."
            )

    def finish(self) -> None:
        """Until every order is decided and every cancellation of a confirmed one has given its units back."""
        self._outlet.flush()
        while self._open:
            self.listen(POLL_SECONDS)
        until = time.monotonic() + GIVE_BACK_SECONDS
        while (before := self._given_back_missing()) and time.monotonic() < until:
            self.listen(POLL_SECONDS)
            if self._given_back_missing() < before:
                until = time.monotonic() + GIVE_BACK_SECONDS

    def _given_back_missing(self) -> int:
        said, confirmed = self._decisions.cancellations, self._decisions.confirmed
        return sum(max(0, n - said[order]) for order, n in self._cancelled.items() if order in confirmed)


def _paced(events: Iterator[speech.Event], speed: float | None, run: _Run) -> Iterator[speech.Event]:
    """The events when they are due: a file's hour takes an hour / `speed`; one without a time is due at once."""
    if speed is None:
        yield from events
        return
    started, first_ms = time.monotonic(), None
    for event in events:
        if event.time_ms is not None:
            first_ms = event.time_ms if first_ms is None else first_ms
            due = started + (event.time_ms - first_ms) / 1000 / speed
            while (left := due - time.monotonic()) > 0:
                run.listen(min(left, POLL_SECONDS))
        yield event


@dataclass(frozen=True, slots=True)
class _DeadLetters:
    """Dead letters that are there: `ids` of rows that became no record, `contents` (hashes) of all."""

    ids: set[str]
    contents: set[bytes]


def _dead_letters_there(settings: Settings) -> _DeadLetters:
    """Dead letters have no writer that would know a repeated one: whoever imports again must look."""
    name = DEAD_LETTERS.name
    contiguous = reader.is_contiguous(settings, name)
    found = _DeadLetters(set(), set())
    for batch in reader.read_to_end(settings, name, contiguous=contiguous):
        for message in batch:
            found.ids.add(dict(message.headers() or []).get("smokehouse.dead-letter.id", b"").decode())
            found.contents.add(_content(message.value() or b""))
    return found


def _content(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
