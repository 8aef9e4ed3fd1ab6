"""Recovery: the rows of one partition from its changelog, or from a local store that can be trusted.

Reads the whole changelog partition; writes the local store. Guarantees: per row the highest version over all writers;
two contents of one version are an error, never a choice; a local store is kept only if it was closed cleanly and no
other writer came after. Recovery changes nothing by itself: what its rows leave open, the log delivers again. Rows that
were marked deleted a day ago end here, where every copy of them is known: whoever owned them is long gone.
Does not belong here: deciding whether the log fits the rows (`fit`).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from streams.reader import bounds, is_contiguous, read_to_end
from streams.settings import Settings
from tables import marks
from tables.marks import Mark
from tables.pruning import DELETED, is_past
from tables.rows import PARTITION_KEY, PartitionRow, decode
from tables.store import VERSION_BYTES, RowStore, drop, place_in, reopen, split_changelog_key
from tables.table import Index

FILL_ROWS = 20_000
_MARKED_KINDS = (b"res|", b"order|")
_MARK = DELETED.encode()  # a quick look: most rows need not be decoded


class TwoStates(RuntimeError):
    """Two writers left different contents for one version of a row: the partition halts."""


class Recovered(NamedTuple):
    store: RowStore
    rows: int  # read from the changelog
    kept: bool  # the local store was kept
    newest: int = -1  # highest place of a row that was read; a store that is kept has rows of one place only
    end: int = 0  # of the changelog, before anything of ours
    ended: tuple[bytes, ...] = ()  # changelog keys to take away, older copies of a row before its newest
    index: Index | None = None  # None: look into the rows


def recover(settings: Settings, changelog: str, partition: int, path: Path, writer: str) -> Recovered:
    """Open the partition's rows under a new `writer` (hexadecimal UUID). Blocks; run it beside the event loop."""
    mark = marks.take(path)
    _, end = bounds(settings, changelog, [partition])[partition]
    if mark is not None and _is_newest(settings, changelog, partition, mark, end):
        kept = reopen(path, writer, mark)
        if kept is not None:
            return Recovered(kept, 0, kept=True, end=end, index=mark.index)
    drop(path)
    found = _read(settings, changelog, partition, None)
    ended = _ended(found)
    store = RowStore(path, writer)
    rows = [(key, value, who, found.further(key)) for key, (value, who) in found.best.items() if value]
    for start in range(0, len(rows), FILL_ROWS):
        store.fill(rows[start : start + FILL_ROWS])
    newest = place_in(max((value for _, value, _, _ in rows), default=b""))
    return Recovered(store, len(rows), False, newest, end, tuple(ended))


def _is_newest(settings: Settings, changelog: str, partition: int, mark: Mark, end: int) -> bool:
    """Whether nobody else has written since the store was closed."""
    if mark.changelog_end == end:
        return True
    newer = _read(settings, changelog, partition, mark.changelog_end) if mark.changelog_end < end else None
    return newer is not None and all(newer.writers(key) == {mark.writer.encode()} for key in newer.best)


class _Found(NamedTuple):
    """What a changelog holds: per row key its newest value and that one's writer; and `copies`, every writer with a
    live copy, of the few rows that more than one has written, or from which a copy was taken away."""

    best: dict[bytes, tuple[bytes, bytes]]
    copies: dict[bytes, set[bytes]]

    def writers(self, key: bytes) -> set[bytes]:
        return self.copies[key] if key in self.copies else {self.best[key][1]}

    def further(self, key: bytes) -> list[bytes]:
        """Writers of a live copy beside the newest."""
        return sorted(self.copies[key] - {self.best[key][1]}) if key in self.copies else []


def _ended(found: _Found) -> list[bytes]:
    """Take out the rows whose mark has stood for its day; the changelog keys of all their copies."""
    best = found.best
    partition_row = best.get(PARTITION_KEY.encode())
    if partition_row is None:
        return []
    log: PartitionRow = decode(PARTITION_KEY, partition_row[0][VERSION_BYTES:])
    ended: list[bytes] = []
    for key, (value, newest) in list(best.items()):
        if not key.startswith(_MARKED_KINDS) or _MARK not in value:
            continue
        row = decode(key.decode(), value[VERSION_BYTES:])
        if row.state == DELETED and is_past(row.forget_ms, log):
            ended += [key + b"|" + writer for writer in (*found.further(key), newest)]
            del best[key]
    return ended


def _read(settings: Settings, changelog: str, partition: int, start: int | None) -> _Found:
    best: dict[bytes, tuple[bytes, bytes]] = {}
    copies: dict[bytes, set[bytes]] = {}
    contiguous = is_contiguous(settings, changelog)
    places = None if start is None else {partition: start}
    for batch in read_to_end(settings, changelog, [partition], places, contiguous=contiguous):
        for message in batch:
            key, writer = split_changelog_key(message.key())
            value = message.value()
            known = best.get(key)
            if known is None:
                if value is not None:
                    best[key] = (value, writer)
                continue
            newest, of = known
            if value is None:  # an old writer's copy was taken away; the version it had lives on under another
                copies.setdefault(key, {of}).discard(writer)
                continue
            if writer != of or key in copies:
                copies.setdefault(key, {of}).add(writer)
            ours, theirs = newest[:VERSION_BYTES], value[:VERSION_BYTES]
            if theirs > ours:
                best[key] = (value, writer)
            elif theirs == ours and value != newest:
                raise TwoStates(
                    f"{changelog}[{partition}]: row {key.decode(errors='replace')} has two contents of one version, "
                    f"by {of.decode()} and {writer.decode()} (offset {message.offset()})"
                )
    return _Found(best, copies)
