"""A lot's account as people read it: sections of rows, as text on a terminal or as CSV.

Reads an account; writes to stdout. Guarantees: text, CSV and PDF show the same sections of the same rows; CSV has every
row, text says how many it leaves out. Does not belong here: what stands in the account, the PDF's pages.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any, NamedTuple, TextIO

from streams.commands.output import put_table, say
from tables.lot_sections import LotAccount, Movement

TEXT_ROWS_MAX = 40  # of a section on a terminal
Cells = tuple[Any, ...]


class Section(NamedTuple):
    """A titled table; numbers are integers, everything else is text."""

    title: str
    columns: tuple[str, ...]
    rows: list[Cells]


def summary(account: LotAccount) -> list[tuple[str, Any]]:
    """What a reader wants first: (what, value)."""
    t, recall = account.totals, account.recall
    drill = "drill, nothing is frozen; " if recall and recall.mock else ""
    since = (recall.closed_at or recall.opened_at) if recall else ""
    stands = f"{drill}{recall.state} since {since}: {recall.reason}" if recall else "none"
    rows: list[tuple[str, Any]] = [
        ("lot", account.lot),
        ("recall", stands),
        ("recalled SKUs", (", ".join(recall.skus) or "all") if recall else ""),
        ("units received", t.received),
        ("units made", t.made),
        ("units shipped", t.shipped),
        ("kits shipped", t.shipped_in_kits),
        ("orders that got it", t.orders),
        ("units returned", t.returned),
        ("units in transit", t.in_transit),
        ("units on hand", t.on_hand),
        ("units frozen", t.frozen),
        ("units bound, not shipped", t.bound),
        ("shipped by channel", ", ".join(f"{name} {n}" for name, n in t.by_channel)),
        ("lot known by", ", ".join(f"{name} {n}" for name, n in t.by_known)),
        ("as of", ", ".join(f"[{n}] {offset} {time}".strip() for n, offset, time in account.as_of)),
        ("partitions missing", ", ".join(map(str, account.missing))),
    ]
    return [(what, value) for what, value in rows if value != ""]


def sections(account: LotAccount) -> list[Section]:
    """Every section of the report, in reading order; one without rows says so by being empty."""
    return [
        Section("Mass balance", (
            "sku", "lot", "received", "made", "returned", "adjusted", "shipped", "in kits", "scrapped", "in transit",
            "lost", "on hand", "difference", "says",
        ), [
            (b.sku, b.lot, b.received, b.made, b.returned, b.adjusted, b.shipped, b.in_kits, b.scrapped, b.in_transit,
             b.lost_in_transit, b.on_hand, b.difference, b.says or "adds up")
            for b in account.balances
        ]),
        Section("Batches", ("sku", "lot", "best before", "produced", "supplier", "documents", "status", "reason"), [
            (b.sku, b.lot, b.best_before, b.produced, b.supplier, ", ".join(b.documents), b.status, b.reason)
            for b in account.batches
        ]),
        Section("Received from", (*_MOVED, "supplier", "reference", "documents"), [
            (*_moved(x), x.supplier, x.reference, ", ".join(x.documents)) for x in account.received
        ]),
        Section("Made into", (*_MOVED, "kit", "kit lot"), [(*_moved(x), x.kit, x.kit_lot) for x in account.made_into]),
        Section("On hand", ("sku", "lot", "location", "units", "blocked", "frozen", "status", "best before"), [
            (x.sku, x.lot, x.location, x.units, x.blocked, x.frozen,
             f"{x.status}, expired" if x.expired else x.status, x.best_before)
            for x in account.on_hand
        ]),
        Section("In transit", ("sku", "lot", "from", "to", "units", "reference", "expected"), [
            (x.sku, x.lot, x.source, x.location, x.units, x.reference, x.expected) for x in account.in_transit
        ]),
        Section("Bound, not shipped", ("sku", "lot", "location", "units", "order", "known", "picked"), [
            (x.sku, x.lot, x.location, x.units, x.order_id, x.known, x.at) for x in account.bound
        ]),
        Section("Returned", (*_MOVED, "order", "disposition"), [
            (*_moved(x), x.order_id, x.disposition) for x in account.returned
        ]),
        Section("Changed", (*_MOVED, "how"), [(*_moved(x), x.reference) for x in account.changed]),
        Section("Shipped to", (*_MOVED, "order", "channel", "known"), [
            (*_moved(x), x.order_id, x.channel, x.known) for x in account.shipped
        ]),
    ]  # fmt: skip


_MOVED = ("when", "sku", "lot", "location", "units")


def _moved(x: Movement) -> Cells:
    return (x.occurred_at or x.at, x.sku, x.lot, x.location, x.units)


def put_text(account: LotAccount) -> None:
    """Tables on stdout; of a long section the first rows, and how many there are."""
    put_table(f"Lot {account.lot}", ("what", "value"), summary(account))
    for title, columns, rows in sections(account):
        if not rows:
            continue
        put_table(title, columns, rows[:TEXT_ROWS_MAX])
        if len(rows) > TEXT_ROWS_MAX:
            say(f"{title}: {len(rows) - TEXT_ROWS_MAX} more of {len(rows)}; --csv, --json and --pdf have all of them")
    for note in account.notes:
        say(note)


def put_csv(account: LotAccount, out: TextIO) -> None:
    """One row per row of every section: its title, then the union of all columns, empty where a section has none."""
    found = sections(account)
    columns: list[str] = list(dict.fromkeys(name for section in found for name in section.columns))
    writer = csv.DictWriter(out, ["section", *columns], lineterminator="\n")
    writer.writeheader()
    for title, names, rows in found:
        for row in rows:
            writer.writerow({"section": title} | dict(zip(names, map(_safe, row), strict=True)))


def _safe(cell: Any) -> Any:
    """Text that a spreadsheet would take for a formula, as text: what others wrote must not compute."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in _FORMULA else cell


_FORMULA: Sequence[str] = ("=", "+", "-", "@", "\t", "\r")
