"""What a worker answers to a supervisor: over real HTTP, of an owner that says what it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from streams.health import Health
from streams.settings import from_environment


class Owner:
    """Of a worker that took part in so many assignments, with partitions in these states."""

    def __init__(self, rebalances: int, *states: str) -> None:
        self._counters = {"rebalances": rebalances}
        self._partitions = [{"topic": "orders", "partition": n, "state": state} for n, state in enumerate(states)]

    def status(self, ends: dict[Any, int] | None = None) -> list[dict[str, Any]]:
        return self._partitions

    async def ends(self) -> dict[Any, int]:
        return {}

    def counters(self) -> dict[str, int]:
        return self._counters


@pytest.mark.parametrize(("owner", "code"), [
    (Owner(0), 503), (Owner(1), 200), (Owner(1, "ready", "ready"), 200), (Owner(2, "ready", "recovering"), 503),
    (Owner(2, "ready", "halted"), 503),
], ids=["joining", "spare", "at work", "recovering", "halted"])  # fmt: skip
async def test_a_worker_is_ready_when_all_the_group_gave_it_is_open(tmp_path: Path, owner: Owner, code: int) -> None:
    health = Health(from_environment({"SMOKEHOUSE_HOME": str(tmp_path)}), owner, "all")
    await health.start()
    try:
        [file] = (tmp_path / "run").glob("worker-*.json")
        async with httpx2.AsyncClient(base_url=msgspec.json.decode(file.read_bytes())["url"]) as client:
            answer = await client.get("/readyz")
            assert (answer.status_code, answer.json()["ready"]) == (code, code == 200)
            assert (await client.get("/livez")).status_code == 200
    finally:
        await health.stop()
