"""What the bench writes: its section of the page and nothing else, and bars whose lengths are their values."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench.bars import Bar, draw
from bench.measured import Measured
from bench.page import BEGIN, END, PAGE, write
from bench.report import Row, ratios, row

SVG = "{http://www.w3.org/2000/svg}"


def measured(cpu: float, broker: float | None, orders_s: float) -> Measured:
    return Measured(
        cpu_s_per_1000=cpu, broker_cpu_s_per_1000=broker, clients_cpu_s_per_1000=broker,
        all_cpu_s_per_1000=cpu + 2 * (broker or 0.0), orders_s=orders_s, settled_s=0.0, p50_ms=1.0, p99_ms=2.0,
        steady_cpu_s_per_1000=None, confirmed=90, confirmed_one_at_a_time=90, load_1m=0.5, busy_cores=1.0,
        steal_cores=0.0, others_cores=0.25, check="ok",
    )  # fmt: skip


ROWS: list[Row] = [
    row("smokehouse", "spread", "kafka", 100, 500.0, [measured(0.2, 0.1, 5000.0), measured(0.4, 0.1, 1000.0)], []),
    row("faust", "spread", "kafka", 100, 500.0, [measured(1.5, 0.1, 500.0)], []),
    row("redis", "spread", "none", 100, 500.0, [measured(0.05, None, 9000.0)], []),
    row("postgres", "spread", "none", 100, 500.0, [], ["initdb failed:\nno space left"]),
]


def test_only_what_stands_between_the_markers_is_rewritten(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Ours\n\n{BEGIN}\nold\n{END}\n\nstays\n", encoding="utf-8")
    for _ in range(2):  # a second time it replaces what it wrote
        write(ROWS, ["quix: no Quix Streams: no network"], "2 cores", 3, page, "2030-01-02")
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# Ours\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nstays\n")
    assert "old" not in text
    assert text.count("| spread | kafka | smokehouse | 3,000 | 0.300 | 0.100 | 0.100 | 0.500 | 1.0 | 2.0 |") == 1
    assert "| postgres | - | - | - | - | - | - | - | - | - | no space left |" in text
    assert "Skipped: quix: no Quix Streams: no network" in text
    assert "Measured 2030-01-02 on 2 cores: 3 interleaved round(s) of 100 orders, medians." in text
    assert "Its load average was 0.5 to 0.5; other processes used 0.2 to 0.2 cores." in text
    assert (tmp_path / "bench-spread.svg").exists()


def test_a_page_without_the_markers_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Ours\n\n{BEGIN}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the line"):
        write(ROWS, [], "2 cores", 1, page)
    assert page.read_text(encoding="utf-8") == f"# Ours\n\n{BEGIN}\n"
    assert list(tmp_path.iterdir()) == [page]


def test_the_page_of_this_repository_has_the_markers() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert 0 < text.index(BEGIN) < text.index(END)


def test_peers_on_a_log_are_compared_without_the_broker_and_servers_with_everything() -> None:
    assert [line.partition(";")[0] for line in ratios(ROWS)] == [
        "spread on kafka: faust takes 5.00 x the CPU of smokehouse per order (without broker and clients)",
        "spread on kafka: redis takes 0.10 x the CPU of smokehouse per order (client and server of both)",
    ]


def test_a_longer_bar_is_a_larger_value() -> None:
    bars = [Bar("a & b", 0.01, "0.010", False), Bar("ours", 0.1, "0.100", True), Bar("most", 10.0, "10.000", False)]
    picture = ElementTree.fromstring(draw("title", [("CPU", bars)]))
    lengths = [float(x.get("width", "")) for x in picture.iter(f"{SVG}rect")][1:]  # the first is the ground
    assert len(lengths) == len(bars)
    assert lengths == sorted(lengths)
    assert lengths[2] - lengths[1] == pytest.approx(2 * (lengths[1] - lengths[0]), abs=0.2)  # decades
    assert {"a & b", "0.010", "ours"} <= {x.text for x in picture.iter(f"{SVG}text")}
