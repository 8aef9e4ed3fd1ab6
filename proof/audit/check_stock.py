"""Compares the stock changelog with the auditor's books: every version of a row, then the newest ones, then the sums.

Reads books and changelog copies; adds findings. Guarantees: what recovery would read is what the log says. Does not
belong here: published levels (`levels`), orders (`check_orders`).
"""

from __future__ import annotations

from proof.audit.changelogs import LOT, PROMISE, PROMISE_LINE, STOCK, Changelog, Copy
from proof.audit.findings import Findings
from proof.audit.intake import LogState
from proof.audit.seen import INDEX_BITS, WAREHOUSE, Cut, spot_of
from proof.audit.shelves import Room, Shelf


class StockRows:
    """The stock changelog beside the rooms."""

    def __init__(self, changelog: Changelog, cut: Cut, findings: Findings) -> None:
        self._changelog, self._cut, self._findings = changelog, cut, findings

    def compare(self, room: Room, log: LogState, place: int) -> None:
        """The record at `place` is folded: rows of this version must be what the books hold now."""
        versions = self._changelog.versions.get(log.number)
        for key, copy in versions.pop(place, ()) if versions else ():
            kind, _, name = key.partition("|")
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
        shelf = room.shelf(sku, location)
        if shelf is None or shelf.at != copy.place:
            return self._wrong(key, copy, "no change of this row here", "a row")
        values = (
            shelf.at, sku, location, shelf.on_hand, 0, shelf.claimed, shelf.held, shelf.allocated, shelf.safety,
            shelf.reorder_point, shelf.hysteresis,
        )  # fmt: skip
        return self._same(key, copy, STOCK, dict(zip(STOCK, values, strict=True)))

    def _lot(self, room: Room, key: str, name: str, copy: Copy) -> None:
        sku, location, code = name.split("|", 2)
        shelf = room.shelf(sku, location)
        lot = shelf.lots.get(code) if shelf else None
        if lot is None or lot.at != copy.place:
            return self._wrong(key, copy, "no change of this row here", "a row")
        values = (lot.at, sku, location, code, lot.best_before, lot.first, lot.on_hand)
        return self._same(key, copy, LOT, dict(zip(LOT, values, strict=True)))

    def _promise(self, room: Room, key: str, name: str, copy: Copy) -> None:
        order_id, _, attempt = name.rpartition("|")
        promise = room.promises.get((order_id, int(attempt)))
        if promise is None or promise.at != copy.place:
            return self._wrong(key, copy, "no change of this row here", "a row")
        expected = {"at": promise.at, "state": promise.state, "asked": promise.asked}
        expected |= {"lines": [(x.sku, x.quantity, x.location, x.open) for x in promise.parts]}
        found = copy.fields(PROMISE)
        lines = [dict(zip(PROMISE_LINE, line, strict=False)) for line in found.get("lines", ())]
        found["lines"] = [(x["sku"], x["quantity"], x["location"], x["open"]) for x in lines]
        return self._differ(key, copy, expected, found)

    def _same(self, key: str, copy: Copy, names: tuple[str, ...], expected: dict) -> None:
        self._differ(key, copy, expected, copy.fields(names))

    def _differ(self, key: str, copy: Copy, expected: dict, found: dict) -> None:
        wrong = [name for name, value in expected.items() if found.get(name) != value]
        if wrong:
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

    # ---- once everything is folded

    def check_rest(self) -> None:
        """No row may have a version that the log does not have."""
        for partition, versions in self._changelog.versions.items():
            for place, copies in versions.items():
                if self._cut.is_read(WAREHOUSE, partition, place >> INDEX_BITS):
                    for key, copy in copies:
                        self._wrong(key, copy, "a version that the log has", f"{place >> INDEX_BITS}.{place & 1023}")

    def check_newest(self, rooms: dict[int, Room]) -> None:
        """The newest copy of every row is as new as the books, and lots add up to what is on hand."""
        for partition, room in rooms.items():
            for sku, master in room.skus.items():
                self._present(partition, f"sku|{sku}", master.at)
                for shelf in master.shelves.values():
                    self._present(partition, f"stock|{sku}|{shelf.location}", shelf.at)
                    for lot in shelf.lots.values():
                        self._present(partition, f"lot|{sku}|{shelf.location}|{lot.code}", lot.at)
                        self._findings.checked["conservation"] += 1
                    self._adds_up(partition, sku, shelf)
            for (order_id, attempt), promise in room.promises.items():
                if promise.deleted:
                    continue  # its row leaves the changelog a day later
                self._present(partition, f"res|{order_id}|{attempt}", promise.at)
            for fact_id, (_, place) in room.facts.items():
                self._present(partition, f"fact|{fact_id}", place)

    def _present(self, partition: int, key: str, at: int) -> None:
        if not self._cut.is_sure(WAREHOUSE, partition, at):
            return
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
        """The newest copies of a location's lots sum to the newest copy of its stock row."""
        newest = self._changelog.newest
        stock = newest.get((partition, f"stock|{sku}|{shelf.location}"))
        if stock is None or stock.place != shelf.at:
            return
        self._findings.checked["conservation"] += 1
        on_hand = stock.fields(STOCK).get("on_hand")
        total = sum(lot.received + lot.adjusted + lot.counted - lot.shipped for lot in shelf.lots.values())
        if on_hand != total:
            self._findings.add("conservation", sku, stock.spot, f"on_hand {total} by its lots' facts",
                               f"on_hand {on_hand}", location=shelf.location)  # fmt: skip
        for lot in shelf.lots.values():
            copy = newest.get((partition, f"lot|{sku}|{shelf.location}|{lot.code}"))
            if copy is not None and copy.place == lot.at and copy.fields(LOT).get("on_hand") != lot.on_hand:
                self._findings.add(
                    "conservation", sku, copy.spot, f"received {lot.received} + adjusted {lot.adjusted} + counted "
                    f"{lot.counted} - shipped {lot.shipped} = {lot.on_hand}", copy.fields(LOT).get("on_hand"),
                    location=shelf.location, lot=lot.code,
                )  # fmt: skip
