"""What every endpoint shares: the feed it asks, its parameters, and how fresh its answer is.

Guarantees: who asks a view that has not caught up, or has lost its broker, gets 503, never what was true once.
Does not belong here: endpoints.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import Depends, Path, Query, Request, Response
from starlette.types import Scope

from api.feed import Feed
from api.problems import Problem
from tables.codec import instant
from tables.murmur2 import partition_of
from tables.records import SKU_PATTERN

PAGE_MAX = 500
ENVELOPE = ("type", "id", "time")
EXPLANATION = "/explanation"  # after an order's id: why it was decided so
_encode = msgspec.json.Encoder().encode


async def _feed(request: Request) -> Feed:
    return request.app.state.feed


async def _caught_up(request: Request) -> Feed:
    feed: Feed = request.app.state.feed
    if not feed.progress.reached:  # what it holds now is the past, or of a log that is gone
        raise Problem(503, "view-behind", "The read view is not caught up; ask again.", {"Retry-After": "1"})
    return feed


Watched = Annotated[Feed, Depends(_feed)]
Asked = Annotated[Feed, Depends(_caught_up)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="Items a page")]
After = Annotated[str | None, Query(max_length=200, description="`next` of the page before")]
SkuPath = Annotated[str, Path(pattern=SKU_PATTERN)]
SkuFilter = Annotated[str | None, Query(pattern=SKU_PATTERN)]
PlacePath = Annotated[str, Path(pattern=SKU_PATTERN)]


def as_of(feed: Feed, topic: str, key: str | None = None) -> list[dict[str, Any]]:
    """How fresh what the view holds of `topic` is: of the partition of `key`, or of all of them (`models.AsOf`)."""
    progress = feed.progress
    partitions = sorted(partition for name, partition in progress.positions if name == topic)
    if key is not None and partitions:
        partitions = [partition_of(key, len(partitions))]
    found = []
    for partition in partitions:
        last = feed.view.applied.get((topic, partition))
        found.append(
            {
                "topic": topic, "partition": partition, "offset": last.offset if last else None,
                "time": instant(last.time_ms) if last else None, "lag": progress.lag(topic, partition),
            }
        )
    return found


def asks_for_explanation(scope: Scope) -> bool:
    """Whether the path ends so as it was sent. An id that ends so is asked for with its slash as %2F."""
    return scope["raw_path"].endswith(EXPLANATION.encode())


def plain(record: Any) -> Any:
    """A published record as the JSON it is."""
    return msgspec.to_builtins(record)


def bare(record: msgspec.Struct) -> dict[str, Any]:
    """What a published record says, without what belongs to its transport."""
    return {name: getattr(record, name) for name in record.__struct_fields__ if name not in ENVELOPE}


def answered(body: dict[str, Any]) -> Response:
    """For long answers: the framework does not look at them again."""
    return Response(_encode(body), media_type="application/json")


def unknown(feed: Feed, kind: str, detail: str) -> Problem:
    """404; but a view that is far behind cannot know: 503 then."""
    if not feed.progress.ready:
        return Problem(503, "view-behind", "The read view is too far behind to know.", {"Retry-After": "1"})
    return Problem(404, kind, detail)
