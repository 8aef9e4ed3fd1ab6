"""The row of its file that a record came from, carried in the record's id: `online-retail:536365@0000000042`.

Pure. A log has partitions, a file has one order: whoever reads the log back sorts by this. The id alone carries it,
because an id survives whatever a record goes through, and the same row of the same file gives the same id.
Guarantees: `row_of` undoes `with_row`; an id that no importer made has no row. Does not belong here: what is in a row.
"""

from __future__ import annotations

import re

_ROW = re.compile(r"@(\d{10})$", re.ASCII)


def with_row(name: str, row: int) -> str:
    """The id of the record that row `row` (the first is 0) of a file became."""
    return f"{name}@{row:010d}"


def row_of(record_id: str) -> int | None:
    """The row of a record's file, or None: it came from no file."""
    found = _ROW.search(record_id)
    return int(found[1]) if found else None
