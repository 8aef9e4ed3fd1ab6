"""The row store on disk (RocksDB), and how a row stands in a changelog.

A changelog record has the key `row key|writer` and the value version + payload; version is big-endian (log id, offset,
index), so byte order is version order. The store keeps version + writer + payload per row key, and beside it the other
writers that have copies of it in the changelog.
Guarantees: a store that was not closed cleanly, or is not as it was then (`marks`), is never used again; every write of
a checkpoint is one atomic batch. Does not belong here: Kafka, what a row means.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import Any
from zlib import crc32

from rocksdict import AccessType, Options, Rdict, ReadOptions, WriteBatch, WriteOptions

from tables import marks
from tables.marks import Mark
from tables.outcome import INDEX_BITS
from tables.rows import decode
from tables.table import Index

_VERSION = Struct(">QQI")
VERSION_BYTES = _VERSION.size
WRITER_BYTES = 32  # a UUID in hexadecimal digits
_HEAD = VERSION_BYTES + WRITER_BYTES
_OTHERS = b"~others|"  # row key -> writers of further copies
_SEEN_SLOTS = 1 << 22  # a byte each: most questions are about rows that never were, and RocksDB takes 12 us to say so
_OPENING = threading.Lock()
_BREATH_SECONDS = 0.005
_NEVER = threading.Event()  # who waits for it lets other threads run


def version_bytes(log_id: int, place: int) -> bytes:
    """A position as the first 20 bytes of a row's value."""
    return _VERSION.pack(log_id, place >> INDEX_BITS, place & ((1 << INDEX_BITS) - 1))


def place_in(value: bytes) -> int:
    """The place in its version, -1 for an empty value."""
    if not value:
        return -1
    _, offset, index = _VERSION.unpack_from(value)
    return offset << INDEX_BITS | index


def changelog_key(key: str, writer: str) -> bytes:
    return f"{key}|{writer}".encode()


def split_changelog_key(key: bytes) -> tuple[bytes, bytes]:
    """(row key, writer)."""
    row_key, _, writer = key.rpartition(b"|")
    return row_key, writer


class RowStore:
    """One partition's rows on disk, under one writer. `foreign`: other writers' copies of rows that were read."""

    def __init__(self, path: Path, writer: str, kept: Mark | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._writer = writer.encode()
        options = Options(raw_mode=True)
        options.create_if_missing(kept is None)
        options.set_write_buffer_size(32 << 20)
        options.set_keep_log_file_num(1)
        self._db = _opened(path, options)
        self._quick = WriteOptions()
        self._quick.disable_wal = True  # the changelog is the log; a store not closed cleanly is dropped
        self._db.set_write_options(self._quick)
        self.foreign: dict[str, list[str]] = {}
        self._others = kept is not None and kept.others
        # By the CRC-32 of a key: 0 if no such key was ever written.
        self._seen = bytearray(_SEEN_SLOTS) if kept is None else bytearray(kept.seen)

    def get(self, key: str) -> Any:
        raw = key.encode()
        if not self._seen[crc32(raw) % _SEEN_SLOTS] or (value := self._db.get(raw)) is None:
            return None
        self._note_foreign(key, raw, value)
        return decode(key, value[_HEAD:])

    def scan(self, prefix: str) -> Iterator[tuple[str, Any]]:
        for raw, value in self._raw(prefix.encode()):
            if not raw.startswith(_OTHERS):
                key = raw.decode()
                yield key, decode(key, value[_HEAD:])

    def slice(self, prefix: str, after: str, most: int) -> list[tuple[str, Any]]:
        """At most `most` (key, row) of the keys that start with `prefix` and come after `after`, in key order."""
        start = f"{after}\0" if after else prefix
        found: list[tuple[str, Any]] = []
        for raw, value in self._raw(start.encode(), prefix.encode()):
            found.append((key := raw.decode(), decode(key, value[_HEAD:])))
            if len(found) >= most:
                break
        return found

    def write(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """(row key, version + payload) of this writer, as one atomic batch."""
        batch = WriteBatch(raw_mode=True)
        for key, value in rows:
            self._seen[crc32(key) % _SEEN_SLOTS] = 1
            batch.put(key, value[:VERSION_BYTES] + self._writer + value[VERSION_BYTES:])
        self._db.write(batch, self._quick)

    def fill(self, rows: Iterable[tuple[bytes, bytes, bytes, list[bytes]]]) -> None:
        """(row key, value, its writer, writers of further copies), as recovered from a changelog."""
        batch = WriteBatch(raw_mode=True)
        for key, value, writer, others in rows:
            self._seen[crc32(key) % _SEEN_SLOTS] = 1
            batch.put(key, value[:VERSION_BYTES] + writer + value[VERSION_BYTES:])
            if others:
                self._others = True
                batch.put(_OTHERS + key, b"|".join(others))
        self._db.write(batch, self._quick)

    def close(self, changelog_end: int | None = None, index: Index | None = None) -> None:
        """Close; with the end of its changelog, cleanly, so that it may be kept. `index`: its rows', if it is known."""
        if changelog_end is not None:
            self._db.flush()
        self._db.close()
        if changelog_end is not None:
            files, seen = marks.files_of(self._path), bytes(self._seen)
            marks.leave(self._path, Mark(self._writer.decode(), changelog_end, files, seen, self._others, index))

    def _raw(self, start: bytes, prefix: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        prefix = start if prefix is None else prefix
        for raw, value in self._db.items(from_key=start, read_opt=ReadOptions()):
            if not raw.startswith(prefix):
                return
            yield raw, value

    def _note_foreign(self, key: str, raw: bytes, value: bytes) -> None:
        writer = value[VERSION_BYTES:_HEAD]
        if writer == self._writer or key in self.foreign:
            return
        others = (self._db.get(_OTHERS + raw) or b"") if self._others else b""
        self.foreign[key] = [w.decode() for w in (writer, *others.split(b"|")) if w]


def _opened(path: Path, options: Options) -> Rdict:
    """One at a time, with a breath after each: RocksDB opens with the interpreter in its hands.

    Threads that open side by side would hand it to each other, and a slow disk would keep the watchdog and the polls
    waiting for the sum of all stores.
    """
    with _OPENING:
        db = Rdict(str(path), options, access_type=AccessType.read_write())
        _NEVER.wait(_BREATH_SECONDS)
        return db


def reopen(path: Path, writer: str, mark: Mark) -> RowStore | None:
    """The marked store under a new writer; None if its files are not what they were."""
    try:
        if len(mark.seen) != _SEEN_SLOTS or marks.files_of(path) != mark.files:
            return None
        return RowStore(path, writer, mark)
    except Exception:  # noqa: BLE001 - RocksDB has no other: whatever is wrong with its files
        return None


def drop(path: Path) -> None:
    """Remove a store that cannot be trusted; its changelog has everything."""
    marks.place_of(path).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
