"""What a cleanly closed store leaves beside its files, so that who opens it again need not look at every row.

Reads and writes `STORE.closed`. Guarantees: a mark is believed whole or not at all (gzip's CRC-32 stands over it) and
once; it names every file of its store with a digest, so that a store that lost or changed a byte is known before it is
opened. Does not belong here: rows, RocksDB (`store`), whether another writer came after (`streams.recovery`).
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

import msgspec
from msgspec import Struct

from tables.table import Index

_NO_MATTER = ("LOCK", "LOG")  # RocksDB's own diary, and a file that is always empty

Files = dict[str, bytes]  # name -> BLAKE2b of what it holds


class Mark(Struct, frozen=True, array_like=True):
    """Whose store it was, how far its changelog went then, its files, and what would have to be looked up in them."""

    writer: str
    changelog_end: int
    files: Files
    seen: bytes  # `RowStore`'s: which keys may be there
    others: bool  # whether further copies are noted
    index: Index | None  # None: look into the rows


def leave(path: Path, mark: Mark) -> None:
    """Beside the store at `path`, which is closed."""
    place_of(path).write_bytes(gzip.compress(_encode(mark), 1))


def take(path: Path) -> Mark | None:
    """The mark of the store at `path`, taken away: whoever opens it has to earn it again."""
    place = place_of(path)
    try:
        found = _decode(gzip.decompress(place.read_bytes()))
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError):
        found = None
    place.unlink(missing_ok=True)
    return found if path.is_dir() else None


def files_of(path: Path) -> Files:
    """Every file of a store that is closed."""
    return {file.name: _digest_of(file) for file in sorted(path.iterdir()) if not file.name.startswith(_NO_MATTER)}


def place_of(path: Path) -> Path:
    return path.with_name(path.name + ".closed")


def _digest_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, hashlib.blake2b).digest()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Mark).decode
