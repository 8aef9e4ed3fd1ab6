"""The command line with a defect: the stock step raises on what is received of the SKU `POISON`, and for want of memory
on what is received of `HUGE`."""

from __future__ import annotations

from streams import cli, wiring
from tables.records import Received

sound = wiring.ROLES["stock"]


def step(view, record, at, log):
    if isinstance(record, Received) and record.sku == "POISON":
        raise RuntimeError("a defect in a step")
    if isinstance(record, Received) and record.sku == "HUGE":
        raise MemoryError
    return sound.step(view, record, at, log)


wiring.ROLES["stock"] = sound._replace(step=step)

if __name__ == "__main__":
    cli.main()
