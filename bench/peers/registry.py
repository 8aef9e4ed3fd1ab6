"""The peers by name, in the order they are shown."""

from __future__ import annotations

from collections.abc import Callable

from bench.peers.faust_plain import FaustPeer
from bench.peers.peer import Peer
from bench.peers.smokehouse import SmokehousePeer

PEERS: dict[str, Callable[[], Peer]] = {"smokehouse": SmokehousePeer, "faust": FaustPeer}
