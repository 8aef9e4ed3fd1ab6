"""Compares the stock changelog with the auditor's books: every version of a row, then the newest ones, then the sums.

Reads books and changelog copies; adds findings. Guarantees: what recovery would read is what the log says. A version is
judged by its content: a row that was put again as it was is right; nothing is judged before it is sure. Does not
belong here: published levels (`levels`), orders (`check_orders`).
"""

from __future__ import annotations

from math import inf
from typing import Any

from proof.audit.changelogs import LOT, PROMISE, PROMISE_LINE, STOCK, Changelog, Copy
from proof.audit.findings import Findings
from proof.audit.intake import LogState
from proof.audit.promise import Promise
from proof.audit.room import Room
from proof.audit.seen import INDEX_BITS, WAREHOUSE, Cut, spot_of
from proof.audit.shelves import Lot, Master, Policy, Shelf

_PART = ("sku", "quantity", "location", "open", "back", "floor", "fenced", "due")


class StockRows:
    """The stock changelog beside the rooms. `too_late`: copies that could not be judged any more."""

    def __init__(self, changelog: Changelog, cut: Cut, findings: Findings) -> None:
        self.too_late = 0
        self._changelog, self._cut, self._findings = changelog, cut, findings

    def compare(self, room: Room, log: LogState, place: int) -> None:
        """The record at `place` is folded: rows of this version must be what the books hold now."""
        versions = self._changelog.versions.get(log.number)
        for key, copy in versions.pop(place, ()) if versions else ():
            kind, _, name = key.partition("|")
            self._compare(room, log, kind, key, name, copy)

    def _compare(self, room: Room, log: LogState, kind: str, key: str, name: str, copy: Copy) -> None:
        self._findings.checked["changelog"] += 1
        if copy.log_id != log.log_id:
            self._wrong(key, copy, f"log {log.log_id}", f"log {copy.log_id}")
        elif kind == "stock":
            self._stock(room, key, name, copy)
        elif kind == "lot":
            self._lot(room, key, name, copy)
        else:
            self._promise(room, key, name, copy)

    def _stock(self, room: Room, key: str, name: str, copy: Copy) -> None:
        sku, _, location = name.partition("|")
        return self._differ(key, copy, _stock_row(room.shown(sku, location)), _read_stock(copy))

    def _lot(self, room: Room, key: str, name: str, copy: Copy) -> None:
        sku, location, code = name.split("|", 2)
        shelf = room.shelf(sku, location)
        lot = shelf.lots.get(code) if shelf else None
        if lot is None:
            return self._wrong(key, copy, "no fact of this lot", "a row")
        return self._differ(key, copy, _lot_row(lot), copy.fields(LOT))

    def _promise(self, room: Room, key: str, name: str, copy: Copy) -> None:
        order_id, _, attempt = name.rpartition("|")
        promise = room.promises.get((order_id, int(attempt)))
        if promise is None:
            return self._wrong(key, copy, "no command about this reservation", "a row")
        return self._differ(key, copy, _promise_row(promise), _read_promise(copy))

    def _differ(self, key: str, copy: Copy, expected: dict[str, Any], found: dict[str, Any]) -> None:
        wrong = [name for name, value in expected.items() if found.get(name) != value]
        if found.get("at") != copy.place:
            self._wrong(key, copy, f"at {copy.place}, as its version says", f"at {found.get('at')}")
        elif wrong:
            self._wrong(key, copy, {x: expected[x] for x in wrong}, {x: found.get(x) for x in wrong})

    def _wrong(self, key: str, copy: Copy, expected: object, found: object) -> None:
        kind, _, name = key.partition("|")
        subject, location, lot = name, "", ""
        if kind in ("stock", "lot"):
            subject, location, lot = (*name.split("|", 2), "", "")[:3]
        self._findings.add(
            "changelog", subject, copy.spot, expected, found, location=location, lot=lot,
            note=f"row {key} at version {copy.place >> INDEX_BITS}.{copy.place & 1023}",
        )  # fmt: skip

    # ---- before the next records are folded

    def check_late(self, rooms: dict[int, Room], logs: dict[int, LogState]) -> None:
        """Copies of versions that were folded before: right if the books still are at that version; if they went on,
        nothing reads such a copy, and it is only counted."""
        late, self._changelog.late = self._changelog.late, []
        for key, copy in late:
            room, log = rooms.get(copy.partition) or Room(), logs[copy.partition]
            kind, _, name = key.partition("|")
            if self._at(room, kind, name) > copy.place:
                self.too_late += 1
            else:
                self._compare(room, log, kind, key, name, copy)

    def _at(self, room: Room, kind: str, name: str) -> float:
        """The place of the row's last change; 0: there is no such row; infinite: it was forgotten."""
        if kind == "res":
            order_id, _, attempt = name.rpartition("|")
            promise = room.promises.get((order_id, int(attempt)))
            return promise.at if promise else inf if order_id in room.forgotten else 0
        sku, location, lot = (*name.split("|", 2), "")[:3]
        shelf = room.shelf(sku, location)
        if kind == "stock" or shelf is None:
            return shelf.at if shelf else 0
        return shelf.lots[lot].at if lot in shelf.lots else 0

    # ---- once all that is sure is folded

    def check_rest(self, folded: dict[int, int]) -> None:
        """No row may have a version that the log does not have."""
        for partition, versions in self._changelog.versions.items():
            end = folded.get(partition, 0) << INDEX_BITS
            for place in [x for x in versions if self._is_nowhere(partition, x, versions[x][0][1], end)]:
                for key, copy in versions.pop(place):
                    self._wrong(key, copy, "a version that the log has", f"{place >> INDEX_BITS}.{place & 1023}")

    def _is_nowhere(self, partition: int, place: int, copy: Copy, end: int) -> bool:
        if place < end or self._cut.is_beyond(WAREHOUSE, partition, place, copy.number):
            return True
        return self._cut.is_sure(WAREHOUSE, partition, place)  # the log ends before it

    def check_facts(self, rooms: dict[int, Room]) -> None:
        """Every fact that was folded since the last look has a row of its own."""
        for partition, room in rooms.items():
            for fact_id in room.new_facts:
                self._present(partition, f"fact|{fact_id}", room.facts[fact_id][1])
            room.new_facts.clear()

    def check_sku(self, partition: int, sku: str, master: Master) -> None:
        """The newest copies of a SKU's rows are as new as the books, and lots add up to what is on hand."""
        self._present(partition, f"sku|{sku}", master.at)
        for shelf in master.shelves.values():
            key = f"stock|{sku}|{shelf.location}"
            if shelf.is_empty and shelf.policy == master.policy and self._is_not_there(partition, key):
                continue
            self._newest(partition, key, shelf.at, _stock_row(shelf), _read_stock)
            for lot in shelf.lots.values():
                self._newest(partition, lot.key, lot.at, _lot_row(lot), lambda copy: copy.fields(LOT))
            self._adds_up(partition, sku, shelf)

    def check_promise(self, partition: int, order_id: str, attempt: int, promise: Promise) -> None:
        """The newest copy of a reservation is as new as the books."""
        if not promise.deleted:  # else its row leaves the changelog a day later
            row = _promise_row(promise)
            self._newest(partition, f"res|{order_id}|{attempt}", promise.at, row, _read_promise)

    def _is_not_there(self, partition: int, key: str) -> bool:
        return (partition, key) not in self._changelog.newest

    def _newest(self, partition: int, key: str, at: int, expected: dict[str, Any], read: Any) -> None:
        """As new as the books; or older, and still what they say."""
        copy = self._changelog.newest.get((partition, key))
        if copy is not None and copy.place < at:
            found = read(copy)
            if all(found.get(name) == value for name, value in expected.items()):
                self._findings.checked["changelog"] += 1
                return
        self._present(partition, key, at)

    def _present(self, partition: int, key: str, at: int) -> None:
        self._findings.checked["changelog"] += 1
        copy = self._changelog.newest.get((partition, key))
        if copy is not None and copy.place >= at:
            return
        found = "no copy" if copy is None else f"version {copy.place >> INDEX_BITS}.{copy.place & 1023}"
        self._findings.add(
            "changelog", key.split("|")[1], spot_of(WAREHOUSE, partition, at), f"row {key} of this version", found,
            note="recovery would lose this change",
        )  # fmt: skip

    def _adds_up(self, partition: int, sku: str, shelf: Shelf) -> None:
        """The newest copies of a location's lots sum to the newest copy of its stock row, units and those apart."""
        newest = self._changelog.newest
        stock = newest.get((partition, f"stock|{sku}|{shelf.location}"))
        if stock is None or stock.place != shelf.at:
            return
        self._findings.checked["conservation"] += 1
        row = stock.fields(STOCK)
        lots = shelf.lots.values()
        total = (sum(sum(lot.moved.values()) for lot in lots), sum(lot.unavailable for lot in lots))
        if (row.get("on_hand"), row.get("unavailable")) != total:
            self._findings.add("conservation", sku, stock.spot, f"on_hand {total[0]}, unavailable {total[1]} by its "
                               f"lots' facts", f"on_hand {row.get('on_hand')}, unavailable {row.get('unavailable')}",
                               location=shelf.location)  # fmt: skip
        for lot in lots:
            copy = newest.get((partition, lot.key))
            self._findings.checked["conservation"] += 1
            if copy is not None and copy.place == lot.at and copy.fields(LOT).get("on_hand") != lot.on_hand:
                facts = " ".join(f"{kind} {units:+}" for kind, units in lot.moved.items())
                self._findings.add(
                    "conservation", sku, copy.spot, f"{lot.on_hand} = {facts}", copy.fields(LOT).get("on_hand"),
                    location=shelf.location, lot=lot.code,
                )  # fmt: skip


# -- rows as the books would write them --------------------------------------------------------------------------------


def _stock_row(shelf: Shelf) -> dict[str, Any]:
    return {
        "sku": shelf.sku, "location": shelf.location, "on_hand": shelf.on_hand, "unavailable": shelf.unavailable,
        "claimed": shelf.claimed, "held": shelf.held, "allocated": shelf.allocated,
        "backordered": shelf.backordered, "policy": shelf.policy,
        "floors": {day: units for day, units in shelf.floors.items() if units},
        "shares": {name: (x.ring_fence, x.buffer) for name, x in shelf.shares.items()},
    }  # fmt: skip


def _read_stock(copy: Copy) -> dict[str, Any]:
    row = copy.fields(STOCK)
    if row:
        row["policy"] = Policy(*row["policy"])
        row["floors"] = {day: units for day, units in row["floors"] if units}
        row["shares"] = {name: (ring_fence, buffer) for name, ring_fence, buffer in row["shares"]}
    return row


def _lot_row(lot: Lot) -> dict[str, Any]:
    return {
        "sku": lot.shelf.sku, "location": lot.shelf.location, "lot": lot.code, "best_before": lot.best_before,
        "received": lot.first, "on_hand": lot.on_hand, "blocked": lot.blocked, "status": lot.status,
        "expired": lot.expired,
    }  # fmt: skip


def _promise_row(promise: Promise) -> dict[str, Any]:
    parts = [(x.sku, x.quantity, x.location, x.open, x.back, x.floor, x.fenced, x.due) for x in promise.parts]
    return {
        "state": promise.state, "asked": promise.asked, "moved": promise.moved, "moved_ok": promise.moved_ok,
        "lines": [x for x in parts if x[2]], "wanted": promise.wanted, "could": promise.could,
    }  # fmt: skip


def _read_promise(copy: Copy) -> dict[str, Any]:
    row = copy.fields(PROMISE)
    if row:
        lines = [dict(zip(PROMISE_LINE, line, strict=False)) for line in row["lines"]]
        row["lines"] = [tuple(line.get(name) for name in _PART) for line in lines if line.get("location")]
        row["wanted"] = [tuple(x) for x in row["wanted"]]
    return row
