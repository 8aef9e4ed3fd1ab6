"""What several answers hold: how fresh they are, versions, SKUs that are asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from tables.records import SKU_PATTERN

Version = tuple[int, int, int]
OneSku = Annotated[str, StringConstraints(pattern=SKU_PATTERN)]


class AsOf(BaseModel):
    """How fresh an answer is: the last record of a partition that it takes into account."""

    topic: str
    partition: int
    offset: int | None = Field(description="Of the last record applied; null: none yet")
    time: str | None = Field(description="When that record was written (RFC 3339)")
    lag: int | None = Field(description="Records written and not applied yet; null: the broker does not answer")
