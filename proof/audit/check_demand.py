"""What `demand` says: the last word on each day is what the books say.

Reads the topic; compares with the days of the rooms. Guarantees: a word about records in flight is not judged before
they are folded. Does not belong here: the fold (`demand`); hours out of stock that no order met, which are told of the
stock row's windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import msgspec

from proof.audit.findings import Findings, Spot
from proof.audit.published import readable
from proof.audit.room import Day, Room
from proof.audit.seen import INDEX_BITS, WAREHOUSE, Cut, Seen, spot_of
from tables import records as r
from tables.murmur2 import partition_of_sku

_decode = msgspec.json.Decoder(r.Demand).decode
COUNTS = ("ordered", "orders", "refused", "cancelled", "shipped", "returned")
_Key = tuple[str, str, str]  # SKU, location, day


class Demand:
    """`newest[key]`: the last record of the highest version. `named`: days that were spoken of since the last look."""

    def __init__(self, cut: Cut, findings: Findings) -> None:
        self.newest: dict[_Key, tuple[r.Demand, Spot, int]] = {}  # and the round it was read in
        self.named: set[_Key] = set()
        self._cut, self._findings = cut, findings

    def read(self, messages: Iterable[Seen]) -> None:
        for said, spot in readable(messages, _decode, self._findings, "demand", "a day's demand"):
            key = said.sku, said.location, said.day
            known = self.newest.get(key)
            if known is None or said.version >= known[0].version:
                self.newest[key] = said, spot, self._cut.number
            self.named.add(key)

    def look(self, rooms: dict[int, Room], folded: Mapping[int, int], partitions: int) -> None:
        """The last word on each day that was counted in, or spoken of. `folded`: per partition how far the log is."""
        for room in rooms.values():
            self.named |= room.new_days
            room.new_days.clear()
        named, self.named = self.named, set()
        for key in named:
            number = partition_of_sku(key[0], partitions)
            day = rooms[number].days.get(key) if number in rooms else None
            self._findings.look(("demand", key), partial(self._look, number, key, day, folded.get(number, 0)))

    def _look(self, number: int, key: _Key, day: Day | None, end: int) -> None:
        self._findings.checked["demand"] += 1
        sku, location, name = key
        if key not in self.newest:
            spot = spot_of(WAREHOUSE, number, day.at if day else 0)
            self._findings.add("demand", sku, spot, f"demand of {name}", "none", location=location)
            return
        said, spot, read_in = self.newest[key]
        place = said.version[1] << INDEX_BITS | said.version[2]
        if place >= end << INDEX_BITS:
            if self._cut.is_sure(WAREHOUSE, number, place) or self._cut.is_beyond(WAREHOUSE, number, place, read_in):
                self._findings.add(
                    "demand", sku, spot, f"a version in the log ({WAREHOUSE}[{number}] ends at {end})",
                    f"version {said.version}", location=location, note=name,
                )  # fmt: skip
            else:  # in flight
                self.named.add(key)
            return
        expected = {x: getattr(day, x) if day else 0 for x in COUNTS}
        found = {x: getattr(said, x) for x in COUNTS}
        untold = (day.hours if day else set()) - set(said.stockout_hours)
        if found != expected or untold:
            differ = [x for x in COUNTS if found[x] != expected[x]]
            self._findings.add(
                "demand", sku, spot, {x: expected[x] for x in differ} | ({"stockout_hours": untold} if untold else {}),
                {x: found[x] for x in differ} | ({"stockout_hours": said.stockout_hours} if untold else {}),
                location=location, note=f"{name}, at version {said.version}",
            )  # fmt: skip
        elif day is not None and place < day.at:
            self._findings.add("demand", sku, spot, f"version {day.at >> INDEX_BITS}", f"version {said.version}",
                               location=location, note=f"{name}: not the ledger's newest")  # fmt: skip
