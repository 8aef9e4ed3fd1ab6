"""The row of its file that a record came from, carried in a header beside it: `smokehouse.file-row: 42`.

Pure. A log has partitions, a file has one order: whoever reads the log back sorts by this. It is no part of the record:
the same order stands at another row of a longer file, and is the same record all the same.
Guarantees: `row_of` undoes `with_row`; a record that no importer sent has no row. Does not belong here: what is in a
row.
"""

from __future__ import annotations

from collections.abc import Iterable

ROW_HEADER = "smokehouse.file-row"

Headers = Iterable[tuple[str, bytes]]


def with_row(row: int) -> list[tuple[str, bytes]]:
    """The headers of the record that row `row` (the first is 0) of a file became."""
    return [(ROW_HEADER, b"%d" % row)]


def row_of(headers: Headers | None) -> int | None:
    """The row of a record's file, or None: it came from no file."""
    found = dict(headers or ()).get(ROW_HEADER, b"")
    return int(found) if found.isdigit() else None
