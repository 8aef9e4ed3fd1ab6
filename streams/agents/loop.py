"""The loop of every agent: a batch in, each partition through its step, what it says out; then the next.

Reads batches; writes through the owner. Guarantees: no await between the first and the last record of a batch, so that
a rebalance never sees half of one; any error outside a step ends the process. Nothing else belongs here.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from faust.types import TP

from streams.owner import PartitionOwner
from streams.transport import die
from streams.transport.failstop import AGENT_ERROR

log = logging.getLogger(__name__)


async def run(stream: Any, owner: PartitionOwner) -> None:
    """Handle batches until the worker stops."""
    async for event in stream.events():
        try:
            for partition, messages in event.value.items():
                owner.handle(TP(event.message.topic, partition), messages)
            owner.outbox.leave()
        except Exception as error:
            with suppress(MemoryError):  # what ended the agent must not keep its last words from ending the process
                log.exception("agent")
            die(AGENT_ERROR, repr(error))
        event.ack()
        await owner.room()
