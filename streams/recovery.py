"""Recovery: the rows of one partition from its changelog, or from a local store that can be trusted.

Reads the whole changelog partition; writes the local store. Guarantees: per row the highest version over all writers;
two contents of one version are an error, never a choice; a local store is kept only if it was closed cleanly and no
other writer came after. Recovery changes nothing by itself: what its rows leave open, the log delivers again. Rows that
were marked deleted a day ago end here, where every copy of them is known: whoever owned them is long gone.
Does not belong here: deciding whether the log fits the rows (`owner`).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from streams.reader import is_contiguous, last_offsets, read_to_end
from streams.settings import Settings
from tables.pruning import DELETED, is_past
from tables.rows import PARTITION_KEY, PartitionRow, decode
from tables.store import VERSION_BYTES, RowStore, drop, place_in, reopen, split_changelog_key, take_mark

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


def recover(settings: Settings, changelog: str, partition: int, path: Path, writer: str) -> Recovered:
    """Open the partition's rows under a new `writer` (hexadecimal UUID). Blocks; run it beside the event loop."""
    mark = take_mark(path)
    end = last_offsets(settings, changelog)[partition]
    if mark is not None and mark.changelog_end <= end:
        newer = _read(settings, changelog, partition, mark.changelog_end)
        only_ours = all(writers == {mark.writer.encode()} for _, _, writers in newer.values())
        if only_ours and (kept := reopen(path, writer, mark)) is not None:
            return Recovered(kept, 0, kept=True, end=end)
    drop(path)
    best = _read(settings, changelog, partition, None)
    ended = _ended(best)
    store = RowStore(path, writer)
    rows = [(key, value, who, sorted(writers - {who})) for key, (value, who, writers) in best.items() if value]
    for start in range(0, len(rows), FILL_ROWS):
        store.fill(rows[start : start + FILL_ROWS])
    newest = place_in(max((value for _, value, _, _ in rows), default=b""))
    return Recovered(store, len(rows), False, newest, end, tuple(ended))


def _ended(best: _Best) -> list[bytes]:
    """Take out the rows whose mark has stood for its day; the changelog keys of all their copies."""
    partition_row = best.get(PARTITION_KEY.encode())
    if partition_row is None:
        return []
    log: PartitionRow = decode(PARTITION_KEY, partition_row[0][VERSION_BYTES:])
    ended: list[bytes] = []
    for key, (value, newest, writers) in list(best.items()):
        if not key.startswith(_MARKED_KINDS) or _MARK not in value:
            continue
        row = decode(key.decode(), value[VERSION_BYTES:])
        if row.state == DELETED and is_past(row.forget_ms, log):
            ended += [key + b"|" + writer for writer in (*sorted(writers - {newest}), newest)]
            del best[key]
    return ended


_Best = dict[bytes, tuple[bytes, bytes, set[bytes]]]  # row key -> (value, its writer, every writer with a live copy)


def _read(settings: Settings, changelog: str, partition: int, start: int | None) -> _Best:
    best: _Best = {}
    contiguous = is_contiguous(settings, changelog)
    places = None if start is None else {partition: start}
    for batch in read_to_end(settings, changelog, [partition], places, contiguous=contiguous):
        for message in batch:
            key, writer = split_changelog_key(message.key())
            value = message.value()
            known = best.get(key)
            if value is None:  # an old writer's copy was taken away; the version it had lives on under another
                if known is not None:
                    known[2].discard(writer)
                continue
            if known is None:
                best[key] = (value, writer, {writer})
                continue
            known[2].add(writer)
            ours, theirs = known[0][:VERSION_BYTES], value[:VERSION_BYTES]
            if theirs > ours:
                best[key] = (value, writer, known[2])
            elif theirs == ours and value != known[0]:
                raise TwoStates(
                    f"{changelog}[{partition}]: row {key.decode(errors='replace')} has two contents of one version, "
                    f"by {known[1].decode()} and {writer.decode()} (offset {message.offset()})"
                )
    return best
