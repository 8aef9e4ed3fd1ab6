"""What `stock-levels` says: the identity of every level ever published, and each location at its version.

Reads the topic; compares with the shelves of `stock_book` when the log has reached a level's version. Guarantees: a
level that never was is found, not only the last one. Does not belong here: changelog rows (`check_stock`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from proof.audit.findings import Findings, Spot
from proof.audit.intake import LogState
from proof.audit.seen import INDEX_BITS, WAREHOUSE, Cut, Seen
from proof.audit.shelves import Master, Room
from tables import records as r
from tables.murmur2 import partition_of_sku

_decode = msgspec.json.Decoder(r.StockLevels).decode
PARTS = ("available", "reserved", "allocated", "safety_stock", "unavailable")


class Said(NamedTuple):
    sku: str
    level: r.LocationLevel
    spot: Spot


class Levels:
    """`newest[sku]`: the last record of the highest version. `versions[partition][place]`: what was said of it."""

    def __init__(self, partitions: int, findings: Findings) -> None:
        self.newest: dict[str, tuple[tuple[int, int, int], r.StockLevels, Spot]] = {}
        self.versions: dict[int, dict[int, list[Said]]] = {}
        self._last: dict[tuple[str, str], r.LocationLevel] = {}
        self._partitions, self._findings = partitions, findings

    def read(self, messages: Iterable[Seen]) -> None:
        """Take in the whole topic."""
        for message in messages:
            spot = Spot(message.topic, message.partition, message.offset)
            if message.value is None:
                continue
            try:
                said = _decode(message.value)
            except (msgspec.MsgspecError, ValueError) as error:
                self._findings.add("level", str(message.key), spot, "a stock level", error)
                continue
            self._identity(said, spot)
            known = self.newest.get(said.sku)
            if known is None or said.version >= known[0]:
                self.newest[said.sku] = (said.version, said, spot)
            versions = self.versions.setdefault(partition_of_sku(said.sku, self._partitions), {})
            for level in said.locations:
                if self._last.get((said.sku, level.location)) == level:
                    continue  # said before, word for word: another location of the SKU changed
                self._last[said.sku, level.location] = level
                place = level.version[1] << INDEX_BITS | level.version[2]
                versions.setdefault(place, []).append(Said(said.sku, level, spot))

    def _identity(self, said: r.StockLevels, spot: Spot) -> None:
        checked, add = self._findings.checked, self._findings.add
        for level in said.locations:
            checked["identity"] += 1
            total = sum(getattr(level, part) for part in PARTS)
            if total != level.on_hand or min(level.on_hand, *(getattr(level, x) for x in PARTS)) < 0:
                add("identity", said.sku, spot, f"on_hand {total}, the sum of its parts", f"on_hand {level.on_hand}",
                    location=level.location)  # fmt: skip
        for name in ("on_hand", "available"):
            total = sum(getattr(level, name) for level in said.locations)
            if total != getattr(said, name):
                add("identity", said.sku, spot, f"{name} {total} over its locations", f"{name} {getattr(said, name)}")

    def compare(self, room: Room, log: LogState, place: int) -> None:
        """The record at `place` is folded: what was published of it must be so."""
        versions = self.versions.get(log.number)
        for said in versions.pop(place, ()) if versions else ():
            self._findings.checked["level"] += 1
            shelf = room.shelf(said.sku, said.level.location)
            if shelf is None or shelf.at != place:
                self._findings.add("level", said.sku, said.spot, "no change of it at this version",
                                   f"version {said.level.version}", location=said.level.location)  # fmt: skip
                continue
            expected = shelf.seen_as() | {"reorder_point": shelf.reorder_point}
            found = {name: getattr(said.level, name) for name in expected}
            if found != expected:
                differ = {x for x in expected if found[x] != expected[x]}
                self._findings.add(
                    "level", said.sku, said.spot, {x: expected[x] for x in sorted(differ)},
                    {x: found[x] for x in sorted(differ)}, location=said.level.location,
                    note=f"at version {said.level.version}",
                )  # fmt: skip

    def check_rest(self, ends: dict[int, int], cut: Cut) -> None:
        """No level may name a version that the log does not have."""
        for partition, versions in self.versions.items():
            for place, all_said in versions.items():
                if not cut.is_read(WAREHOUSE, partition, place >> INDEX_BITS):
                    continue  # published after the logs were read
                for said in all_said:
                    self._findings.checked["level"] += 1
                    self._findings.add(
                        "level", said.sku, said.spot, f"a version in the log ({WAREHOUSE}[{partition}] ends at "
                        f"{ends.get(partition, 0)})", f"version {said.level.version}", location=said.level.location,
                    )  # fmt: skip

    def check_newest(self, rooms: dict[int, Room], cut: Cut) -> None:
        """The last word on every SKU is what the books say, lots included."""
        for partition, room in rooms.items():
            for sku, master in room.skus.items():
                self._last_word(partition, sku, master, cut)
        for sku, (version, _, spot) in self.newest.items():
            partition = partition_of_sku(sku, self._partitions)
            if cut.is_read(WAREHOUSE, partition, version[1]) and sku not in rooms.get(partition, _NO_ROOM).skus:
                self._findings.add("level", sku, spot, "no level: no fact names this SKU", f"version {version}")

    def _last_word(self, partition: int, sku: str, master: Master, cut: Cut) -> None:
        place = max([master.at, *(shelf.at for shelf in master.shelves.values())])
        if not cut.is_sure(WAREHOUSE, partition, place):
            return
        self._findings.checked["level"] += 1
        known = self.newest.get(sku)
        if known is None:
            self._findings.add("level", sku, Spot(WAREHOUSE, partition, place >> 10, place & 1023), "a level", "none")
            return
        version, said, spot = known
        if not cut.is_read(WAREHOUSE, partition, version[1]):
            return
        if (version[1] << INDEX_BITS | version[2]) != place:
            self._findings.add("level", sku, spot, f"version {place >> 10}.{place & 1023}", f"version {version}",
                               note="not the ledger's newest")  # fmt: skip
            return
        levels = {level.location: level for level in said.locations}
        expected = {x: (shelf.on_hand, _lots(shelf.lots)) for x, shelf in master.shelves.items()}
        found = {x: (level.on_hand, {lot.lot: lot.on_hand for lot in level.lots}) for x, level in levels.items()}
        for location in sorted(expected.keys() | found.keys()):
            self._findings.checked["conservation"] += 1
            if expected.get(location) != found.get(location):
                self._findings.add("conservation", sku, spot, f"(on_hand, lots) {expected.get(location)}",
                                   found.get(location), location=location, note="published level")  # fmt: skip


def _lots(lots: dict) -> dict[str, int]:
    return {code: lot.on_hand for code, lot in lots.items() if lot.on_hand}


_NO_ROOM = Room()
