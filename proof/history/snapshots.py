"""Snapshots of folds on disk: all rows of a partition at a position, so that the next fold starts there.

Reads and writes one folder, `<home>/snapshots/<log id>/<topic>-<partition>/`. A snapshot is a cache: a fold without it
comes to the same rows. Guarantees: one whose hash, place or row layout does not fit is told and thrown away, never
used; files appear whole; their number is bounded, and the ones left are spread over the log. Does not belong here:
folding.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

import msgspec

from proof.history.moment import Moment
from tables import rows as row_types
from tables.outcome import place_of

EVERY_RECORDS = 50_000
KEPT_MAX = 12  # a partition
LOGS_KEPT = 4  # of older logs nothing is asked any more: the embedded broker begins a new one at every start
_SUFFIX = ".snapshot"
_LENGTHS = Struct(">II")


class Head(msgspec.Struct, frozen=True):
    """What the first line of the file says. `newest_ms`: the latest stamp among the records folded."""

    topic: str
    partition: int
    log_id: int
    next_offset: int
    newest_ms: int
    layout: str
    rows: int = 0
    hash: str = ""


class Snapshot(NamedTuple):
    next_offset: int
    newest_ms: int
    rows: dict[str, Any]


class Snapshots:
    """The snapshots of one partition of one log. `tell` hears of those that were thrown away."""

    def __init__(
        self, folder: Path, topic: str, partition: int, log_id: int, tell: Callable[[str], None],
        every: int = EVERY_RECORDS,
    ) -> None:  # fmt: skip
        self.every = every
        self._logs = folder
        self._folder = folder / str(log_id) / f"{topic}-{partition}"
        self._place = (topic, partition, log_id)
        self._tell = tell

    def nearest(self, moment: Moment) -> Snapshot | None:
        """The newest one that holds nothing after `moment`."""
        for next_offset, newest_ms, path in reversed(self._files()):
            if moment.place is not None and place_of(next_offset) > moment.place:
                continue
            if moment.ms is not None and newest_ms > moment.ms:
                continue
            found = self._load(path, next_offset)
            if found is not None:
                return found
        return None

    def keep(self, next_offset: int, newest_ms: int, rows: Iterable[tuple[str, Any]]) -> None:
        """Write the rows as of `next_offset`. A disk that does not take them is told, and nothing else fails."""
        try:
            self._write(next_offset, newest_ms, rows)
            self._thin_out()
        except OSError as error:
            self._tell(f"no snapshot at {self._folder}: {error.strerror or error}")

    def _write(self, next_offset: int, newest_ms: int, rows: Iterable[tuple[str, Any]]) -> None:
        path = self._folder / f"{next_offset:016d}-{newest_ms}{_SUFFIX}"
        if path.exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        packed = zlib.compressobj(1)
        body: list[bytes] = []
        head = Head(*self._place, next_offset, newest_ms, layout())
        told = _start(head)
        count = 0
        for part in _frames(rows):
            told.update(part)
            body.append(packed.compress(part))
            count += 1
        head = msgspec.structs.replace(head, rows=count, hash=told.hexdigest())
        passing = path.with_suffix(f".{os.getpid()}")
        with passing.open("wb") as file:
            file.write(msgspec.json.encode(head) + b"\n")
            file.writelines(body)
            file.write(packed.flush())
        passing.replace(path)

    def _load(self, path: Path, next_offset: int) -> Snapshot | None:
        try:
            line, _, packed = path.read_bytes().partition(b"\n")
            head = msgspec.json.decode(line, type=Head)
            body = zlib.decompress(packed)
        except FileNotFoundError:
            return None  # another process thinned it out
        except (OSError, msgspec.MsgspecError, zlib.error) as error:
            return self._throw_away(path, str(error))
        if (head.topic, head.partition, head.log_id, head.next_offset) != (*self._place, next_offset):
            return self._throw_away(path, "it is of another place")
        if head.layout != layout():
            return self._throw_away(path, "its rows are of another version of the program")
        told = _start(head)
        told.update(body)
        if told.hexdigest() != head.hash:
            return self._throw_away(path, "its hash does not fit its rows")
        return Snapshot(next_offset, head.newest_ms, dict(_rows(body)))

    def _throw_away(self, path: Path, why: str) -> None:
        self._tell(f"snapshot {path} is thrown away: {why}")
        path.unlink(missing_ok=True)

    def _files(self) -> list[tuple[int, int, Path]]:
        """(next offset, newest stamp, path), in log order."""
        found = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            offset, _, ms = path.stem.partition("-")
            if offset.isdigit() and ms.isdigit():
                found.append((int(offset), int(ms), path))
        return sorted(found)

    def _thin_out(self) -> None:
        """Until few enough are left, drop the one whose neighbours stand closest: what stays covers the whole log."""
        files = self._files()
        while len(files) > KEPT_MAX:
            inner = range(1, len(files) - 1)
            drop = min(inner, key=lambda n: files[n + 1][0] - files[n - 1][0])
            files.pop(drop)[2].unlink(missing_ok=True)
        logs = sorted((path for path in self._logs.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
        for old in logs[:-LOGS_KEPT]:
            if old != self._folder.parent:
                shutil.rmtree(old, ignore_errors=True)


def state_hash(rows: Iterable[tuple[str, Any]]) -> str:
    """The hash of rows in key order: two folds that agree have the same."""
    told = blake2b(digest_size=16)
    for part in _frames(rows):
        told.update(part)
    return told.hexdigest()


def layout() -> str:
    """The hash of what rows are made of, names in order: their bytes are read by it alone."""
    types = sorted(
        (name, list(kind.__annotations__.items())) for name, kind in vars(row_types).items()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    )  # fmt: skip
    return blake2b(msgspec.json.encode(types), digest_size=8).hexdigest()


def _start(head: Head) -> Any:
    """The position belongs to what is hashed: right rows at a wrong offset are wrong."""
    told = blake2b(digest_size=16)
    told.update(msgspec.json.encode(msgspec.structs.replace(head, rows=0, hash="")))
    return told


def _frames(rows: Iterable[tuple[str, Any]]) -> Iterator[bytes]:
    for key, row in rows:
        name, payload = key.encode(), row_types.encode(row)
        yield _LENGTHS.pack(len(name), len(payload)) + name + payload


def _rows(body: bytes) -> Iterator[tuple[str, Any]]:
    at = 0
    while at < len(body):
        name_bytes, payload_bytes = _LENGTHS.unpack_from(body, at)
        name_at = at + _LENGTHS.size
        at = name_at + name_bytes + payload_bytes
        key = body[name_at : name_at + name_bytes].decode()
        yield key, row_types.decode(key, body[at - payload_bytes : at])
