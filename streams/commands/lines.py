"""A record of a topic as one line: of JSON for programs, of text for people.

Pure. Guarantees: any bytes give one line that is valid UTF-8; JSON values stand as they came, white space apart; a text
line holds nothing a terminal would obey. Does not belong here: which records, and where lines go.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Message

from streams.topics import Topic
from tables.codec import instant
from tables.records import Packed
from tables.rows import decode as decode_row
from tables.store import VERSION_BYTES

TIME_MS_MAX = 253_402_300_800_000  # the year 10000: producers may have stamped anything


class Item(NamedTuple):
    """A record, or one of a packed one (`index`). `value` None: a tombstone. `version`: of a changelog's row."""

    topic: str
    partition: int
    offset: int
    index: int
    time: str
    key: str | None
    value: bytes | None
    headers: dict[str, str | None]
    version: list[int]


class _Line(msgspec.Struct):
    sku: str = ""


class _Subject(msgspec.Struct):
    order_id: str = ""
    sku: str = ""
    lines: list[_Line] = []


_packed = msgspec.json.Decoder(Packed)
_subject = msgspec.json.Decoder(_Subject)
_NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def items(topic: Topic, message: Message) -> list[Item]:
    """The records of one message, in order."""
    value, version = message.value(), []
    if topic.kind == "changelog":
        value, version = _row(message.key(), value)
    _, ms = message.timestamp()
    time = instant(ms) if 0 < ms < TIME_MS_MAX else ""
    key = None if message.key() is None else _text(message.key())
    headers = {name: None if x is None else _text(x) for name, x in message.headers() or ()}
    return [
        Item(topic.name, message.partition(), message.offset(), index, time, key, one, headers, version)
        for index, one in enumerate(_unpacked(value) if topic.kind == "log" else [value])
    ]


def speaks_of(key: str, item: Item) -> bool:
    """Whether the item has this key, or names it as its order, its SKU or the SKU of a line."""
    if item.key == key:
        return True
    try:
        named = _subject.decode(item.value or b"{}")
    except _NOT_JSON:
        return False
    return key in (named.order_id, named.sku) or any(line.sku == key for line in named.lines)


def as_json(item: Item) -> bytes:
    """One JSON object; headers and version only where there are any."""
    shown: dict[str, Any] = item._asdict() | {"value": msgspec.Raw(_json(item.value))}
    return msgspec.json.encode({k: v for k, v in shown.items() if k not in ("headers", "version") or v})


def as_text(item: Item) -> bytes:
    """Place, time, key, value."""
    value = "(deleted)" if item.value is None else _json(item.value).decode()
    line = f"{item.topic}[{item.partition}] {item.offset}.{item.index}  {item.time}  {item.key or '-'}  {value}"
    return (line if line.isprintable() else ascii(line)[1:-1]).encode()


def _row(key: bytes | None, value: bytes | None) -> tuple[bytes | None, list[int]]:
    """A changelog's row as JSON, and its version; what is no row stays as it is."""
    try:
        row = msgspec.structs.asdict(decode_row((key or b"").decode(), (value or b"")[VERSION_BYTES:]))
    except (*_NOT_JSON, KeyError):
        return value, []
    return msgspec.json.encode(row), [int.from_bytes(value[a:b], "big") for a, b in ((0, 8), (8, 16), (16, 20))]


def _unpacked(value: bytes | None) -> list[Any]:
    try:
        return [bytes(item) for item in _packed.decode(value or b"").items]
    except _NOT_JSON:
        return [value]


def _json(value: bytes | None) -> bytes:
    """The value on one line; what is no JSON as a JSON string."""
    if value is None:
        return b"null"
    try:
        return msgspec.json.format(value.decode().encode(), indent=-1)
    except _NOT_JSON:
        return msgspec.json.encode(_text(value))


def _text(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")
