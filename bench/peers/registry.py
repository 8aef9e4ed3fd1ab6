"""The peers by name, in the order they are shown."""

from __future__ import annotations

from collections.abc import Callable

from bench.peers.called import CalledPeer
from bench.peers.faust_plain import FaustPeer
from bench.peers.floor import FloorPeer
from bench.peers.memory import MemoryPeer
from bench.peers.peer import AlonePeer, LogPeer, Peer
from bench.peers.postgres import PostgresBatchPeer, PostgresPeer
from bench.peers.quix import QuixPeer
from bench.peers.redis_lua import RedisPeer, RedisPipelinedPeer
from bench.peers.smokehouse import SmokehousePeer

ON_LOG: dict[str, Callable[[], LogPeer]] = {
    "smokehouse": SmokehousePeer, "floor": FloorPeer, "quix": QuixPeer, "faust": FaustPeer,
}  # fmt: skip
CALLED: dict[str, Callable[[], CalledPeer]] = {
    "redis": RedisPeer, "redis_pipelined": RedisPipelinedPeer, "postgres": PostgresPeer,
    "postgres_batch": PostgresBatchPeer,
}  # fmt: skip
ALONE: dict[str, Callable[[], AlonePeer]] = {**CALLED, "memory": MemoryPeer}
PEERS: dict[str, Callable[[], Peer]] = {**ON_LOG, **ALONE}
