"""Makes a record of the fields somebody gave, and puts it where it belongs.

Guarantees: what comes out of `record_of` is what the log's codec reads, with our time; what cannot be one is `Wrong`,
with everything that is wrong about it. Does not belong here: where fields come from, which ones there are.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import msgspec

from connectors.open_log import require_open_logs
from connectors.outlet import Outlet
from forecasting.planning import PLANNING
from streams.commands import vocabulary as v
from streams.commands.session import reading
from streams.settings import Settings
from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG, Unreadable, encode, instant

_CODECS = {v.ORDERS: ORDER_LOG, v.WAREHOUSE: STOCK_LOG, v.PLANNING: PLANNING}


class Wrong(Exception):
    """What was given is no record. Each argument is a sentence."""


def record_of(kind: type[r.Record], given: dict[str, Any]) -> r.Record:
    """`given`: its fields, and `id` (default: a new UUID). `time` is ours, whatever was given."""
    identity = given.get("id", str(uuid.uuid4()))
    theirs = {name: value for name, value in given.items() if name not in v.OURS}
    wrong = list(v.complaints(kind, theirs))
    if not isinstance(identity, str) or not 1 <= len(identity) <= v.ID_MAX:
        wrong.append(f"id: give text, 1 to {v.ID_MAX} characters")
    if wrong:
        raise Wrong(*wrong)
    now = instant(time.time_ns() // 1_000_000)
    try:
        value = encode(kind(**theirs, id=identity, time=now))
    except (UnicodeEncodeError, RecursionError) as error:
        raise Wrong("there is text in it that cannot be written") from error
    [read] = _CODECS[v.logs_of(kind)[0]].items(value)
    if isinstance(read, Unreadable):
        raise Wrong(str(read))
    record: r.Record = read
    return record


def outlet_to(settings: Settings) -> Outlet:
    """Ends the command if no log is open."""
    with reading():
        require_open_logs(settings)
        return Outlet(settings)


def write(outlet: Outlet, record: r.Record) -> None:
    """By its key, or to every partition of the logs that know it."""
    key, value = v.key_of(record), encode(record)
    for topic in v.logs_of(type(record)):
        if key is None:
            outlet.send_everywhere(topic, value)
        else:
            outlet.send(topic, key.encode(), value)
    outlet.serve()


def shown(record: r.Record) -> bytes:
    """What would be written and where, a JSON object a line."""
    key = v.key_of(record)
    return b"".join(
        msgspec.json.encode({"topic": topic.name, "key": key, "every_partition": key is None, "record": record}) + b"\n"
        for topic in v.logs_of(type(record))
    )
