"""Plain Faust, as its documentation shows it: agents, tables, one message per event.

`python -m bench.peers.faust_plain` runs the worker.

The same two hops as Smokehouse: an order asks each SKU, the answers come back into the order log, the last one decides.
What is set apart from the documentation makes it faster (no web server, producer linger, no printing, JSON without
model classes, lines of one SKU summed). Tables are in RocksDB with changelogs, at least once. It promises less: no
memory of what it answered, so a redelivered message is applied twice. Does not belong here: how a round is measured.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka.admin import NewTopic

from bench.children import PythonChild
from bench.peers.peer import READY_SECONDS, Decision, LogPeer, make_topics
from bench.workload import Order
from streams.reader import read_to_end
from streams.settings import PARTITIONS_DEFAULT, Settings

ORDERS, STOCK, DECISIONS = "faust-orders", "faust-stock", "faust-decisions"
LEVELS = "faust-stock-levels"  # the stock table
OPEN = "faust-orders-open"  # the order table
APP = "faust-plain"
LINGER_SECONDS = 0.005
COMMIT_SECONDS = 1.0
SESSION_SECONDS = 10.0  # the embedded broker lets a group start after half of it
READY_FILE = "ready"


def build(bootstrap: str, prefix: str, folder: Path) -> Any:
    """The app. Environment-free: everything it needs is given."""
    import faust

    app = faust.App(
        prefix + APP, broker=f"kafka://{bootstrap}", store="rocksdb://?driver=rocksdict", datadir=str(folder),
        topic_partitions=PARTITIONS_DEFAULT, topic_allow_declare=True, topic_disable_leader=True, web_enabled=False,
        producer_linger=LINGER_SECONDS, producer_acks=-1, broker_commit_interval=COMMIT_SECONDS, autodiscover=False,
        broker_max_poll_records=500, broker_session_timeout=SESSION_SECONDS, broker_heartbeat_interval=2.0,
        value_serializer="json", key_serializer="raw",
    )  # fmt: skip
    orders = app.topic(prefix + ORDERS, key_serializer="raw", value_serializer="json")
    stock = app.topic(prefix + STOCK, key_serializer="raw", value_serializer="json")
    decisions = app.topic(prefix + DECISIONS, key_serializer="raw", value_serializer="json")
    levels = app.Table(prefix + LEVELS, default=int, partitions=PARTITIONS_DEFAULT, key_type=str, value_type=int)
    waiting = app.Table(prefix + OPEN, partitions=PARTITIONS_DEFAULT, key_type=str)

    @app.agent(orders)
    async def order_agent(stream: Any) -> None:
        async for event in stream:
            order_id = event["order_id"]
            key = order_id.encode()
            if event["type"] == "placed":
                units: dict[str, int] = {}
                for line in event["lines"]:
                    units[line["sku"]] = units.get(line["sku"], 0) + line["quantity"]
                waiting[order_id] = {"units": units, "missing": len(units), "granted": []}
                for sku, count in units.items():
                    ask = {"type": "reserve", "order_id": order_id, "sku": sku, "quantity": count}
                    await stock.send(key=sku.encode(), value=ask)
                continue
            row = waiting[order_id]
            granted = [*row["granted"], event["sku"]] if event["granted"] else row["granted"]
            row = {"units": row["units"], "missing": row["missing"] - 1, "granted": granted}
            waiting[order_id] = row
            if row["missing"]:
                continue
            confirmed = len(granted) == len(row["units"])
            if not confirmed:
                for sku in granted:
                    back = {"type": "release", "sku": sku, "quantity": row["units"][sku]}
                    await stock.send(key=sku.encode(), value=back)
            said = {"order_id": order_id, "confirmed": confirmed, "units": row["units"]}
            await decisions.send(key=key, value=said)

    @app.agent(stock)
    async def stock_agent(stream: Any) -> None:
        async for event in stream:
            sku, count = event["sku"], event["quantity"]
            if event["type"] != "reserve":  # received, released
                levels[sku] += count
                continue
            left = levels[sku] - count
            if left >= 0:
                levels[sku] = left
            answer = {"type": "answer", "order_id": event["order_id"], "sku": sku, "granted": left >= 0}
            await orders.send(key=event["order_id"].encode(), value=answer)

    @app.task
    async def tell() -> None:  # tasks start after the first recovery
        (folder / READY_FILE).touch()

    return app


class FaustPeer(LogPeer):
    name = "faust"
    orders = ORDERS
    stock = STOCK
    decisions = DECISIONS
    inputs = (ORDERS, STOCK)

    def prepare(self, settings: Settings) -> None:
        app = settings.prefix + APP
        names = [settings.prefix + x for x in (ORDERS, STOCK, DECISIONS)]
        names += [f"{app}-{settings.prefix}{table}-changelog" for table in (LEVELS, OPEN)]
        make_topics(settings, [NewTopic(name, PARTITIONS_DEFAULT, 1) for name in names])

    @contextlib.contextmanager
    def start(self, settings: Settings, folder: Path) -> Iterator[PythonChild]:
        data = folder / "faust"
        data.mkdir(parents=True)
        arguments = ["-m", "bench.peers.faust_plain", settings.bootstrap, settings.prefix, str(data)]
        with PythonChild(arguments, folder / "faust.log") as child:
            child.wait_until((data / READY_FILE).exists, READY_SECONDS)
            yield child

    def group(self, settings: Settings) -> str:
        return settings.prefix + APP

    def order(self, order: Order) -> bytes:
        lines = [{"sku": sku, "quantity": units} for sku, units in order.lines]
        return msgspec.json.encode({"type": "placed", "order_id": order.order_id, "lines": lines})

    def receipt(self, sku: str, units: int) -> list[bytes]:
        return [msgspec.json.encode({"type": "received", "sku": sku, "quantity": units})]

    def decision(self, value: bytes) -> Decision:
        said = msgspec.json.decode(value)
        return Decision(said["order_id"], said["confirmed"], said["units"] if said["confirmed"] else {})

    def levels(self, settings: Settings) -> dict[str, int]:
        changelog = f"{APP}-{settings.prefix}{LEVELS}-changelog"
        found: dict[str, int] = {}
        for batch in read_to_end(settings, changelog, contiguous=False):
            for message in batch:
                found[_plain(message.key())] = msgspec.json.decode(message.value())
        return found


def _plain(key: bytes) -> str:
    return str(msgspec.json.decode(key)) if key.startswith(b'"') else key.decode()


def main() -> None:
    import faust

    bootstrap, prefix, folder = sys.argv[1:]
    os.chdir(folder)
    for name in ("aiokafka", "faust", "mode"):  # their debug lines cost 5 % even where nobody reads them
        logging.getLogger(name).setLevel(logging.WARNING)
    app = build(bootstrap, prefix, Path(folder))
    faust.Worker(app, loglevel="warning", redirect_stdouts=False, quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
