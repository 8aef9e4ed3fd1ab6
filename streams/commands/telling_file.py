"""`smokehouse tell --json FILE`: many records at once, out of JSON lines.

Reads a file or stdin; writes both logs and `planning`. Guarantees: every line is checked before the first record is
written, and one that is wrong, named by its number, means that nothing is. Bounded: a million lines, of at most a
record's size; checked lines wait on disk. Does not belong here: what a record may say (`vocabulary`), how it is made
(`composing`).
"""

from __future__ import annotations

import sys
import tempfile
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from connectors.outlet import DeliveryFailed
from streams.commands import vocabulary as v
from streams.commands.composing import Wrong, outlet_to, record_of, shown, write
from streams.commands.output import fail, say, some, talk
from streams.commands.session import EXIT_ARGUMENTS, connected
from streams.settings import Settings
from tables import records as r
from tables.codec import encode

LINES_MAX = 1_000_000
COMPLAINTS_MAX = 20
SPOOL_BYTES = 16 << 20  # of checked lines in memory; the rest waits on disk
_told = msgspec.json.Decoder(r.OrderRecord | r.StockRecord | r.PlanningRecord)


def tell_file(name: str, kind: type[r.Record] | None, given: dict[str, str], *, dry_run: bool) -> None:
    """`kind`: of lines that name none. `given`: fields, as typed, of lines that lack them."""
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as checked:
        with _opened(name) as lines:
            count = _check(lines, checked, kind, given)
        checked.seek(0)
        if dry_run:
            for record in _read(checked):
                sys.stdout.write(shown(record).decode())
            say(f"{some(count, 'record')} checked and found good; nothing was written")
        else:
            _write(connected(), checked, count)


def _opened(name: str) -> IO[bytes]:
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        fail(f"{name}: {error.strerror}", EXIT_ARGUMENTS)


def _check(lines: IO[bytes], checked: IO[bytes], kind: type[r.Record] | None, given: dict[str, str]) -> int:
    """Put each line's record into `checked`; returns how many. Ends the command if any line is wrong."""
    count, wrong = 0, []
    for number, line in _lines(lines):
        try:
            record = _of_line(line, kind, given)
        except Wrong as complaint:
            wrong += [f"line {number}: {text}" for text in complaint.args]
            if len(wrong) > COMPLAINTS_MAX:
                break
            continue
        checked.write(encode(record) + b"\n")
        count += 1
    if wrong:
        refuse(wrong)
    if not count:
        fail("there is not one record in it", EXIT_ARGUMENTS)
    return count


def _lines(lines: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    for number in range(1, LINES_MAX + 2):
        line = lines.readline(r.RECORD_BYTES_MAX + 1)
        if not line:
            return
        if len(line) > r.RECORD_BYTES_MAX:
            fail(f"line {number}: over {r.RECORD_BYTES_MAX:,} bytes; nothing was written", EXIT_ARGUMENTS)
        if number > LINES_MAX:
            fail(f"over {LINES_MAX:,} lines; nothing was written: tell them in several files", EXIT_ARGUMENTS)
        if number == 1:
            line = line.removeprefix(BOM_UTF8)
        if line.strip():
            yield number, line


def _of_line(line: bytes, kind: type[r.Record] | None, given: dict[str, str]) -> r.Record:
    try:
        told = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Wrong("no JSON") from error
    if not isinstance(told, dict):
        raise Wrong("no JSON object")
    named = told.get("type")
    if named is None and kind is None:
        raise Wrong("type is missing: name it in the line, or before the file")
    found = kind if named is None else v.TOLD.get(named) if isinstance(named, str) else None
    if found is None:
        raise Wrong(v.unknown(str(named)[:60]))
    if kind is not None and found is not kind:
        raise Wrong(f"type: this is {named}, and only {v.type_name(kind)} was announced")
    return record_of(found, v.typed(found, given) | told)


def _write(settings: Settings, checked: IO[bytes], count: int) -> None:
    outlet = outlet_to(settings)
    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=talk, transient=True,
                   disable=not talk.is_terminal)  # fmt: skip
    try:
        with bar:
            for record in bar.track(_read(checked), total=count, description="records written"):
                write(outlet, record)
            outlet.flush()
    except DeliveryFailed as error:
        fail(f"{error}. The same lines told again are the same records only if they have ids of their own")
    checked.seek(0)
    for record in _read(checked):
        sys.stdout.write(f"{record.id}\n")
    say(f"{some(count, 'record')} written, {some(outlet.acknowledged, 'acknowledgement')}")


def _read(checked: IO[bytes]) -> Iterator[r.Record]:
    for line in checked:
        yield _told.decode(line)


def refuse(wrong: list[str], see: str = "smokehouse tell") -> NoReturn:
    """End the command with what is wrong."""
    for text in wrong[:COMPLAINTS_MAX]:
        say(f"  {text}")
    if len(wrong) > COMPLAINTS_MAX:
        say("  ... and more")
    fail(f"nothing was written. See: {see}", EXIT_ARGUMENTS)
