"""What a worker tells about itself, and the one thing it can be told: a small HTTP server.

Reads the owner's status; writes its address to `run/worker-PID.json`, so that `smokehouse status` and the API find it
on this machine; elsewhere SMOKEHOUSE_WORKERS tells them. Listens on loopback unless SMOKEHOUSE_WORKER says otherwise.
`/livez`, `/readyz` (the group has given us our share, which may be none, and all of it is open and none halted),
`/status`, `/metrics` (the same for Prometheus), `POST /retry/TOPIC/PARTITION`; and for recalls, which ask for more than
any topic holds, `/lots/LOT` (`?traces=0`: without its movements) and `/recalls`. Does not belong here: queries about
stock and orders (the API), what a recall reads (`lot_rows`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec
from aiohttp import web

from streams import metrics
from streams.addresses import WorkerAddress, file_of, leave
from streams.answering import listen
from streams.lot_rows import lot_pieces, recalls
from streams.owner import PartitionOwner
from streams.settings import Settings, asked_at, joined, split_address
from tables.records import Lot


class Health:
    """Serves while the worker runs."""

    def __init__(self, settings: Settings, owner: PartitionOwner, role: str):
        self._run_dir = settings.run_dir
        self._owner, self._role = owner, role
        self._host, self._port = split_address(settings.worker)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        routes = [
            web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/status", self._status),
            web.get("/metrics", self._metrics),
            web.get("/lots/{lot:.+}", self._lot), web.get("/recalls", self._recalls),  # a lot code may hold slashes
            web.post("/retry/{topic}/{partition}", self._retry),
        ]  # fmt: skip
        self._runner = await listen(routes, self._host, self._port, "SMOKEHOUSE_WORKER")
        place = asked_at(joined(self._host, self._runner.addresses[0][1]))
        leave(self._run_dir, WorkerAddress(os.getpid(), f"http://{place}", self._role))

    async def stop(self) -> None:
        file_of(self._run_dir, os.getpid()).unlink(missing_ok=True)
        if self._runner is not None:
            await self._runner.cleanup()

    def _describe(self, ends: Mapping[tuple[str, int], int] | None = None) -> dict[str, object]:
        partitions, counters = self._owner.status(ends), self._owner.counters()
        joined_group = counters["rebalances"] > 0  # a spare worker was given no partition, and stands by for others'
        ready = joined_group and all(p["state"] == "ready" for p in partitions)
        return {"ready": ready, "role": self._role, "pid": os.getpid(), "partitions": partitions,
                "counters": counters}  # fmt: skip

    async def _livez(self, request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, request: web.Request) -> web.Response:
        told = self._describe()
        return web.json_response(told, status=200 if told["ready"] else 503)

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response(self._describe(await self._owner.ends()))

    async def _metrics(self, request: web.Request) -> web.Response:
        told = metrics.of_worker(self._owner.status(await self._owner.ends()), self._owner.counters())
        return web.Response(body=metrics.exposition(told), headers={"Content-Type": metrics.CONTENT_TYPE})

    async def _lot(self, request: web.Request) -> web.StreamResponse:
        try:
            lot = msgspec.convert(request.match_info["lot"], Lot)
        except msgspec.ValidationError as error:
            return web.json_response({"reason": str(error)}, status=400)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        traces = request.query.get("traces") != "0"
        async for piece in lot_pieces(self._owner, lot, traces=traces):
            await response.write(piece)
        await response.write_eof()
        return response

    async def _recalls(self, request: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(recalls(self._owner)), content_type="application/json")

    async def _retry(self, request: web.Request) -> web.Response:
        partition = request.match_info["partition"]
        if not partition.isdigit() or not self._owner.retry(request.match_info["topic"], int(partition)):
            return web.json_response({"retried": False, "reason": "it does not stand still on this worker"}, status=404)
        return web.json_response({"retried": True})
