"""`python -m bench growth`: one small point, and what is told of points. No figure is asserted: a busy machine is no
fault."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench.growth import Found, Probe, Row, measure, slopes
from bench.lines import Point, draw
from bench.workload import Shape, make, one_at_a_time

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"
PROBE = Probe(rate=50.0, young=20, steady=20, burst=100, fill_seconds=120.0)


@pytest.mark.timeout(280)
def test_a_point_is_filled_measured_and_checked() -> None:
    """Two workers that share the partitions: both must be ready, and what they decided must add up."""
    said: list[str] = []
    rows, missed = measure([("workers", 2)], PROBE, "embedded", 1, said.append)
    assert missed == []
    [row] = rows
    assert (row.dimension, row.value, row.check) == ("workers", 2, "ok")
    found = row.found
    assert found.cpu_s_per_1000
    assert found.orders_s
    assert found.memory_bytes > 50e6  # two interpreters with Faust
    assert 0 < found.p50_ms <= found.p99_ms


def test_a_point_that_takes_too_long_to_fill_is_named_and_no_row() -> None:
    rows, missed = measure([("reservations", 1_000)], PROBE._replace(fill_seconds=0.01), "embedded", 1, lambda _: None)
    assert rows == []
    told = missed[0].removeprefix("Not measured: 1,000 open reservations: ")
    assert told.startswith(("smokehouse: not committed after ", "0 orders were placed when its time was over"))


@pytest.mark.parametrize("arguments", [("growth", "--only", "nobody"), ("latency", "--rates", "nobody")])
def test_what_cannot_be_measured_is_refused(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "bench", *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert "nobody" in run.stderr


def test_stock_in_lots_is_as_many_units_in_each_and_enough_for_every_order() -> None:
    workload = make("spread", 500, 1, Shape(skus=50, lots=7, share=1.0))
    assert len(workload.received) == 50
    assert all(units % 7 == 0 for units in workload.received.values())
    assert len(one_at_a_time(workload)) == 500


def test_the_memory_of_one_is_the_slope_between_the_ends() -> None:
    rows = [
        Row(dimension="skus", value=value, found=Found(memory_bytes=memory, check="ok"))
        for value, memory in ((1_000, 150_000_000), (10_000, 160_000_000), (101_000, 650_000_000))
    ]
    assert slopes(rows) == ["Each SKU takes 5,000 bytes of memory (1,000 to 101,000)."]
    assert slopes(rows[:1]) == []


def test_lines_are_logarithmic_in_x_and_panels_below_each_other_share_their_height() -> None:
    first = [Point(10, 4.0, "4", "10"), Point(100, 2.0, "2", "100"), Point(1_000, 1.0, "1", "1k")]
    picture = ElementTree.fromstring(
        draw("title", ["CPU & all"], [("SKUs", [first]), ("lots", [[]]), ("w", [first[:1]])])
    )
    dots = [(float(x.get("cx", "")), float(x.get("cy", ""))) for x in picture.iter(f"{SVG}circle")]
    assert len(dots) == 4
    assert dots[1][0] - dots[0][0] == pytest.approx(dots[2][0] - dots[1][0], abs=0.2)
    assert dots[1][1] - dots[0][1] == pytest.approx(2 * (dots[2][1] - dots[1][1]), abs=0.2)
    assert {"CPU & all", "1k", "4"} <= {x.text for x in picture.iter(f"{SVG}text")}
