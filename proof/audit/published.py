"""The records of a published topic, as an audit reads them: what cannot be read is a finding, not an end.

Pure. Does not belong here: what a record must say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from proof.audit.findings import Findings, Spot
from proof.audit.seen import Seen


def readable(
    messages: Iterable[Seen], decode: Callable[[bytes], Any], findings: Findings, rule: str, wanted: str
) -> Iterator[tuple[Any, Spot]]:
    """Each record with its place, tombstones left out. `wanted`: what ought to stand where none can be read."""
    for message in messages:
        if message.value is None:
            continue
        spot = Spot(message.topic, message.partition, message.offset)
        try:
            said = decode(message.value)
        except (msgspec.MsgspecError, ValueError) as error:
            findings.add(rule, str(message.key), spot, wanted, error)
            continue
        yield said, spot
