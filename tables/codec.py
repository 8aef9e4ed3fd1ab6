"""Bytes <-> records. Knows which records each log may hold and how several travel as one packed record.

Guarantees: what cannot be read raises `Unreadable` with a reason fit for a dead letter, and nothing else; encoding is
canonical (field order of the types). Does not belong here: which partition, which topic, what a record means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec.structs import replace

from tables import records as r

encode = msgspec.json.Encoder().encode  # one record as it stands on the wire


class Unreadable(Exception):
    """These bytes are no record of this log. The message says why, without quoting the content."""


class LogCodec:
    """Decodes the values of one log: a record, or the items of a packed one."""

    def __init__(self, union: Any) -> None:
        self._one = msgspec.json.Decoder(union)
        self._head = msgspec.json.Decoder(_Head)
        self._packed = msgspec.json.Decoder(r.Packed)

    def items(self, value: bytes | None) -> list[Any]:
        """The records of one value, in order; in place of one that is unreadable stands its `Unreadable`."""
        if not value:
            return [Unreadable("empty value")]
        if len(value) > r.RECORD_BYTES_MAX:
            return [Unreadable(f"{len(value)} bytes; the limit is {r.RECORD_BYTES_MAX}")]
        if value.startswith(_PACKED_HEAD):
            try:
                packed = self._packed.decode(value)
            except _READ_ERRORS as error:
                return [_reason(error)]
            return [self._decode(item) for item in packed.items]
        return [self._decode(value)]

    def _decode(self, value: Any) -> Any:
        try:
            return self._one.decode(value)
        except _READ_ERRORS as error:
            if self._is_packed(value):
                return Unreadable("a packed record that does not start with its type, or items packed twice")
            return _reason(error)

    def _is_packed(self, value: Any) -> bool:
        try:
            return self._head.decode(value).type == "packed"
        except _READ_ERRORS:
            return False


class _Head(msgspec.Struct):
    type: str


_QUOTED = re.compile(r""" (['"]).*\1""", re.DOTALL)  # what was sent may be anything, card numbers included
_READ_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError)
_PACKED_HEAD = b'{"type":"packed",'

ORDER_LOG = LogCodec(r.OrderRecord)
STOCK_LOG = LogCodec(r.StockRecord)


def pack(encoded: Iterable[bytes]) -> bytes:
    """Encoded records -> one packed record (bounds are the caller's: `batches`)."""
    return b'{"type":"packed","items":[' + b",".join(encoded) + b"]}"


def batches(encoded: list[bytes]) -> Iterator[list[bytes]]:
    """Cut a run of encoded records into runs that a packed record may hold, order kept."""
    start, size = 0, 0
    for place, value in enumerate(encoded):
        size += len(value) + 1
        if place > start and (place - start >= r.ITEMS_MAX or size > r.PACKED_BYTES_MAX):
            yield encoded[start:place]
            start, size = place, len(value) + 1
    if start < len(encoded):
        yield encoded[start:]


def digest(record: Any) -> bytes:
    """Eight bytes of a record's content, its `time` (when we wrote it) apart."""
    return blake2b(encode(replace(record, time="") if record.time else record), digest_size=8).digest()


def utc(occurred_at: str | None) -> str:
    """Their time in UTC, so that days and hours of demand mean the same everywhere; "" if they gave none."""
    if not occurred_at:
        return ""
    try:
        if occurred_at.endswith("Z"):
            datetime.fromisoformat(occurred_at)
            return occurred_at
        return datetime.fromisoformat(occurred_at).astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return ""  # a day that no calendar has: what happened counts, its date does not


def utc_day(occurred_at: str | None, ms: int) -> str:
    """The UTC day of their time, or else of the broker's (milliseconds since 1970)."""
    return (utc(occurred_at) or instant(ms))[:10]


@lru_cache(maxsize=4096)
def instant(ms: int) -> str:
    """Milliseconds since 1970 -> RFC 3339 in UTC."""
    return f"{_second(ms // 1000)}{ms % 1000:03d}Z"


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.")


def _reason(error: BaseException) -> Unreadable:
    text = _QUOTED.sub("", str(error)) or type(error).__name__
    return Unreadable(text.splitlines()[0][:300])
