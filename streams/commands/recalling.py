"""`smokehouse recall open|close|report|list`: freeze a lot everywhere at once, free it, say who got it.

Writes `recall_opened` and `recall_closed` to every partition of the stock log; reads what the workers of this machine
know. Exit codes: 1 a partition did not acknowledge or answer, or there is no such lot or recall; 2 a wrong argument.
Guarantees: a recall is written before anything is asked; a report that lacks a partition says so. Does not belong here:
what freezes (`tables`), how a report looks (`recall_report`, `recall_pdf`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from uuid import uuid4

import msgspec
from confluent_kafka import KafkaError, Message, Producer
from cyclopts import App, Parameter

from streams import logs
from streams.commands import recall_report
from streams.commands.output import fail, put_json, put_table, say, some
from streams.commands.session import EXIT_ARGUMENTS, connected, read_settings
from streams.lot_answers import NOBODY, Answers, Workers, all_recalls, named
from streams.settings import Settings, producer_config
from streams.topics import WAREHOUSE
from tables import records as r
from tables.codec import encode
from tables.lot_sections import LotPartition
from tables.rows import LotRow

recall_app = App(name="recall", help="Recalls: freeze a lot everywhere at once, and say who got it.")
Json = Annotated[bool, Parameter(name="--json", negative="")]
Skus = Annotated[list[str] | None, Parameter(name="--sku", negative="")]
ACKNOWLEDGE_SECONDS = 10.0
ASK_AGAIN_SECONDS = 0.02
ANSWER_SECONDS = 2.0  # a worker that stands still must not hold up the limit above; a busy one is asked again
SEND_SECONDS = 10.0


class Acknowledged(NamedTuple):
    """A partition's word that it has applied the record: seconds after it was sent, and its rows of the lot."""

    seconds: float
    rows: LotPartition


@recall_app.command(name="open")
def open_recall(
    lot: str, /, *, reason: str, sku: Skus = None,
    mock: Annotated[bool, Parameter(negative="")] = False, json_output: Json = False,
) -> None:  # fmt: skip
    """Freeze a lot: from here on none of it can be reserved, picked by choice, or promised, at any location.

    Returns when every partition has acknowledged, with what was frozen; exits with 1 if one does not within 10 s.

    Parameters
    ----------
    lot
        The lot code.
    reason
        Why, for everybody who reads it later.
    sku
        Only this SKU of the lot; repeat it for more. Default: every SKU that has the lot.
    mock
        A drill: everything is written and reported, nothing is frozen.
    """
    record = _checked(lambda: r.RecallOpened(
        id=f"recall:{lot}:{uuid4().hex[:12]}", time=_now(), lot=lot, skus=sku or [], reason=reason, mock=mock
    ))  # fmt: skip
    settings, count = _log()

    def covers(row: LotRow) -> bool:
        return not record.skus or row.sku in record.skus

    def applied(rows: LotPartition) -> bool:
        if mock:  # a drill beside a recall that is open leaves that one as it is
            return rows.recall is not None
        frozen = all(row.status == "recalled" for row in rows.lots if covers(row))
        return frozen and rows.recall is not None and rows.recall.id == record.id

    done, missing = _everywhere(settings, count, record, applied)
    stock = _stock(done, lambda row: row.status == "recalled" or (mock and covers(row)))
    _told(record, done, missing, stock, "would be frozen" if mock else "frozen", json_output=json_output)


@recall_app.command(name="close")
def close_recall(lot: str, /, *, reason: str, json_output: Json = False) -> None:
    """End a recall: what is still there is free again, unless it expired or its batch is held for another reason.

    Parameters
    ----------
    lot
        The lot code.
    reason
        Why, for everybody who reads it later.
    """
    record = _checked(lambda: r.RecallClosed(
        id=f"recall-closed:{lot}:{uuid4().hex[:12]}", time=_now(), lot=lot, reason=reason
    ))  # fmt: skip
    settings, count = _log()
    with Workers(settings, count, ANSWER_SECONDS) as workers:
        before = workers.lot(lot, traces=False)
    if not any(rows.recall is not None and rows.recall.state == "open" for rows in before.found):
        fail(before.trouble or f"no recall of lot {lot!r} is open; see: smokehouse recall list")

    def applied(rows: LotPartition) -> bool:
        closed = rows.recall is None or rows.recall.state == "closed"
        return closed and not any(row.status == "recalled" for row in rows.lots)

    done, missing = _everywhere(settings, count, record, applied)
    stock = _stock(done, lambda row: True)
    _told(record, done, missing, stock, "there, no longer recalled", json_output=json_output)


@recall_app.command(name="report")
def report(
    lot: str, /, *, sku: Skus = None, json_output: Json = False,
    csv: Annotated[bool, Parameter(negative="")] = False, pdf: Path | None = None,
    partial: Annotated[bool, Parameter(negative="")] = False,
) -> None:  # fmt: skip
    """Everything about a lot: where it came from, who got it, what is left, and whether that adds up.

    Kit lots it was made into are followed, and their shipments listed too. Exits with 1 if a partition does not answer.

    Parameters
    ----------
    lot
        The lot code.
    sku
        Only this SKU of the lot; repeat it for more.
    json_output
        One JSON document on stdout.
    csv
        One row per movement, shipment and place on stdout.
    pdf
        Write the report to this file, to print or send.
    partial
        Print what there is although a partition does not answer; the exit code is still 1.
    """
    if json_output and csv:
        fail("give --json or --csv: both go to stdout", EXIT_ARGUMENTS)
    try:
        msgspec.convert(lot, r.Lot)
    except msgspec.ValidationError as error:
        fail(f"lot {lot!r}: {error}", EXIT_ARGUMENTS)
    with Workers(read_settings()) as workers:
        account, answers = workers.account(lot, sku or [])
    if answers.missing and not partial:
        fail(f"{answers.trouble}. What they know would be missing; --partial prints the rest all the same")
    if not answers.found:
        fail(answers.trouble or NOBODY)
    if not account.known and account.recall is None:
        fail(f"no partition that answers knows lot {lot!r}" + (f" of SKU {', '.join(sku)}" if sku else ""))
    if json_output:
        put_json(account)
    elif csv:
        with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as out:
            recall_report.put_csv(account, out)
    elif pdf is None:
        recall_report.put_text(account)
    if pdf is not None:
        from streams.commands.recall_pdf import write_pdf  # its library takes a third of a second to load

        try:
            pages = write_pdf(account, pdf, _now())
        except OSError as error:
            fail(f"{pdf}: {error.strerror or error}")
        say(f"{pdf}: {pages} page(s)")
    if answers.missing:
        fail(f"partial: {answers.trouble}")


@recall_app.command(name="list")
def list_recalls(*, json_output: Json = False) -> None:
    """Every lot that was ever recalled: its last recall, the newest first. Exits with 1 if a partition is silent."""
    with Workers(read_settings()) as workers:
        answers = workers.recalls()
    found = all_recalls(answers)
    if json_output:
        put_json(found)
    else:
        columns = ("lot", "state", "drill", "opened", "closed", "SKUs", "reason", "partitions")
        put_table("", columns, [
            (x.lot, x.state, "drill" if x.mock else "", x.opened_at, x.closed_at, ", ".join(x.skus) or "all", x.reason,
             f"{len(x.partitions)} of {len(answers.found) + len(answers.missing)}")
            for x in found
        ])  # fmt: skip
    if answers.missing or not answers.found:
        fail(answers.trouble or NOBODY)


# -- writing to every partition ----------------------------------------------------------------------------------------


def _everywhere(
    settings: Settings, count: int, record: Any, applied: Callable[[LotPartition], bool]
) -> tuple[dict[int, Acknowledged], dict[int, str]]:
    """Write the record once per partition and wait for each to say so: those that did, and why the others did not."""
    began = time.monotonic()
    written = _write(settings, count, record)
    done: dict[int, Acknowledged] = {}
    with Workers(settings, count, ANSWER_SECONDS) as workers:
        while True:
            answers: Answers[LotPartition] = workers.lot(record.lot, traces=False)
            seconds = time.monotonic() - began
            for rows in answers.found:
                if rows.partition not in done and rows.offset > written[rows.partition] and applied(rows):
                    done[rows.partition] = Acknowledged(seconds, rows)
            if len(done) == count:
                return done, {}
            if seconds > ACKNOWLEDGE_SECONDS:
                late = {rows.partition: "it answers, but has not applied it yet" for rows in answers.found}
                return done, {n: (answers.missing | late)[n] for n in range(count) if n not in done}
            time.sleep(ASK_AGAIN_SECONDS)


def _write(settings: Settings, count: int, record: Any) -> dict[int, int]:
    """Partition -> offset of the record there. Ends the command if the broker does not take them all."""
    written: dict[int, int] = {}
    failed: list[str] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error:
            failed.append(f"{WAREHOUSE.name}[{message.partition()}]: {error.str()}")
        else:
            written[message.partition() or 0] = message.offset() or 0

    producer = Producer(producer_config(settings) | {"log_level": 3, "linger.ms": 0})
    for partition in range(count):
        producer.produce(settings.prefix + WAREHOUSE.name, encode(record), partition=partition, on_delivery=delivered)
    producer.flush(SEND_SECONDS)
    if len(written) < count:
        fail(f"the broker took it in {len(written)} of {count} partitions only: {'; '.join(failed) or 'no answer'}. "
             "Give the same command again: a lot that is recalled twice is recalled")  # fmt: skip
    return written


def _stock(done: dict[int, Acknowledged], of: Callable[[LotRow], bool]) -> list[tuple[str, str, int]]:
    """(SKU, location, units) of the lot rows that are meant and hold any."""
    rows = [row for _, x in sorted(done.items()) for row in x.rows.lots if row.on_hand and of(row)]
    return [(row.sku, row.location, row.on_hand) for row in rows]


def _told(
    record: Any, done: dict[int, Acknowledged], missing: dict[int, str], stock: list[tuple[str, str, int]],
    what: str, *, json_output: bool,
) -> None:  # fmt: skip
    total = sum(n for _, _, n in stock)
    if json_output:
        put_json({
            "id": record.id, "lot": record.lot, "acknowledged": not missing, "units": total,
            "partitions": [{"partition": n, "seconds": round(x.seconds, 3)} for n, x in sorted(done.items())],
            "stock": [{"sku": sku, "location": location, "units": n} for sku, location, n in stock],
            "missing": [{"partition": n, "why": why} for n, why in sorted(missing.items())],
        })  # fmt: skip
    else:
        put_table("Acknowledged", ("partition", "seconds", "units"), [
            (n, round(x.seconds, 3), sum(row.on_hand for row in x.rows.lots)) for n, x in sorted(done.items())
        ])  # fmt: skip
        put_table(f"{some(total, 'unit')} {what}", ("sku", "location", "units"), stock)
    if missing:
        fail(f"written, but not acknowledged within {ACKNOWLEDGE_SECONDS:.0f} s by {named(missing)}. It takes effect "
             "there as soon as the partition moves on; until then see: smokehouse recall list")  # fmt: skip


def _log() -> tuple[Settings, int]:
    """Settings of a broker that answers, and how many partitions the stock log has."""
    settings = connected()
    count = logs.partition_counts(settings).get(WAREHOUSE.name, 0)
    if not count:
        fail("there is no stock log. Make it: smokehouse topics apply")
    return settings, count


def _checked(make: Callable[[], Any]) -> Any:
    """The record, as the log will read it; the command ends if it could not."""
    record = make()
    try:
        return msgspec.json.decode(encode(record), type=type(record))
    except msgspec.ValidationError as error:
        fail(str(error), EXIT_ARGUMENTS)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
