"""What the workers say of themselves.

Reads: where they are (`streams.addresses`), and `GET {url}/status` of each. Writes: nothing. Guarantees: short waits,
few workers at a time; a worker that does not answer is reported as such, one whose process is gone is left out, and one
that takes longer, as in a burst, is taken at its last word for `BUSY_SECONDS`.
Does not belong here: what a worker does.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx2

from api.models import health as m
from streams.addresses import WorkerAddress, worker_addresses
from streams.settings import Settings
from streams.topics import LOGS

ANSWER_SECONDS = 3.0
BUSY_SECONDS = 10.0
EVERY_SECONDS = 2.0


class Workers:
    """`watch()` runs for ever beside the server; `seen` is what it found last."""

    def __init__(self, settings: Settings) -> None:
        self.seen: list[m.Worker] = []
        self._settings = settings
        self._heard: dict[str, tuple[float, m.Worker]] = {}  # url -> when it answered, and what

    @property
    def halted(self) -> list[m.HaltedPartition]:
        return [
            m.HaltedPartition(**partition.model_dump(exclude={"state"}))
            for worker in self.seen for partition in worker.partitions if partition.state == "halted"
        ]  # fmt: skip

    @property
    def ready(self) -> bool:
        """All answer, and what they have is ready. A spare one has nothing: there are more workers than partitions."""
        return all(
            worker.answers and all(partition.state == "ready" for partition in worker.partitions)
            for worker in self.seen
        )  # fmt: skip

    @property
    def waiting(self) -> int:
        """Records in the logs that are not handled yet, of the partitions whose worker says so."""
        return sum(partition.waiting or 0 for worker in self.seen for partition in worker.partitions)

    def unserved(self, partitions: int) -> int:
        """Of so many partitions of each log, those that no worker that answers has: nothing is decided there."""
        had = {(partition.topic, partition.partition) for worker in self.seen for partition in worker.partitions}
        return sum((log.name, number) not in had for log in LOGS for number in range(partitions))

    async def watch(self) -> None:
        async with httpx2.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
            while True:
                self.seen = await self.look(client)
                await asyncio.sleep(EVERY_SECONDS)

    async def look(self, client: httpx2.AsyncClient) -> list[m.Worker]:
        addresses = await asyncio.to_thread(worker_addresses, self._settings)
        urls = {address.url for address in addresses}
        self._heard = {url: last for url, last in self._heard.items() if url in urls}
        return list(await asyncio.gather(*(self._ask(client, address) for address in addresses)))

    async def _ask(self, client: httpx2.AsyncClient, address: WorkerAddress) -> m.Worker:
        try:
            told = await _told(client, address)
            self._heard[address.url] = (time.monotonic(), told)
            return told
        except httpx2.TimeoutException:
            heard, told = self._heard.get(address.url, (float("-inf"), None))
            if told is not None and time.monotonic() - heard < BUSY_SECONDS:
                return told
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, AttributeError):
            pass
        return m.Worker(
            pid=address.pid, address=address.place, role=address.role, answers=False, ready=False, partitions=[]
        )


async def _told(client: httpx2.AsyncClient, address: WorkerAddress) -> m.Worker:
    answer = await client.get(f"{address.url.rstrip('/')}/status")
    said: dict[str, Any] = answer.json()
    return m.Worker(
        pid=said.get("pid", address.pid), address=address.place, role=said.get("role", address.role), answers=True,
        ready=bool(said.get("ready")), partitions=said.get("partitions", []),
    )  # fmt: skip
