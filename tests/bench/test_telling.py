"""What a command of the bench tells: its table, its file, its own section of the page, and whether all is well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import Struct

from bench.options import Options
from bench.page import PAGE, markers
from bench.telling import Meanwhile, Told, tell

COMMANDS = ("latency", "growth", "recovery", "api", "import")


class Row(Struct, frozen=True):
    what: str
    value: float
    check: str


def told(*checks: str) -> Told:
    rows = [Row("a | b", 1.5, check) for check in checks]
    cells = lambda x: [x.what, f"{x.value:.1f}", x.check]  # noqa: E731
    return Told("latency", "How late", ("what", "ms", "check"), 1, rows, cells, ["a note"], {"late.svg": "<svg/>"})


def test_it_is_told_on_stdout_in_the_file_and_between_its_own_markers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin, end = markers("latency")
    other = "\n".join(markers(""))
    page = tmp_path / "page.md"
    page.write_text(f"{other}\nbefore\n{begin}\nold\n{end}\nafter\n", encoding="utf-8")
    assert tell(told("ok", "ok"), Meanwhile(), Options(json=tmp_path / "rows.json", write=True), page)
    assert "a note" in capsys.readouterr().out
    found = json.loads((tmp_path / "rows.json").read_text())
    assert found["rows"] == 2 * [{"what": "a | b", "value": 1.5, "check": "ok"}]
    assert "cores" in found["machine"]
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"{other}\nbefore\n{begin}\n")
    assert text.endswith(f"{end}\nafter\n")
    assert "old" not in text
    assert text.count("| a / b | 1.5 | ok |") == 2
    assert "|---|--:|---|" in text
    assert "![How late](late.svg)" in text
    assert (tmp_path / "late.svg").read_text() == "<svg/>"


@pytest.mark.parametrize("checks", [("ok", "an order is lost"), ()])
def test_a_failed_check_and_nothing_measured_are_both_told(
    checks: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not tell(told(*checks), Meanwhile(), Options())
    out = capsys.readouterr().out
    assert all(check in out for check in checks)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_this_repository_has_the_markers_of_every_command(command: str) -> None:
    begin, end = markers(command)
    text = PAGE.read_text(encoding="utf-8")
    assert 0 < text.index(begin) < text.index(end)
