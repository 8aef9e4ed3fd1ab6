"""Bytes at their limits, to the byte; and what a dead letter says of bytes that are no record."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG, LogCodec, Unreadable, batches, digest, encode, pack
from tables.examples import example

TICK = encode(r.Tick(id="t", now_ms=1))


def the_one(value: bytes | None, log: LogCodec = STOCK_LOG) -> Any:
    (item,) = log.items(value)
    return item


def padded(size: int) -> bytes:
    """A record of so many bytes: what we do not know of it is left aside."""
    empty = json.dumps({"type": "tick", "id": "t", "now_ms": 1, "x": ""}).encode()
    return empty.replace(b'""', b'"' + b"x" * (size - len(empty)) + b'"')


def test_a_record_may_have_as_many_bytes_as_the_limit_and_not_one_more() -> None:
    assert the_one(padded(r.RECORD_BYTES_MAX)) == r.Tick(id="t", now_ms=1)
    over = the_one(padded(r.RECORD_BYTES_MAX + 1))
    assert type(over) is Unreadable
    assert str(over) == f"{r.RECORD_BYTES_MAX + 1} bytes; the limit is {r.RECORD_BYTES_MAX}"


@pytest.mark.parametrize("value", [None, b""])
def test_a_value_of_nothing_is_called_empty(value: bytes | None) -> None:
    assert str(the_one(value)) == "empty value"


def test_what_is_packed_in_another_way_than_ours_is_told_apart_from_garbage() -> None:
    says = "a packed record that does not start with its type, or items packed twice"
    spaced = b'{ "type":"packed","items":[' + TICK + b"]}"
    assert str(the_one(spaced)) == says
    assert [str(x) for x in STOCK_LOG.items(pack([pack([TICK])]))] == [says]
    for other in (b'{"type":"pack"}', b'{"type":7}', b"{}", b"packed"):
        assert str(the_one(other)) not in ("", says)


@pytest.mark.parametrize("log", [ORDER_LOG, STOCK_LOG])
def test_each_log_reads_packs_and_a_pack_that_is_cut_off_is_one_unreadable(log: LogCodec) -> None:
    assert log.items(pack([TICK, TICK])) == [r.Tick(id="t", now_ms=1)] * 2
    assert str(the_one(pack([TICK, TICK])[:-1], log)) == "Input data was truncated"


def test_a_run_is_cut_when_the_next_record_would_be_one_byte_too_many() -> None:
    """A comma goes with each."""
    half = r.PACKED_BYTES_MAX // 2
    fits, one_more = b"x" * (half - 1), b"x" * half
    assert list(batches([fits, fits])) == [[fits, fits]]
    assert list(batches([fits, one_more])) == [[fits], [one_more]]
    assert list(batches([one_more, fits])) == [[one_more], [fits]]
    assert list(batches([fits, fits, fits, fits, one_more, one_more, fits])) == [
        [fits, fits], [fits, fits], [one_more], [one_more], [fits]
    ]  # fmt: skip
    alone = b"x" * (r.PACKED_BYTES_MAX + 1)
    assert list(batches([alone, fits, fits, alone])) == [[alone], [fits, fits], [alone]]
    assert list(batches([])) == []


@pytest.mark.parametrize("count", [1, r.ITEMS_MAX, r.ITEMS_MAX + 1, 2 * r.ITEMS_MAX, 2 * r.ITEMS_MAX + 1])
def test_a_run_holds_as_many_records_as_a_pack_may(count: int) -> None:
    full, rest = divmod(count, r.ITEMS_MAX)
    assert [len(run) for run in batches([TICK] * count)] == [r.ITEMS_MAX] * full + [rest] * bool(rest)


def test_the_digest_of_a_record_stays_what_it_was() -> None:
    """Rows of other releases hold it: another one, and every fact that comes again is called a conflict."""
    record = r.Tick(id="t", now_ms=1)
    assert digest(record) == digest(replace(record, time="2026-03-02T09:15:00Z"))
    assert digest(record) == blake2b(b'{"type":"tick","now_ms":1,"id":"t"}', digest_size=8).digest()


def test_a_reason_is_the_first_line_and_says_what_is_wrong_where() -> None:
    assert str(the_one(encode(example(r.Received)).replace(b'"quantity":', b'"quantity":-'))) == (
        "Expected `int` >= 1 - at `$.quantity`"
    )


def test_a_reason_puts_nothing_in_the_place_of_what_was_sent() -> None:
    assert str(the_one(b'{"type":"4111-1111","id":"x"}')) == "Invalid value - at `$.type`"
