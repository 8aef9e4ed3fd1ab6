"""Mutants of the rules: what counts as killed, what is listed with which reason. The run itself is for the night."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proof.mutation import accepted, report
from proof.mutation.accepted import Change, Reason

ROOT = Path(__file__).resolve().parents[2]
HALF = Change("tables.ledger.half", "return units // 2", "return units / 2")
TWICE = Change("tables.ledger.twice", "return units * 2", "return units / 2")


def _line(mutant: str, outcome: str, change: Change = HALF) -> str:
    module, _, function = change.function.rpartition(".")
    return json.dumps({
        "mutant": mutant, "module": module, "function": function, "outcome": outcome, "was": change.was,
        "now": change.now,
    })  # fmt: skip


def _verdict(*lines: str, listed: dict[Change, Reason] | None = None) -> accepted.Verdict:
    return accepted.judge(accepted.results(lines), listed or {})


def _killed(count: int) -> list[str]:
    return [_line(f"k{n}", "killed") for n in range(count)]


@pytest.mark.parametrize("outcome", ["survived", "suspicious", "untested"])
def test_a_survivor_that_is_not_listed_fails_however_many_were_killed(outcome: str) -> None:
    verdict = _verdict(*_killed(999), _line("s", outcome))
    assert not verdict.passed
    assert [x.change for x in verdict.unlisted] == [HALF]


def test_a_test_that_never_ends_has_noticed() -> None:
    verdict = _verdict(_line("t", "timeout"))
    assert verdict.passed
    assert verdict.total["timeout"] == 1


def test_equivalent_mutants_do_not_count_others_do() -> None:
    lines = [*_killed(19), _line("a", "survived", HALF), _line("b", "survived", TWICE)]
    both = {HALF: Reason("equivalent", "units are even"), TWICE: Reason("speed", "slower")}
    assert accepted.percent(_verdict(*lines, listed=both).total) == 95.0
    assert _verdict(*lines, listed=both).passed
    assert not _verdict(*lines[1:], listed=both).passed  # 18 of 19


@pytest.mark.parametrize(
    ("now", "passes"),
    [("f(zip(a, b, ), zip(a, c, strict=True))", True), ("f(zip(a, b, strict=True), zip(a, c, ))", True),
     ("f(zip(a, b, ), zip(a, c, ))", False), ("f(zip(a, strict=True), zip(a, c, strict=True))", False)],
)  # fmt: skip
def test_a_change_that_is_accepted_everywhere_is_one_change_of_a_part_of_a_line(now: str, passes: bool) -> None:
    change = Change("tables.ledger.f", "f(zip(a, b, strict=True), zip(a, c, strict=True))", now)
    everywhere = {Change("*", ", strict=True)", ", )"): Reason("equivalent", "of one length")}
    assert _verdict(_line("m", "survived", change), listed=everywhere).passed is passes


def test_of_two_lines_about_a_mutant_the_later_counts() -> None:
    verdict = _verdict(_line("m", "survived"), _line("m", "killed"))
    assert verdict.passed
    assert verdict.total["killed"] == 1


@pytest.mark.parametrize(
    "entry",
    [
        'kind = "tiresome"\nreason = "no"\nchanges = [["a", "b"]]',
        'kind = "speed"\nreason = ""\nchanges = [["a", "b"]]',
        'kind = "speed"\nreason = "slower"\nchanges = [["a", "b"], ["a", "b"]]',
    ],
    ids=["unknown kind", "no reason", "twice"],
)
def test_a_list_that_does_not_say_why_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"tables\.x"):
        accepted.accepted(f'[[accepted]]\nfunction = "tables.x"\n{entry}\n')


def test_the_page_shows_the_list_as_it_is() -> None:
    listed = accepted.accepted(accepted.LIST.read_text())
    page = (ROOT / "docs" / "mutation.md").read_text()
    assert listed
    assert report.with_part(page, "accepted", report.survivors(listed)) == page
