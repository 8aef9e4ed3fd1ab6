"""How commands speak: data on stdout alone, words on stderr, a failure with its code."""

from __future__ import annotations

import json

import pytest

from streams.commands.output import fail, put_json, put_line, put_table, say, some


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


@pytest.mark.parametrize("name", ["A[/b]", "A[red]B", "JRK:fire:50", "50\u00a0g"])
def test_a_name_is_shown_as_it_is_in_titles_and_words_too(capsys: pytest.CaptureFixture[str], name: str) -> None:
    put_table(f"Order {name}, and more", ("what", name), [(name, name)])
    say(name)
    out, err = capsys.readouterr()
    assert out.count(name) == 4
    assert err == f"{name}\n"


def test_nothing_that_others_wrote_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    sly = "\x1b[2J\x9b2J\u202e\r\x07"
    put_table(sly, (sly,), [(sly,)])
    put_line(sly)
    say(sly)
    with pytest.raises(SystemExit):
        fail(sly)
    shown = "".join(capsys.readouterr())
    assert not set(sly.replace("[2J", "").replace("2J", "")) & set(shown)
    assert shown.count("\ufffd[2J\ufffd2J\ufffd\ufffd\ufffd") == 6


def test_one_is_one() -> None:
    assert [some(n, "order") for n in (0, 1, 2, 2_000)] == ["0 orders", "1 order", "2 orders", "2,000 orders"]
