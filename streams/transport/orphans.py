"""Partitions that no member of the group has, although nobody is about to give them away: found, and whose turn it is.

Reads the group as its coordinator describes it, without waiting for the answer. With names in the group (static
members) a worker that dies in the middle of a hand-over, and is back within its session, takes up what the group has on
record for it: the second half of the rebalance, in which what it gave up would have found its owner, never comes. The
group shares out anew when a member is gone for longer than its session; so the member with the least to lose stays away
for so long. Does not belong here: leaving and joining (`poller`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient
from faust.types import TP

from streams.settings import Settings, client_config

LOOK_SECONDS = 2.0
ORPHAN_SECONDS = 4.0  # a hand-over that goes well takes less; one that is disturbed takes a rebalance more
ANSWER_SECONDS = 5.0

log = logging.getLogger(__name__)


class Orphans:
    """Asked again and again by one thread."""

    def __init__(self, settings: Settings, group: str) -> None:
        self._admin = AdminClient(client_config(settings), logger=log)
        self._group, self._name = group, settings.instance_id
        self._asked: Future[Any] | None = None
        self._look_at = 0.0
        self._since = 0.0  # when the first of several looks in a row found orphans

    def found(self, partitions: Callable[[], set[TP]]) -> set[TP]:
        """Those of `partitions()` that are long without an owner, if it is our turn to do something; else none."""
        now = time.monotonic()
        if self._asked is None:
            if now >= self._look_at:
                asked = self._admin.describe_consumer_groups([self._group], request_timeout=ANSWER_SECONDS)
                self._asked = asked[self._group]
            return set()
        if not self._asked.done():
            return set()
        answer, self._asked, self._look_at = self._asked, None, now + LOOK_SECONDS
        try:
            group = answer.result()
        except KafkaException:
            group = None  # no broker to ask just now
        orphans = self._orphans(group, partitions)
        if not orphans:
            self._since = 0.0
            return set()
        self._since = self._since or now
        if now - self._since < ORPHAN_SECONDS or self._least(group) != self._name:
            return set()
        self._since = 0.0
        return orphans

    def _orphans(self, group: Any, partitions: Callable[[], set[TP]]) -> set[TP]:
        if group is None or group.state != ConsumerGroupState.STABLE:
            return set()
        return partitions() - {TP(p.topic, p.partition) for m in group.members for p in m.assignment.topic_partitions}

    def _least(self, group: Any) -> str:
        """The name of the member with the fewest partitions."""
        sizes = [(len(m.assignment.topic_partitions), m.group_instance_id or "") for m in group.members]
        return min(sizes, default=(0, ""))[1]
