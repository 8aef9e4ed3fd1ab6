"""`smokehouse tell --json` with what `proof.badinput` makes: each line refused with a reason, nothing written."""

from __future__ import annotations

import json
from codecs import BOM_UTF8

import pytest

from proof import badinput
from streams.commands.telling_file import COMPLAINTS_MAX, tell_file
from streams.reader import read_to_end
from streams.topics import LOGS
from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG

# What is no JSON object in any dialect. Other bad records may be told: a time of theirs is left out, an id is made.
NO_LINE = ("noise", "nothing", "cut", "tail", "flipped", "dialect", "bomb", "packs", "1,001 items")
RIGHT = json.dumps({"type": "received", "sku": "BJ-1", "location": "W1", "quantity": 1, "lot": "L1"}).encode()


def _lines(seed: int, count: int) -> list[tuple[str, bytes]]:
    """(recipe, line) of bad records that stand on one line and are no blank one."""
    return [
        (bad.name, bad.value) for bad in badinput.bad_records(seed, count, 4)
        if bad.value and bad.value.strip() and b"\n" not in bad.value and len(bad.value) < r.RECORD_BYTES_MAX
    ]  # fmt: skip


def test_each_line_is_refused_with_a_reason_or_is_a_record_that_its_log_reads(tmp_path, capsys):
    """One file a line, checked and not written."""
    refused = 0
    file = tmp_path / "line"
    for name, line in _lines(3, 5_000):
        file.write_bytes(line)
        code = 0
        try:
            tell_file(str(file), None, {}, dry_run=True)
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        if code:
            assert (code, said.out) == (2, "")
            assert "line 1: " in said.err
            assert "nothing was written" in said.err
            refused += 1
        else:
            assert name not in NO_LINE or line.startswith(BOM_UTF8), line[:300]  # a mark before the first line is none
            for shown in said.out.splitlines():
                told = json.loads(shown)
                log = ORDER_LOG if told["topic"] == "orders" else STOCK_LOG
                assert isinstance(log.items(json.dumps(told["record"]).encode())[0], r.Record)
    assert refused > 2_500


@pytest.mark.parametrize("seed", [1, 2])
def test_a_file_of_bad_lines_writes_not_even_the_good_ones(shop, seed):
    bad = [line for name, line in _lines(seed, 400) if name in NO_LINE]
    file = shop.settings.home / "told.jsonl"
    file.write_bytes(b"\n".join([RIGHT, *bad, RIGHT]) + b"\n")
    told = shop.run("tell", "--json", str(file), code=2)
    assert told.stdout == ""
    assert "Traceback" not in told.stderr
    assert told.stderr.count("  line ") == COMPLAINTS_MAX
    on_the_logs = [m.value() for topic in LOGS for batch in read_to_end(shop.settings, topic.name, contiguous=True)
                   for m in batch]  # fmt: skip
    assert all(b'"log_opened"' in value for value in on_the_logs)
