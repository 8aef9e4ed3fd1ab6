"""A policy to try: records of the logs' own types, from a file, that stand in for those of the logs.

Reads a TOML or JSON document: per record type a list of records without `type`, `id` and `time`. In a replay they apply
at the beginning of its window; records of the same type and subject (SKU and channel, as far as the type has them) that
the logs hold within the window do not. `sku = "*"` means every SKU, those to come included. Guarantees: what is not a
record of a log, or has a field that its type does not know, is refused. Does not belong here: what a policy does.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec

from tables import records as r
from tables.outcome import ORDERS, WAREHOUSE

EVERY = "*"
BYTES_MAX = 4 << 20
_SUBJECTS = ("sku", "channel")
_LOGS: dict[str, tuple[type, ...]] = {WAREHOUSE: get_args(r.StockRecord), ORDERS: get_args(r.OrderRecord)}
_OURS = (*r.CLOCK, r.LogOpened, r.LogicVersionSet)


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

    def record(self, sku: str = "") -> Any:
        """The record itself; with `sku`, for this one of every SKU."""
        told = self.fields | ({"sku": sku} if sku else {})
        name = f"replay:policy:{self.number}" + (f":{sku}" if sku else "")
        return msgspec.convert(told | {"type": _tag(self.kind), "id": name}, self.kind)


class Policy:
    """The entries of a file, and which records of the logs they stand in for."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self._replaced = {(entry.kind, _subject(entry.fields.get)) for entry in entries}
        self._every = {entry.kind for entry in entries if entry.for_every_sku}

    def replaces(self, record: Any) -> bool:
        """Whether this record of a log is left out."""
        kind = type(record)
        return kind in self._every or (kind, _subject(lambda name: getattr(record, name, None))) in self._replaced

    def once(self) -> Iterator[tuple[tuple[str, ...], Any]]:
        """(logs, record) of the entries that name their subject."""
        return ((entry.topics, entry.record()) for entry in self.entries if not entry.for_every_sku)

    def of_sku(self, sku: str) -> Iterator[tuple[tuple[str, ...], Any]]:
        """(logs, record) for one SKU, of the entries that are for every SKU. One that names the SKU wins over them."""
        for entry in self.entries:
            if entry.for_every_sku and (entry.kind, _subject((entry.fields | {"sku": sku}).get)) not in self._replaced:
                yield entry.topics, entry.record(sku)


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
        document = msgspec.json.decode(content) if is_json else tomllib.loads(content.decode())
    except (ValueError, msgspec.MsgspecError) as error:
        raise PolicyError(f"{path}: no TOML (or, as .json, no JSON): {error}") from error
    try:
        return parse_policy(document)
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error


def parse_policy(document: Any) -> Policy:
    """The policy that this document (record type -> its records) tells."""
    if not isinstance(document, Mapping) or not document:
        raise PolicyError(f"give lists of records by type, for example [[policy_set]]; types: {', '.join(_types())}")
    entries: list[Entry] = []
    for name, records in document.items():
        kind = _types().get(name)
        if kind is None:
            raise PolicyError(f"{name!r} is no type of record that a policy may hold: {', '.join(_types())}")
        for fields in records if isinstance(records, list) else [records]:
            entries.append(_entry(name, kind, fields, len(entries)))
    return Policy(entries)


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
    """Types by name: everything of the logs but what belongs to one order, to the clock or to the log itself."""
    kinds = dict.fromkeys(kind for kinds in _LOGS.values() for kind in kinds)
    return {
        _tag(kind): kind for kind in kinds
        if kind not in _OURS and "order_id" not in kind.__struct_fields__  # type: ignore[attr-defined]
    }  # fmt: skip


def _subject(get: Callable[[str], Any]) -> tuple[Any, ...]:
    """What a rule is about: it replaces the one before it about the same."""
    return tuple(get(name) for name in _SUBJECTS)


def _tag(kind: Any) -> str:
    return str(kind.__struct_config__.tag)
