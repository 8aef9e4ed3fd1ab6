"""Names, quantities and times as records carry them, and the limits of what one record may hold.

A record over a limit is unreadable (a dead letter), never cut. Does not belong here: any record.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

# Limits of what one record may hold. A record over them is unreadable (a dead letter), never cut.
SKU_PATTERN = r"^[A-Za-z0-9._:-]{1,64}$"  # in OpenAPI's dialect; Python's `$` also stands before a last line break
_NAME = SKU_PATTERN[:-1] + r"\Z"
QUANTITY_MAX = 1_000_000_000
WANTED_MAX = 1_000_000_000_000  # what an order may ask for and be refused; rows hold the sum of its lines
LINES_MAX = 2_000
PARTS_MAX = 4_000  # lines over their locations, of one command: its answer is one record
ITEMS_MAX = 1_000  # of a packed record; a position keeps 10 bits for the place
PACKED_BYTES_MAX = 512 * 1024
RECORD_BYTES_MAX = 900 * 1024  # below every broker's default of 1 MiB

Sku = Annotated[str, Meta(pattern=_NAME)]
Location = Annotated[str, Meta(pattern=_NAME)]
Lot = Annotated[str, Meta(pattern=r'^[!"%-?A-Z_a-z]{1,20}\Z')]  # GS1 AI 10: up to 20 of GS1's character set 82
Short = Annotated[str, Meta(min_length=1, max_length=128)]
Channel = Annotated[str, Meta(max_length=128)]  # or "": of none
Text = Annotated[str, Meta(max_length=500)]
Reference = Annotated[str, Meta(pattern=r"^[^|\x00-\x1f]{1,64}\Z")]  # a document of theirs: part of a row's key
Tracking = Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ._:/-]{1,64}\Z")]
Days = Annotated[int, Meta(ge=0, le=3650)]
Count = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
Units = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
Signed = Annotated[int, Meta(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]
Wanted = Annotated[int, Meta(ge=-WANTED_MAX, le=WANTED_MAX)]
Seconds = Annotated[int, Meta(ge=1, le=400 * 86400)]
Millis = Annotated[int, Meta(ge=0, le=1 << 53)]
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
Day = Annotated[str, Meta(pattern=rf"^{_DAY}\Z")]
Instant = Annotated[str, Meta(pattern=rf"^{_DAY}{_CLOCK}\Z")]
Stamp = Annotated[str, Meta(max_length=40)]  # a time we wrote ourselves: shown, never used by a rule

Policy = Literal["all_or_nothing", "ship_available", "backorder"]
LotStatus = Literal["approved", "inspection", "on_hold"]
Disposition = Literal["restock", "scrap", "quarantine", "to_supplier"]
AdjustReason = Literal[
    "correction", "cycle_count", "damaged", "shrinkage", "expired", "sample", "donation",
    "found", "quality", "lot_correction", "data_entry", "recall", "other",
]  # fmt: skip


class Record(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type"):
    """What every record carries: `id` (same id, same content: the same record) and `time` (when we wrote it)."""

    id: Annotated[str, Meta(min_length=1, max_length=256)]
    time: Stamp = ""
