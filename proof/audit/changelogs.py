"""What the changelogs say: per row the highest version over all writers, and every stock row at every version it has.

Reads a changelog; keeps bytes and looks into them only when asked. Key `row key|writer`, value 20 bytes of version
(big-endian log id, offset, index) + a MessagePack array. The field order below mirrors the rows of the agents by hand.
Guarantees: two contents of one version are found. Grows with: rows (of those that are not compared
a hash and their first fields are kept). Does not belong here: what a row should hold (`check_stock`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from struct import Struct, error
from typing import Any, NamedTuple

import msgspec

from proof.audit.findings import Findings, Spot
from proof.audit.seen import INDEX_BITS, Seen

_VERSION = Struct(">QQI")
_VERSION_BYTES = _VERSION.size
STOCK = ("at", "sku", "location", "on_hand", "unavailable", "claimed", "held", "allocated", "backordered", "policy",
         "level", "short", "floors", "shares", "out_since_ms", "outs")  # fmt: skip
LOT = ("at", "sku", "location", "lot", "best_before", "received", "on_hand", "blocked", "status", "expired", "warned",
       "due", "moves")  # fmt: skip
PROMISE = ("at", "order_id", "attempt", "order_partition", "channel", "state", "asked", "asked_ms", "first_location",
           "day", "hour", "demand", "lines", "wanted", "could", "changes", "seen", "moved", "moved_ok", "order_ms",
           "forget_ms")  # fmt: skip
PROMISE_LINE = ("sku", "quantity", "location", "reason", "available", "out", "open", "back", "floor", "fenced", "due")
ORDER = ("at", "order_id", "state")
FOLLOWED = ("stock|", "lot|", "res|")  # kinds of rows that are compared at every version
ORDER_KEY = "order|"

_decode = msgspec.msgpack.Decoder().decode


class Copy(NamedTuple):
    """One record of a changelog. `place`: the version's place in the log; `log_id` of that log. `content`: a hash.
    `number`: the round it was read in."""

    log_id: int
    place: int
    payload: bytes
    content: int
    topic: str
    partition: int
    offset: int
    number: int

    @property
    def spot(self) -> Spot:
        return Spot(self.topic, self.partition, self.offset)

    def fields(self, names: tuple[str, ...]) -> dict[str, Any]:
        """The row's first fields by name; empty if it cannot be read."""
        try:
            row = _decode(self.payload)
        except msgspec.MsgspecError:
            return {}
        return dict(zip(names, row, strict=False)) if isinstance(row, list) and len(row) >= len(names) else {}


class Changelog:
    """`newest[partition, row key]`; `versions[partition][place]`: (row key, copy) of the kinds that are followed, until
    the log is folded as far; `late`: of places that were folded before. `named`: orders whose rows were read."""

    def __init__(self, findings: Findings) -> None:
        self.newest: dict[tuple[int, str], Copy] = {}
        self.versions: dict[int, dict[int, list[tuple[str, Copy]]]] = {}
        self.late: list[tuple[str, Copy]] = []
        self.named: set[str] = set()
        self._findings = findings

    def read(self, messages: Iterable[Seen], folded: Mapping[int, int], number: int) -> None:
        """Take in what is new in round `number`. `folded`: per partition the offset up to which its log is folded."""
        checked = self._findings.checked
        for message in messages:
            if message.value is None or message.key is None:
                continue  # an older writer's copy was taken away; a newer one is kept
            topic, partition, at, _, raw_key, value, _ = message
            key = raw_key.rpartition(b"|")[0].decode(errors="replace")
            try:
                log_id, offset, index = _VERSION.unpack_from(value)
            except error:
                spot = Spot(topic, partition, at)
                self._findings.add("changelog", key, spot, "a version of 20 bytes", f"{len(value)} bytes")
                continue
            payload = value[_VERSION_BYTES:]
            content, followed = hash(payload), key.startswith(FOLLOWED)
            if key.startswith(ORDER_KEY):
                self.named.add(key[len(ORDER_KEY) :])
            if not followed:
                payload = _head(payload) if key.startswith(ORDER_KEY) else b""
            place = offset << INDEX_BITS | index
            copy = Copy(log_id, place, payload, content, topic, partition, at, number)
            where = (partition, key)
            known = self.newest.get(where)
            checked["two_contents"] += 1
            if known is None or copy[:2] > known[:2]:
                self.newest[where] = copy
            elif copy[:2] == known[:2]:
                if content != known.content:
                    self._two(key, known, copy)
                continue
            if not followed:
                continue
            if offset < folded.get(partition, 0):
                self.late.append((key, copy))
            else:
                self.versions.setdefault(partition, {}).setdefault(place, []).append((key, copy))

    def _two(self, key: str, known: Copy, copy: Copy) -> None:
        kind, *names = key.split("|")
        by_kind = {"stock": names[:2], "lot": names[:3]}.get(kind, [])
        location, lot = (*by_kind[1:], "", "")[:2]
        self._findings.add(
            "two_contents", names[0] if names else key, copy.spot, known.payload.hex() or "the first content again",
            copy.payload.hex() or "another content",
            location=location, lot=lot,
            note=f"row {key} has two contents of version {copy.place >> 10}.{copy.place & 1023}; the first stands at "
            f"offset {known.spot.offset}",
        )  # fmt: skip


class _OrderHead(msgspec.Struct, array_like=True):
    at: int
    order_id: str
    state: str


_read_head = msgspec.msgpack.Decoder(_OrderHead).decode


def _head(payload: bytes) -> bytes:
    """The first fields of an order's row, which is long; as it is if it cannot be read."""
    try:
        return msgspec.msgpack.encode(_read_head(payload))
    except msgspec.MsgspecError:
        return payload
