"""`export` writes what was decided, what there is and what is expected: the same rows in every format."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from msgspec.structs import replace

from streams.commands.output import some
from tables.codec import encode

FORMATS = ("jsonl", "csv", "parquet")
V1, V2 = (1, 5, 0), (1, 9, 2)
WHOLE = {"partition", "offset", "on_hand", "available", "reserved", "allocated", "safety_stock", "unavailable"}
REAL = {"mean", "q50", "q90", "q95", "q99"}


def exported(shop, what: str, form: str, *more: str) -> list[dict]:
    """The rows of the file that the command says it wrote."""
    out = shop.settings.home / f"{what}.{form}"
    told = shop.run("export", what, "--format", form, "--out", str(out), "--json", *more)
    rows = read(out, form)
    assert json.loads(told.stdout) == {"rows": len(rows), "out": str(out), "format": form}
    assert f"{some(len(rows), 'row')} of {what}" in told.stderr
    return rows


def read(path: Path, form: str) -> list[dict]:
    if form == "jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    if form == "parquet":
        return parquet.read_table(path).to_pylist()
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: _cell(name, text) for name, text in row.items()} for row in csv.DictReader(file)]


def _cell(name: str, text: str):
    if name == "lines":
        return json.loads(text)
    return int(text) if name in WHOLE else float(text) if name in REAL else text


def in_every_format(shop, what: str, *more: str) -> list[dict]:
    rows, *others = (exported(shop, what, form, *more) for form in FORMATS)
    assert all(other == rows for other in others)
    return rows


def test_each_decision_is_a_row_with_its_lines_summed_and_the_place_where_it_stands(shop):
    shop.decide("o-1", "confirmed", ("BJ-1", 2), ("BJ-2", 1), ("BJ-1", 3), occurred_at="2026-02-28T23:59:59+01:00")
    [row] = in_every_format(shop, "decisions")
    assert list(row) == [
        "order_id", "channel", "status", "reason", "lines", "time", "decided_at", "topic", "partition", "offset",
    ]  # fmt: skip
    assert row == {
        "order_id": "o-1", "channel": "shop", "status": "confirmed", "reason": "",
        "lines": [{"sku": "BJ-1", "quantity": 5}, {"sku": "BJ-2", "quantity": 1}],
        "time": "2026-02-28T23:59:59+01:00", "decided_at": "2026-03-01T10:00:00.250Z",
        "topic": "reservations", "partition": shop.partition("o-1"), "offset": 0,
    }  # fmt: skip


def test_a_decision_delivered_again_counts_once_and_a_cancellation_is_a_row_of_its_own(shop):
    for _ in range(2):
        shop.decide("o-1", "confirmed", ("BJ-1", 2))
    shop.decide("o-1", "cancelled", ("BJ-1", 1), name="cancelled:4", reason='changed, "my"\nmind; é')
    shop.decide("o-2", "rejected", ("BJ-1", 9), reason="insufficient")
    rows = in_every_format(shop, "decisions")
    assert sorted((x["order_id"], x["status"], x["lines"][0]["quantity"]) for x in rows) == [
        ("o-1", "cancelled", 1), ("o-1", "confirmed", 2), ("o-2", "rejected", 9),
    ]  # fmt: skip
    [confirmed] = [x for x in rows if x["status"] == "confirmed"]
    assert confirmed["offset"] == 0, "the first time counts"
    assert confirmed["time"] == confirmed["decided_at"], "the channel gave no time of its own"


def test_levels_have_a_row_per_sku_and_location_of_the_newest_version(shop):
    shop.stock("BJ-1", V2, shop.at("W1", {"L1": 9}, V2, reserved=1, unavailable=2), shop.at("W2", {}, V1))
    shop.stock("BJ-1", V1, shop.at("W1", {"L1": 99}, V1))
    shop.stock("BJ-NEW", V1)
    rows = in_every_format(shop, "levels")
    names = ("on_hand", "available", "reserved", "allocated", "safety_stock", "unavailable")
    assert {(x["sku"], x["location"]): (*(x[n] for n in names), x["version"]) for x in rows} == {
        ("BJ-1", "W1"): (9, 6, 1, 0, 0, 2, "1.9.2"),
        ("BJ-1", "W2"): (0, 0, 0, 0, 0, 0, "1.5.0"),
        ("BJ-NEW", ""): (0, 0, 0, 0, 0, 0, "1.5.0"),
    }
    assert all(x["on_hand"] == sum(x[n] for n in names[1:]) for x in rows)


def test_forecasts_have_a_row_per_day_of_the_newest_run(shop):
    shop.forecast("BJ-1", "W1", "2026-03-01.1000", 0.3)  # the thousandth of the day is newer than the 999th
    shop.forecast("BJ-1", "W1", "2026-03-01.999", 0.2)
    shop.forecast("BJ-1", "W2", "2026-02-28.001", 0.1)
    rows = in_every_format(shop, "forecasts")
    assert [(x["location"], x["run"], x["ds"], x["mean"]) for x in rows] == [
        ("W1", "2026-03-01.1000", "2026-03-02", 0.3), ("W1", "2026-03-01.1000", "2026-03-03", 0.4),
        ("W2", "2026-02-28.001", "2026-03-02", 0.1), ("W2", "2026-02-28.001", "2026-03-03", 0.2),
    ]  # fmt: skip
    assert list(rows[0]) == [
        "unique_id", "ds", "mean", "q50", "q90", "q95", "q99", "model", "run", "sku", "location", "status",
    ]  # fmt: skip


def test_all_runs_are_there_when_asked_for(shop):
    for run in ("2026-02-28.001", "2026-03-01.001"):
        shop.forecast("BJ-1", "W1", run, 0.1)
    rows = in_every_format(shop, "forecasts", "--all-runs")
    assert [x["run"] for x in rows] == ["2026-02-28.001"] * 2 + ["2026-03-01.001"] * 2


def test_parquet_has_the_same_types_whether_or_not_there_are_rows(shop):
    out = shop.settings.home / "decisions.parquet"
    shop.run("export", "decisions", "--format", "parquet", "--out", str(out))
    schema = parquet.read_schema(out)
    assert schema.field("lines").type == pa.list_(pa.struct([("sku", pa.string()), ("quantity", pa.int64())]))
    assert schema.field("offset").type == pa.int64()
    assert parquet.read_table(out).num_rows == 0


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_stdout_takes_the_rows_and_nothing_else(shop, form: str):
    shop.decide("o-1", "confirmed", ("BJ-1", 2))
    exported(shop, "decisions", form)
    told = shop.run("export", "decisions", "--format", form, "--out", "-")
    assert told.stdout == (shop.settings.home / f"decisions.{form}").read_text("utf-8")
    assert "1 row of decisions in stdout" in told.stderr


def test_more_rows_than_a_chunk_are_all_there_in_order_of_the_log(shop):
    count, like = 50_000, shop.decide("o-1", "confirmed", ("BJ-1", 1))
    shop.send_many(
        "reservations", [encode(replace(like, id=f"d{n}")) for n in range(1, count)], partition=shop.partition("o-1")
    )
    rows = exported(shop, "decisions", "parquet")
    assert [x["offset"] for x in rows] == list(range(count))
    assert parquet.ParquetFile(shop.settings.home / "decisions.parquet").num_row_groups > 1


def test_a_file_is_replaced_only_when_the_new_one_is_whole(shop, tmp_path: Path):
    out = tmp_path / "levels.csv"
    out.write_text("before")
    lost = shop.with_settings(prefix="no-such-")
    assert "no such topic" in lost.run("export", "levels", "--format", "csv", "--out", str(out), code=3).stderr
    assert out.read_text() == "before"
    shop.run("export", "levels", "--format", "csv", "--out", str(out))
    assert out.read_text().startswith("sku,location,")
    assert [path.name for path in tmp_path.iterdir() if "levels" in path.name] == ["levels.csv"]


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_that_is_stopped_leaves_nothing_half_written(shop, stop: signal.Signals, code: int):
    out = shop.settings.home / "decisions.csv"
    said = encode(shop.decide("o-1", "confirmed", ("BJ-1", 1)))
    shop.send_many("reservations", [said] * 40_000, key=b"o-1")  # it reads for a while
    process = shop.start("export", "decisions", "--format", "csv", "--out", str(out))
    shop.wait_for(lambda: list(out.parent.glob("*.part")) or process.poll() is not None)
    process.send_signal(stop)
    told, err = process.communicate(timeout=30)
    assert (process.returncode, told, err) == (code, b"", b"")
    assert not list(out.parent.glob("*decisions.csv*"))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("decisions", "--format", "parquet", "--out", "-"), "parquet is no text"),
        (("decisions", "--format", "csv", "--out", "-", "--json"), "--json needs stdout"),
        (("levels", "--format", "csv", "--out", "x.csv", "--all-runs"), "levels have no runs"),
        (("levels", "--format", "csv", "--out", "."), "is no file"),
        (("levels", "--format", "csv", "--out", "missing/x.csv"), "No such file or directory"),
        (("levels", "--format", "csv", "--out", "/etc/passwd/x.csv"), "Not a directory"),
        (("levels", "--format", "csv", "--out", "n" * 250), "File name too long"),
        (("levels", "--format", "csv", "--out", "n" * 300), "File name too long"),
        (("levels", "--format", "excel", "--out", "x.xls"), "jsonl"),
        (("stocks", "--format", "csv", "--out", "x.csv"), "levels"),
    ],
)
def test_what_cannot_be_done_is_refused_and_writes_nothing(shop, arguments: tuple[str, ...], why: str):
    before = sorted(shop.settings.home.rglob("*"))
    told = shop.run("export", *arguments, code=2)
    assert why in told.stderr
    assert told.stdout == ""
    assert sorted(shop.settings.home.rglob("*")) == before
