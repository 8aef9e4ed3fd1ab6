"""How commands speak: data on stdout alone, words on stderr, a failure with its code."""

from __future__ import annotations

import json

import pytest

from streams.commands.output import fail, put_json, put_table, say


def test_data_stands_on_stdout_and_words_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    put_json({"sku": "TERIYAKI-60", "available": 3})
    say("ready")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"sku": "TERIYAKI-60", "available": 3}
    assert err == "ready\n"


def test_a_failure_says_why_on_stderr_and_ends_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        fail("the port is taken [really]", 2)
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert (out, err) == ("", "smokehouse: the port is taken [really]\n")


def test_a_table_shows_every_cell_and_nothing_for_none(capsys: pytest.CaptureFixture[str]) -> None:
    put_table("Levels", ("sku", "available"), [("TERIYAKI-60", 3), ("PEPPER-30", None)])
    shown = capsys.readouterr().out
    assert "Levels" in shown
    assert "TERIYAKI-60" in shown
    assert "None" not in shown


@pytest.mark.parametrize("cell", ["[/x]", "[red]not a colour[/red]"])
def test_a_cell_is_shown_as_it_is_whoever_wrote_it(capsys: pytest.CaptureFixture[str], cell: str) -> None:
    put_table("", ("reason",), [(cell,)])
    assert cell in capsys.readouterr().out
