"""`smokehouse tell`: say what happened, or ask for something, onto the right log: one record, or a file of them.

Reads fields from the command line; writes `orders`, `warehouse`, `planning`. Guarantees: what is wrong is named field
by field, and then nothing is written; the ids of what was written stand on stdout, one a line. The same id told again
is the same record and changes nothing. Exit codes: 1 not (all) written, 2 something is wrong with what was given, 3 no
log is open.
Does not belong here: which records there are, and what they may hold (`vocabulary`); files (`telling_file`).
"""

from __future__ import annotations

import shlex
import sys
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from connectors.outlet import DeliveryFailed
from streams.commands import vocabulary as v
from streams.commands.composing import Wrong, outlet_to, record_of, shown, write
from streams.commands.output import fail, put_table, say
from streams.commands.session import EXIT_ARGUMENTS, connected
from streams.commands.telling_file import refuse, tell_file
from tables import records as r
from tables.examples import example

PLANNING_KEYS: dict[type[r.Record], str] = {
    r.SupplierTerms: "supplier", r.Supply: "sku", r.PromotionPlanned: "promotion",
    r.ReorderDecision: "sku, location, run", r.ServiceSet: "(one)",
}  # fmt: skip


def tell(
    type_: Annotated[str, Parameter(name="TYPE")] = "",
    /,
    *fields: str,
    json: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    id: str = "",
    dry_run: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Write a record of a log or of the plans, or a file of them. Without FIELD=VALUE: which there are.

    Parameters
    ----------
    type_
        What happened, or what is asked for: received, counted, order_placed ...
    fields
        FIELD=VALUE. Text as it is; several texts with commas; numbers, true, false and anything nested as JSON.
    json
        A file of JSON lines, a record each; - is stdin. Fields given beside it are meant for every line without them,
        and a line may name its type and id itself.
    id
        The record's id; the same id is the same record. Default: a new UUID.
    dry_run
        Check, and show what would be written and where; no broker is asked.
    """
    kind = _kind(type_) if type_ else None
    given = _given(fields)
    if json:
        if id:
            fail('--id is for one record; in a file each line has its own: {"id": ...}', EXIT_ARGUMENTS)
        tell_file(json, kind, given, dry_run=dry_run)
    elif kind is None:
        _list_types()
    elif not given and not id:
        _describe(kind)
    else:
        _tell_one(kind, v.typed(kind, given) | ({"id": id} if id else {}), dry_run=dry_run)


def _tell_one(kind: type[r.Record], given: dict[str, Any], *, dry_run: bool) -> None:
    try:
        record = record_of(kind, given)
    except Wrong as wrong:
        refuse(list(wrong.args), f"smokehouse tell {v.type_name(kind)}")
    if dry_run:
        sys.stdout.write(shown(record).decode())
        return
    outlet = outlet_to(connected())
    try:
        write(outlet, record)
        outlet.flush()
    except DeliveryFailed as error:
        fail(f"{error}. Told again with --id {record.id} it is the same record")
    sys.stdout.write(f"{record.id}\n")
    logs, key = " and ".join(topic.name for topic in v.logs_of(kind)), v.key_of(record)
    say(f"written to {logs}" + (", every partition" if key is None else f", key {key}"))


def _kind(name: str) -> type[r.Record]:
    if name in v.TOLD:
        return v.TOLD[name]
    fail(v.unknown(name), EXIT_ARGUMENTS)


def _given(given: tuple[str, ...]) -> dict[str, str]:
    """FIELD=VALUE, as typed; what is none ends the command."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            fail(f"{text!r}: give FIELD=VALUE", EXIT_ARGUMENTS)
        if name in found:
            fail(f"{name} is given twice", EXIT_ARGUMENTS)
        if name in v.OURS:
            fail(f"{name}: not a field to be given" + ("; there is --id" if name == "id" else ""), EXIT_ARGUMENTS)
        found[name] = value
    return found


def _list_types() -> None:
    for topic, kinds in v.LOG_RECORDS.items():
        rows = [(name, _key_name(kind), v.meaning(kind)) for name, kind in v.TOLD.items() if kind in kinds]
        put_table(f"To {topic.name}", ("type", "key", "what it says"), rows)
    say("Fields and an example of one: smokehouse tell TYPE")


def _key_name(kind: type[r.Record]) -> str:
    if issubclass(kind, r.EVERYWHERE):
        return "(every partition)"
    if v.logs_of(kind) == [v.PLANNING]:
        return PLANNING_KEYS[kind]
    return "order_id" if v.logs_of(kind) == [v.ORDERS] else "sku"


def _describe(kind: type[r.Record]) -> None:
    rows = [
        (name, "needed" if v.needed(field) else v.default_text(field), v.allowed(hint))
        for name, (hint, field) in v.fields(kind).items()
    ]
    sys.stdout.write(f"{v.type_name(kind)}: {v.meaning(kind)}\n")
    put_table("", ("field", "default", "what it may be"), rows)
    sys.stdout.write(f"For example:\n{example_line(kind)}\n")


def example_line(kind: type[r.Record]) -> str:
    """The command that tells the example of this type."""
    said = msgspec.to_builtins(example(kind))
    words = [
        f"{name}={value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
        for name, value in said.items()
        if name not in v.OURS
    ]
    return shlex.join(["smokehouse", "tell", v.type_name(kind), *words])
