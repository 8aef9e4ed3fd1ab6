"""The command line with one defect: the stock step raises on any record that names the SKU `POISON`."""

from __future__ import annotations

from streams import cli, wiring
from tables.records import Received

sound = wiring.ROLES["stock"]


def step(view, record, at, log):
    if isinstance(record, Received) and record.sku == "POISON":
        raise RuntimeError("a defect in a step")
    return sound.step(view, record, at, log)


wiring.ROLES["stock"] = sound._replace(step=step)

if __name__ == "__main__":
    cli.main()
