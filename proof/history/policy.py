"""A policy to try: rules of the logs' own types, from a file, that stand in for those of the logs.

Reads a TOML or JSON document: per record type a list of records without `type`, `id` and `time`, each whole: what it
does not name has its default. In a replay they apply at the beginning of its window; records of the same type and
subject (SKU, channel, location, kit, as far as the type has them) that the logs hold within the window do not, and
after one about more than its subject (a policy of all locations) it applies again. `sku = "*"` means every SKU, those
to come included. One thing is no record: `order_policy`, what orders of a channel ("*": of all) ask for themselves.
Guarantees: what is no rule, or has a field that its type does not know, is refused. Does not belong here: what a policy
does.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from tables import records as r
from tables.outcome import ORDERS, WAREHOUSE

EVERY = "*"
BYTES_MAX = 4 << 20
ORDER_POLICY = "order_policy"
_SUBJECTS = ("sku", "channel", "location", "kit")
_LOGS: dict[str, tuple[type, ...]] = {WAREHOUSE: get_args(r.StockRecord), ORDERS: get_args(r.OrderRecord)}
_RULES = (r.SkuDefined, r.PolicySet, r.ChannelSet, r.ChannelStockSet, r.KitSet)


class PolicyError(ValueError):
    """The file is no policy. The message says where, and what may stand there."""


class Entry(NamedTuple):
    """One record of the file. `topics`: the logs that take it."""

    topics: tuple[str, ...]
    kind: type
    fields: dict[str, Any]
    number: int

    @property
    def for_every_sku(self) -> bool:
        return self.fields.get("sku") == EVERY

    def subject(self, sku: str = "") -> tuple[Any, ...]:
        """What it is about; with `sku`, for this one of every SKU."""
        return _subject((self.fields | ({"sku": sku} if sku else {})).get)

    def record(self, sku: str = "") -> Any:
        """The record itself; with `sku`, for this one of every SKU."""
        told = self.fields | ({"sku": sku} if sku else {})
        name = f"replay:policy:{self.number}" + (f":{sku}" if sku else "")
        return msgspec.convert(told | {"type": _tag(self.kind), "id": name}, self.kind)


class OrderPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """What the orders of a channel ask for themselves, instead of what they did. `policy` None, `locations` empty: as
    the channel's rules have it."""

    channel: r.Short = EVERY
    policy: r.Policy | UnsetType | None = UNSET
    locations: Annotated[list[r.Location], Meta(max_length=20)] | UnsetType = UNSET

    def of(self, placed: r.OrderPlaced) -> r.OrderPlaced:
        """The order as it would have been placed."""
        if self.policy is not UNSET:
            placed = replace(placed, policy=self.policy)
        return placed if self.locations is UNSET else replace(placed, locations=self.locations)


class Policy:
    """The entries of a file, and which records of the logs they stand in for."""

    def __init__(self, entries: list[Entry], orders: list[OrderPolicy] | None = None) -> None:
        self.entries = entries
        self._orders = {one.channel: one for one in orders or []}
        self._kinds = {entry.kind for entry in entries}
        self._subjects = {(entry.kind, entry.subject()) for entry in entries}

    def replaces(self, record: Any) -> bool:
        """Whether this record of a log is left out: one of the file is about all that it is about."""
        kind = type(record)
        return kind in self._kinds and any(
            entry.kind is kind and _covers(entry.subject(), _of(record)) for entry in self.entries
        )

    def narrower(self, record: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        """(logs, record) of the entries that are about a part of what this record of a log is about: they hold on."""
        if type(record) not in self._kinds:
            return
        for entry in self.entries:
            if entry.kind is not type(record):
                continue
            sku = record.sku if entry.for_every_sku else ""
            if _covers(_of(record), entry.subject(sku)) and not self._by_name(entry, sku):
                yield entry.topics, entry.record(sku)

    def placed(self, record: Any) -> Any:
        """An order as it would have been placed; any other record as it is."""
        if not self._orders or not isinstance(record, r.OrderPlaced):
            return record
        one = self._orders.get(record.channel) or self._orders.get(EVERY)
        return one.of(record) if one is not None else record

    def once(self) -> Iterator[tuple[tuple[str, ...], Any]]:
        """(logs, record) of the entries that name their subject."""
        return ((entry.topics, entry.record()) for entry in self.entries if not entry.for_every_sku)

    def of_sku(self, sku: str) -> Iterator[tuple[tuple[str, ...], Any]]:
        """(logs, record) for one SKU, of the entries that are for every SKU; then those that name it, which win."""
        for entry in self.entries:
            if entry.for_every_sku and not self._by_name(entry, sku):
                yield entry.topics, entry.record(sku)
        for entry in self.entries:
            if entry.fields.get("sku") == sku and any(x.kind is entry.kind and x.for_every_sku for x in self.entries):
                yield entry.topics, entry.record()

    def _by_name(self, entry: Entry, sku: str) -> bool:
        """Whether another entry says the same of this SKU by its name."""
        return entry.for_every_sku and (entry.kind, entry.subject(sku)) in self._subjects


AS_IT_WAS = Policy([])


def read_policy(path: Path) -> Policy:
    """The policy of a file; `PolicyError` if it is none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from error
    if len(content) > BYTES_MAX:
        raise PolicyError(f"{path}: {len(content)} bytes; a policy has at most {BYTES_MAX}")
    try:
        is_json = path.suffix.lower() == ".json"
        text = content.decode("utf-8-sig")
        document = msgspec.json.decode(text) if is_json else tomllib.loads(text)
    except (ValueError, msgspec.MsgspecError) as error:
        raise PolicyError(f"{path}: no TOML (or, as .json, no JSON): {error}") from error
    try:
        return parse_policy(document)
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error


def parse_policy(document: Any) -> Policy:
    """The policy that this document (record type -> its records) tells."""
    if not isinstance(document, Mapping) or not document:
        raise PolicyError(f"give lists of records by type, for example [[policy_set]]; types: "
                          f"{', '.join((*_types(), ORDER_POLICY))}")  # fmt: skip
    entries: list[Entry] = []
    orders: list[OrderPolicy] = []
    for name, records in document.items():
        if name == ORDER_POLICY:
            orders += [_order_policy(fields) for fields in (records if isinstance(records, list) else [records])]
            continue
        kind = _types().get(name)
        if kind is None:
            known = ", ".join((*_types(), ORDER_POLICY))
            raise PolicyError(f"{name!r} is no type of record that a policy may hold: {known}")
        for fields in records if isinstance(records, list) else [records]:
            entries.append(_entry(name, kind, fields, len(entries)))
    return Policy(entries, orders)


def _order_policy(fields: Any) -> OrderPolicy:
    try:
        return msgspec.convert(fields, OrderPolicy)
    except msgspec.ValidationError as error:
        raise PolicyError(f"{ORDER_POLICY}: {error}; its fields: channel, policy, locations") from error


def _entry(name: str, kind: type, fields: Any, number: int) -> Entry:
    known = [field for field in kind.__struct_fields__ if field not in ("id", "time")]  # type: ignore[attr-defined]
    if not isinstance(fields, Mapping) or (unknown := sorted(set(fields) - set(known))):
        what = f"does not know {', '.join(unknown)}" if isinstance(fields, Mapping) else "is a table of fields"
        raise PolicyError(f"{name} {what}; its fields: {', '.join(known)}")
    topics = tuple(topic for topic, kinds in _LOGS.items() if kind in kinds)
    entry = Entry(topics, kind, dict(fields), number)
    try:
        entry.record("SKU" if entry.for_every_sku else "")
    except msgspec.ValidationError as error:
        raise PolicyError(f"{name}: {error}") from error
    return entry


def _types() -> dict[str, type]:
    """The rules by name: what somebody decided about SKUs, channels, kits; no facts, and nothing of one order."""
    return {_tag(kind): kind for kind in _RULES}


def _subject(get: Callable[[str], Any]) -> tuple[Any, ...]:
    """What a rule is about: it replaces the one before it about the same."""
    return tuple(get(name) for name in _SUBJECTS)


def _of(record: Any) -> tuple[Any, ...]:
    return _subject(lambda name: getattr(record, name, None))


def _covers(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether a rule about `one` is about all that one about `other` is: None is all there are, and so is `EVERY`."""
    return all(x in (None, EVERY) or x == y for x, y in zip(one, other, strict=True))


def _tag(kind: Any) -> str:
    return str(kind.__struct_config__.tag)
