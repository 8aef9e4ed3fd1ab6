"""`forecast show`, `forecast backtest` and `forecast train`, on what the topics hold and on a file."""

from __future__ import annotations

import csv
import importlib.util
import json
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from streams.commands.backtest_files import cell
from tables import records as r
from tables.codec import encode

FIRST = date(2025, 10, 6)
LEARNS = pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="no scikit-learn (extra forecast)")
TRAIN_SECONDS = 110


def demand(sku: str, ahead: int, ordered: int, *, out: bool = False, location: str = "W1") -> r.Demand:
    day = (FIRST + timedelta(days=ahead)).isoformat()
    return r.Demand(
        id=f"{sku}|{location}|{day}", sku=sku, location=location, day=day, ordered=ordered, orders=1, refused=0,
        stockout_hours=list(range(24)) if out else [], version=(1, ahead + 1, 0),
    )  # fmt: skip


def sell(shop, records: Iterator[r.Demand]) -> None:
    for record in records:
        shop._producer.produce(
            shop.settings.prefix + "demand", encode(record), key=f"{record.sku}|{record.location}|{record.day}",
            partition=shop.partition(record.sku),
        )  # fmt: skip
    assert shop._producer.flush(30) == 0


def shape(series: int, days: int, chance: random.Random) -> Iterator[int]:
    """Weekends sell thrice what other days do, whatever the level."""
    for day in range(days):
        yield round(chance.expovariate(1 / (0.5 + series * 0.3) / (3 if day % 7 >= 5 else 1)))


def picture(file: Path) -> tuple[int, int]:
    """Width and height of a PNG that has more than one colour."""
    with Image.open(file) as image:
        assert image.format == "PNG"
        assert len(image.getcolors(1 << 20) or ()) > 4
        return image.size


def many(series: int, days: int) -> Iterator[r.Demand]:
    chance = random.Random(3)
    for n in range(series):
        for ahead, ordered in enumerate(shape(n, days, chance)):
            yield demand(f"BJ-{n:02d}", ahead, ordered)


def forecast_from(shop, sku: str, ahead: int, run: str, mean: float, *, location: str = "W1") -> None:
    days = [(FIRST + timedelta(days=ahead + n)).isoformat() for n in range(28)]
    said = r.Forecast(
        id=f"{sku}:{run}", time="2026-03-01T10:00:00.250Z", sku=sku, location=location, run=run, model="boosted-nb-4",
        status="ok", days=days, mean=[mean] * 28, q50=[mean] * 28, q90=[2 * mean] * 28, q95=[3 * mean] * 28,
        q99=[4 * mean] * 28,
    )  # fmt: skip
    shop.publish("forecasts", f"{sku}|{location}|{run}", said, partition=shop.partition(sku))


def test_show_draws_the_past_and_the_newest_forecast_with_its_bound(shop, tmp_path: Path):
    sell(shop, (demand("BJ-1", ahead, 6, out=ahead == 28) for ahead in range(31)))
    forecast_from(shop, "BJ-1", 30, "2025-11-04.1000", 4.0)
    forecast_from(shop, "BJ-1", 30, "2025-11-04.999", 400.0)
    file = tmp_path / "bj.png"
    lines = shop.run("forecast", "show", "BJ-1", "--png", str(file)).stdout.splitlines()
    assert lines[0] == "BJ-1 at W1: run 2025-11-04.1000, boosted-nb-4, ok"
    assert lines[1].strip().startswith("12 ┤"), "the 95 % bound is the greatest number"
    bottom = next(line for line in lines if "?" in line)
    past, ahead = bottom.split("┤")[1].split("│")
    assert (past, ahead) == ("█" * 28 + "?" + "█", "░" * 28), "30 closed days, one of them unknown; 28 days ahead"
    assert any("●" * 28 in line for line in lines)
    assert lines[-1] == "expected: 112.0 in 28 days; by week 28.0, 28.0, 28.0, 28.0"
    assert "2025-10-06" in lines[-3]
    assert picture(file) == (990, 352)


def test_show_gives_the_records_as_json_and_tells_locations_apart(shop, tmp_path: Path):
    sell(shop, (demand("BJ-1", ahead, 6) for ahead in range(31)))
    for location in ("W1", "W2"):
        forecast_from(shop, "BJ-1", 30, "2025-11-04.001", 4.0, location=location)
    found = json.loads(shop.run("forecast", "show", "BJ-1", "--json").stdout)
    assert [one["location"] for one in found] == ["W1", "W2"]
    assert [one["past"] for one in found] == [[6] * 30, []]
    said = shop.run("forecast", "show", "BJ-1", "--png", str(tmp_path / "x.png"), code=2)
    assert "give --location, one of W1, W2" in said.stderr
    assert not (tmp_path / "x.png").exists()
    assert json.loads(shop.run("forecast", "show", "BJ-1", "--location", "W2", "--json").stdout)[0]["location"] == "W2"


def test_show_says_when_there_is_no_forecast(shop):
    said = shop.run("forecast", "show", "NOTHING", code=1)
    assert "there is no forecast of NOTHING" in said.stderr
    assert said.stdout == ""


@LEARNS
def test_a_backtest_of_the_log_equals_one_of_the_same_days_in_a_file(shop, tmp_path: Path):
    records = list(many(6, 70))
    sell(shop, iter(records))
    # The open day, 69, is in no backtest. It is left out of the file, as it is of the log.
    rows = [
        {"unique_id": f"{x.sku}|{x.location}", "ds": x.day, "y": x.ordered}
        for x in records
        if x.day < (FIRST + timedelta(days=69)).isoformat()
    ]
    file = tmp_path / "daily.parquet"
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), file)
    asked = ("--origins", "2", "--horizon", "14", "--no-replay", "--json")
    of_log = json.loads(shop.run("forecast", "backtest", *asked).stdout)
    of_file = json.loads(shop.run("forecast", "backtest", "--data", str(file), *asked).stdout)
    for found in (of_log, of_file):
        for method in (found["smokehouse"], found["baselines"]["simple live method"]):
            for name in [name for name in method if "cpu" in name]:
                del method[name]
    assert of_log == of_file
    assert of_log["series"] == 6
    assert {"wape", "spl", "c95"} <= set(of_log["baselines"]["simple live method"])


@LEARNS
def test_a_backtest_writes_plots_and_scores_and_plays_stock(shop, tmp_path: Path):
    sell(shop, many(6, 70))
    plots, scores = tmp_path / "plots", tmp_path / "scores.csv"
    said = shop.run(
        "forecast", "backtest", "--from-log", "--origins", "2", "--horizon", "14", "--plots", str(plots), "--csv",
        str(scores),
    )  # fmt: skip
    with scores.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["segment"] == "all"
    assert float(rows[0]["wape"]) > 0
    assert len(rows) > 1
    for row in rows:
        assert row["segment"] in said.stdout
    assert "simple live method" in said.stdout
    assert "days of demand on hand" in said.stdout
    drawn = list(plots.glob("*.png"))
    page = (plots / "index.html").read_text()
    assert drawn
    for file in drawn:
        assert file.name.split("-")[0] in {row["segment"] for row in rows} | {"new", "dead"}
        assert picture(file) == (990, 352)
        assert f'src="{file.name}"' in page


@LEARNS
def test_what_has_no_figure_is_a_dash_in_any_table():
    assert [cell(value) for value in (None, 0.5, 0.0)] == ["-", "0.5", "0"]


def test_a_backtest_that_cannot_be_is_refused_in_a_sentence(shop, tmp_path: Path):
    assert "no closed day of demand" in shop.run("forecast", "backtest", code=2).stderr
    sell(shop, many(2, 20))
    assert "too few for 3 origins" in shop.run("forecast", "backtest", code=2).stderr
    missing = tmp_path / "missing.parquet"
    assert "no such file" in shop.run("forecast", "backtest", "--data", str(missing), code=2).stderr
    assert "Give --data too" in shop.run("forecast", "backtest", "--known-ahead", str(missing), code=2).stderr
    said = shop.run("forecast", "backtest", "--data", str(missing), "--from-log", code=2)
    assert "give one of them" in said.stderr


@LEARNS
def test_a_training_by_hand_writes_its_card_and_says_what_became_of_it(shop):
    sell(shop, many(31, 116))
    shop.publish("planning", "promotion|SPRING", r.PromotionPlanned(
        id="p", promotion="SPRING", sku="BJ-03", first_day="2025-11-03", last_day="2025-11-09", depth=0.2
    ), partition=0)  # fmt: skip
    process = shop.start("forecast", "train", "--json")
    out, err = (text.decode() for text in process.communicate(timeout=TRAIN_SECONDS))
    assert process.returncode == 0, err
    card = json.loads(out)
    assert (card["series"], card["series_owned"], card["first_day"]) == (31, 31, FIRST.isoformat())
    assert card["last_day"] == (FIRST + timedelta(days=114)).isoformat(), "the open day is not learnt from"
    assert card["known_ahead"] == ["promotion"]
    assert "3720 rows to train on, 4000 are needed" in card["verdict"], "31 series, 120 rows of each"
    assert f"model {card['name']} of 31 series is not taken: {card['verdict']}" in err
    folder = shop.settings.home / "models" / shop.settings.prefix
    assert json.loads((folder / f"{card['name']}.json").read_text()) == card
    assert [file.name for file in folder.glob("*.model")] == []


@LEARNS
def test_too_little_to_train_on_is_refused_and_leaves_nothing(shop):
    sell(shop, many(3, 40))
    said = shop.run("forecast", "train", code=2)
    assert "3 series over 39 days: 30 series over 112 days are needed" in said.stderr
    assert not (shop.settings.home / "models").exists()


@LEARNS
@pytest.mark.parametrize("plan", [
    r.PromotionPlanned(id="p", promotion="P", sku="BJ-00", first_day="2026-02-30", last_day="2026-03-01", depth=0.2),
    r.ReorderDecision(id="d", sku="BJ-00", location="W1", run="2026-13-01.001", decision="accepted", quantity=1,
                      supplier="ACME"),
])  # fmt: skip
def test_a_plan_of_a_day_that_does_not_exist_is_left_out_and_said(shop, plan: r.Record):
    shop.send("planning", encode(plan), key=b"key")
    sell(shop, many(3, 40))
    said = shop.run("forecast", "train", code=2)
    assert "planning offset 0 is unreadable and left out: " in said.stderr
    assert "3 series over 39 days: 30 series over 112 days are needed" in said.stderr
