"""What `stock-levels` says: the identity of every level ever published, and each location at its version.

Reads the topic; compares with the shelves of `stock_book` when the log has reached a level's version. Guarantees: a
level that never was is found, not only the last one. Does not belong here: changelog rows (`check_stock`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from proof.audit.findings import Findings, Spot
from proof.audit.intake import LogState
from proof.audit.published import readable
from proof.audit.room import Room
from proof.audit.seen import INDEX_BITS, WAREHOUSE, Cut, Seen
from proof.audit.shelves import Lot, Master, Shelf
from tables import records as r
from tables.murmur2 import partition_of_sku

_decode = msgspec.json.Decoder(r.StockLevels).decode
PARTS = ("available", "reserved", "allocated", "safety_stock", "unavailable")


class Said(NamedTuple):
    sku: str
    level: r.LocationLevel
    spot: Spot
    number: int  # round it was read in

    @property
    def place(self) -> int:
        return self.level.version[1] << INDEX_BITS | self.level.version[2]


class Levels:
    """`newest[sku]`: the last record of the highest version. `versions[partition][place]`: what was said of it, until
    the log is folded as far; `late`: said of places that were folded before, `too_late`: not to be judged any more.
    `named`: (partition, SKU) that were spoken of since somebody looked."""

    def __init__(self, partitions: int, cut: Cut, findings: Findings) -> None:
        self.newest: dict[str, tuple[tuple[int, int, int], r.StockLevels, Spot]] = {}
        self.versions: dict[int, dict[int, list[Said]]] = {}
        self._last: dict[tuple[str, str], r.LocationLevel] = {}
        self.late: list[tuple[int, Said]] = []
        self.named: set[tuple[int, str]] = set()
        self.too_late = 0
        self.partitions, self._cut, self._findings = partitions, cut, findings

    def read(self, messages: Iterable[Seen], folded: Mapping[int, int]) -> None:
        """Take in what is new. `folded`: per partition the offset up to which the log is folded."""
        for said, spot in readable(messages, _decode, self._findings, "level", "a stock level"):
            self._identity(said, spot)
            known = self.newest.get(said.sku)
            if known is None or said.version >= known[0]:
                self.newest[said.sku] = (said.version, said, spot)
            partition = partition_of_sku(said.sku, self.partitions)
            self.named.add((partition, said.sku))
            versions = self.versions.setdefault(partition, {})
            for level in said.locations:
                if self._last.get((said.sku, level.location)) == level:
                    continue  # said before, word for word: another location of the SKU changed
                self._last[said.sku, level.location] = level
                one = Said(said.sku, level, spot, self._cut.number)
                if level.version[1] < folded.get(partition, 0):
                    self.late.append((partition, one))
                else:
                    versions.setdefault(one.place, []).append(one)

    def _identity(self, said: r.StockLevels, spot: Spot) -> None:
        checked, add = self._findings.checked, self._findings.add
        for level in said.locations:
            checked["identity"] += 1
            total = sum(getattr(level, part) for part in PARTS)
            if total != level.on_hand or min(level.on_hand, *(getattr(level, x) for x in PARTS)) < 0:
                add("identity", said.sku, spot, f"on_hand {total}, the sum of its parts", f"on_hand {level.on_hand}",
                    location=level.location)  # fmt: skip
            self._lots(said, level, spot)
        for name in ("on_hand", "available"):
            total = sum(getattr(level, name) for level in said.locations)
            if total != getattr(said, name):
                add("identity", said.sku, spot, f"{name} {total} over its locations", f"{name} {getattr(said, name)}")

    def _lots(self, said: r.StockLevels, level: r.LocationLevel, spot: Spot) -> None:
        """Lots add up to the location; nobody is promised, or left, less than nothing."""
        add = self._findings.add
        apart = sum(lot.on_hand if lot.status != "approved" else lot.blocked for lot in level.lots)
        on_hand = sum(lot.on_hand for lot in level.lots)
        if (on_hand, apart) != (level.on_hand, level.unavailable):
            add("conservation", said.sku, spot, f"on_hand {on_hand}, unavailable {apart}: the sum of its lots",
                f"on_hand {level.on_hand}, unavailable {level.unavailable}", location=level.location,
                note="published level")  # fmt: skip
        self._findings.checked["ring_fence"] += len(level.channels)
        for channel in level.channels:
            if min(channel.ring_fence, channel.buffer, channel.available) < 0:
                add("ring_fence", said.sku, spot, "nothing below zero", channel, location=level.location)
        quantities = [x.quantity for x in level.promise]
        self._findings.checked["promised_by_day"] += len(quantities)
        if quantities and (
            quantities[0] != max(0, level.available - level.backordered) or quantities != sorted(quantities)
        ):
            add("promised_by_day", said.sku, spot, f"from {max(0, level.available - level.backordered)} on, growing",
                level.promise, location=level.location)  # fmt: skip

    def compare(self, room: Room, log: LogState, place: int) -> None:
        """The record at `place` is folded: what was published of it must be so."""
        versions = self.versions.get(log.number)
        for said in versions.pop(place, ()) if versions else ():
            self._compare(room, said)

    def check_late(self, rooms: dict[int, Room]) -> None:
        """Said of versions that were folded before: right if the books still are at that version; if they went on,
        whoever looks at versions has forgotten it, and it is only counted."""
        late, self.late = self.late, []
        for partition, said in late:
            room = rooms.get(partition) or Room()
            if room.shown(said.sku, said.level.location).at > said.place:
                self.too_late += 1
            else:
                self._compare(room, said)

    def _compare(self, room: Room, said: Said) -> None:
        self._findings.checked["level"] += 1
        expected = _expected(room.shown(said.sku, said.level.location))
        found = {name: getattr(said.level, name) for name in expected if name not in _LISTS} | _lists(said.level)
        if found != expected:
            differ = {x for x in expected if found[x] != expected[x]}
            self._findings.add(
                "level", said.sku, said.spot, {x: expected[x] for x in sorted(differ)},
                {x: found[x] for x in sorted(differ)}, location=said.level.location,
                note=f"at version {said.level.version}",
            )  # fmt: skip

    def check_rest(self, folded: Mapping[int, int]) -> None:
        """No level may name a version that the log does not have."""
        for partition, versions in self.versions.items():
            end = folded.get(partition, 0)
            for place in [x for x in versions if self._is_nowhere(partition, x, versions[x][0], end)]:
                for said in versions.pop(place):
                    self._findings.checked["level"] += 1
                    self._findings.add(
                        "level", said.sku, said.spot, f"a version in the log ({WAREHOUSE}[{partition}] ends at {end})",
                        f"version {said.level.version}", location=said.level.location,
                    )  # fmt: skip

    def _is_nowhere(self, partition: int, place: int, said: Said, end: int) -> bool:
        if place < end << INDEX_BITS or self._cut.is_beyond(WAREHOUSE, partition, place, said.number):
            return True
        return self._cut.is_sure(WAREHOUSE, partition, place)  # the log ends before it

    def check_sku(self, partition: int, sku: str, master: Master | None) -> None:
        """The last word on a SKU is what the books say, lots included; one about records in flight is not judged."""
        known = self.newest.get(sku)
        if master is not None:
            self._findings.checked["level"] += 1
        if known is not None and not self._cut.is_sure(WAREHOUSE, partition, known[0][1] << INDEX_BITS):
            return
        if master is not None:
            self._last_word(partition, sku, master)
        elif known is not None:
            self._findings.add("level", sku, known[2], "no level: no fact names this SKU", f"version {known[0]}")

    def _last_word(self, partition: int, sku: str, master: Master) -> None:
        place = max([master.at, *(shelf.at for shelf in master.shelves.values())])
        known = self.newest.get(sku)
        if known is None:
            self._findings.add("level", sku, Spot(WAREHOUSE, partition, place >> 10, place & 1023), "a level", "none")
            return
        version, said, spot = known
        levels = {level.location: level for level in said.locations}
        behind = (version[1] << INDEX_BITS | version[2]) < place
        for location in sorted(master.shelves.keys() | levels.keys()):
            self._findings.checked["conservation"] += 1
            shelf, level = master.shelves.get(location), levels.get(location)
            expected = (shelf.on_hand, _lots(shelf)) if shelf else (0, {})
            found = (level.on_hand, _told_lots(level)) if level else (0, {})
            if expected != found:
                self._findings.add("conservation", sku, spot, f"(on_hand, lots) {expected}", found, location=location,
                                   note="published level")  # fmt: skip
            elif behind and shelf and level and (wrong := _differ(shelf, level)):
                self._findings.add("level", sku, spot, f"version {place >> 10}.{place & 1023}", f"version {version}",
                                   location=location, note=f"not the ledger's newest: {wrong}")  # fmt: skip


_LISTS = ("lots", "channels", "incoming", "promise", "accuracy")


def _expected(shelf: Shelf) -> dict[str, Any]:
    """A location's level by the books."""
    channels = {
        name: (max(0, shelf.free_to(name)), share.ring_fence, share.buffer) for name, share in shelf.shares.items()
    }  # fmt: skip
    policy = shelf.policy
    incoming = {
        name: (x.kind, x.to_come, x.expected, x.confirmed > 0) for name, x in shelf.incoming.items() if x.to_come
    }  # fmt: skip
    return shelf.seen_as() | {
        "reorder_point": policy.reorder_point, "lots": _lots(shelf), "channels": channels, "incoming": incoming,
        "promise": _promise(shelf), "accuracy": shelf.count if shelf.count[0] else None,
    }  # fmt: skip


def _promise(shelf: Shelf) -> dict[str, int]:
    """Units that can be promised now (""), and from each day on which confirmed ones come."""
    now = shelf.seen_as()["available"] - shelf.backordered
    confirmed = [x for x in shelf.incoming.values() if x.confirmed and x.expected and x.to_come]
    days = sorted({x.expected for x in confirmed})
    return {"": max(0, now)} | {
        day: max(0, now + sum(x.to_come for x in confirmed if x.expected <= day)) for day in days
    }  # fmt: skip


def _lists(level: r.LocationLevel) -> dict[str, Any]:
    channels = {x.channel: (x.available, x.ring_fence, x.buffer) for x in level.channels}
    accuracy = level.accuracy
    return {
        "lots": _told_lots(level), "channels": channels,
        "incoming": {x.reference: (x.kind, x.quantity, x.expected, x.confirmed) for x in level.incoming},
        "promise": {x.day: x.quantity for x in level.promise},
        "accuracy": (accuracy.counts, accuracy.exact, accuracy.units, accuracy.off) if accuracy else None,
    }  # fmt: skip


def _differ(shelf: Shelf, level: r.LocationLevel) -> list[str]:
    lists = _lists(level)
    return sorted(x for x, value in _expected(shelf).items()
                  if (lists[x] if x in lists else getattr(level, x)) != value)  # fmt: skip


def _lots(shelf: Shelf) -> dict[str, tuple[int, str, int, str]]:
    return {x.code: (x.on_hand, _status(x), x.blocked, x.best_before) for x in shelf.lots.values() if x.on_hand}


def _status(lot: Lot) -> str:
    return "expired" if lot.expired and lot.status == "approved" else lot.status


def _told_lots(level: r.LocationLevel) -> dict[str, tuple[int, str, int, str]]:
    return {x.lot: (x.on_hand, x.status, x.blocked, x.best_before) for x in level.lots}
