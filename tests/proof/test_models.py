"""The models come to the verdicts that the design claims, and a search says no more than it has seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.models import domain
from proof.models.catalogue import BY_NAME, SAFE, UNSAFE, VARIANTS, Variant
from proof.models.search import explore
from proof.models.verdicts import Verdict, judge, product

ROOT = Path(__file__).resolve().parents[2]
STATES_MOST = 20_000  # of a safe variant in one test; `smokehouse prove models` sees more
COMMAND_SECONDS = 60.0


SEEN: dict[str, Verdict] = {}


def verdict(name: str, *, states: int | None = None) -> Verdict:
    variant = BY_NAME[name]
    SEEN[name] = judge(variant if states is None else variant._replace(most=states))
    return SEEN[name]


@pytest.fixture(scope="module", autouse=True)
def told(pytestconfig: pytest.Config) -> Iterator[None]:
    """How much was looked at, for whoever reads the output of a run."""
    yield
    safe = [v for v in SEEN.values() if v.variant.expected == SAFE]
    unsafe = [v for v in SEEN.values() if v.variant.expected == UNSAFE and v.found == UNSAFE]
    states = sum(v.states for v in SEEN.values())
    with pytestconfig.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        print(f"\nmodels: {len(safe)} variants safe, {len(unsafe)} broken ones found unsafe, {states:,} states")


@pytest.mark.parametrize("name", [v.name for v in VARIANTS if v.expected == UNSAFE])
def test_without_its_rule_the_protocol_goes_wrong(name: str) -> None:
    found = verdict(name)

    assert found.found == UNSAFE
    assert found.why
    assert len(found.steps) >= 5


@pytest.mark.parametrize("name", [v.name for v in VARIANTS if v.expected == SAFE])
def test_with_all_rules_nothing_goes_wrong_as_far_as_one_looks(name: str) -> None:
    found = verdict(name, states=STATES_MOST)

    assert found.why == ""
    assert found.as_expected
    assert found.states == STATES_MOST or found.full


GOES_WRONG = {
    "F1": "lost answer", "F2": "two contents of one version", "F3": "passed over: R1 waits", "F4": "idle: 1 units",
    "N4": "0 of them waiting", "N2": "1 of them waiting", "N3": "0 of them waiting; stock holds 0, and 1 wait",
    "M1": "wrong answer", "M2": "two different answers to move", "M3": "does not say reserve R1: at y",
    "M4": "does not say move R1: moved",
    "S1": "torn order", "S2": "torn order", "S3": "two opposite decisions",
    "T1": "lost answer", "T2": "is not expired", "T3": "wrong answer", "T4": "wrong answer",
    "L1": "is closed, row 1 is frozen", "L2": "is open, row 2 is free",
    "U1": "-2 parts and 1 kits", "U2": "2 parts and 1 kits", "U3": "in stock, 3 should be there",
    "U4": "two contents of one version",
    "E1": "torn order: 2 a and 1 b are owed", "E2": "leak", "E3": "torn order: 1 a and 1 b are owed",
    "E4": "torn order: confirmed edited",
}  # fmt: skip


@pytest.mark.parametrize(("name", "why"), GOES_WRONG.items(), ids=list(GOES_WRONG))
def test_each_rule_of_the_domain_guards_against_a_failure_of_its_own(name: str, why: str) -> None:
    assert why in verdict(name).why


def test_no_broken_variant_of_the_domain_goes_without_the_failure_it_must_show() -> None:
    assert set(GOES_WRONG) == {v.name for v in domain.VARIANTS if v.expected == UNSAFE}


def test_small_spaces_are_seen_whole() -> None:
    for name in ("Z14d", "V", "F", "La", "Up"):
        found = verdict(name)
        assert (found.found, found.full) == (SAFE, True), name


def test_every_counterexample_can_be_followed_step_by_step() -> None:
    for name in ("Z1", "X8", "O6", "R0", "P4", "V2", "F2", "M1", "S3", "T4", "L1", "U1", "E2"):
        model, found = BY_NAME[name].build(), verdict(name)
        state = model.start
        for step in found.steps[:-1]:
            assert not model.wrong(state), name
            state = next(after for label, after in model.moves(state) if label == step)
        last = [after for label, after in model.moves(state) if label == found.steps[-1]]
        assert found.why in [after if isinstance(after, str) else model.wrong(after) for after in last], name


def test_the_same_search_finds_the_same() -> None:
    first, second = verdict("Z3"), verdict("Z3")

    assert first.steps == second.steps
    assert first.states == second.states


class Counting:
    """Counts to ten; what happens at ten is the test's."""

    start = 0

    def __init__(self, *, finished: bool, bad: int | None = None) -> None:
        self._finished, self._bad = finished, bad

    def moves(self, state: int) -> Iterator[tuple[str, int | str]]:
        for step in (1, 2):
            if state + step <= 10:
                yield f"+{step}", state + step

    def wrong(self, state: int) -> str:
        return f"{state} is bad" if state == self._bad else ""

    def rests(self, state: int) -> bool:
        return self._finished


def test_a_search_that_is_cut_does_not_claim_to_have_seen_all() -> None:
    assert explore(Counting(finished=True)).full
    cut = explore(Counting(finished=True), most=5)

    assert (cut.verdict, cut.full, cut.states) == (SAFE, False, 5)


def test_a_shortest_way_is_told() -> None:
    assert explore(Counting(finished=True, bad=6)).steps == ("+2", "+2", "+2")


def test_whoever_stands_still_without_having_finished_is_wrong() -> None:
    found = explore(Counting(finished=False))

    assert found.verdict == UNSAFE
    assert "nothing more can happen" in found.why


def fake(variant: Variant, found: str) -> Verdict:
    return Verdict(variant, found, 1, True, 0.0, "", ())


def test_the_product_is_safe_only_if_all_its_variants_were_looked_at_and_are() -> None:
    ours = [v for v in VARIANTS if v.product]

    assert product([fake(v, SAFE) for v in ours]) == SAFE
    assert product([fake(v, SAFE) for v in ours[1:]]) == "not checked"
    assert product([fake(ours[0], UNSAFE), *(fake(v, SAFE) for v in ours[1:])]) == UNSAFE
    assert all(v.expected == SAFE for v in ours)


def test_the_page_names_every_variant() -> None:
    page = (ROOT / "docs" / "models.md").read_text()

    assert [v.name for v in VARIANTS if f"| {v.name} |" not in page] == []


def test_models_share_no_code_with_what_they_are_about() -> None:
    names = ("tables", "streams", "connectors", "forecasting", "api", "proof.audit")
    for file in (ROOT / "proof" / "models").glob("*.py"):
        for name in names:
            assert f"from {name}" not in file.read_text(), file.name
            assert f"import {name}" not in file.read_text(), file.name


def prove(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from streams.commands.proving import prove_app; prove_app()", "models", *arguments],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def test_the_command_tells_verdicts_as_json() -> None:
    told = json.loads(prove("--only", "Z14d,X7", "--json"))

    details = told.pop("details")
    assert told == {"product": "not checked", "Z14d": SAFE, "X7": UNSAFE}
    assert details["Z14d"]["full"] is True
    assert details["Z14d"]["states"] > 1_000


def test_the_command_explains_a_counterexample_in_numbered_steps() -> None:
    lines = prove("--explain", "X7").splitlines()

    assert lines[0].startswith("X7: ")
    assert lines[1].strip().startswith("1. W0 applies reserve R1")
    assert "lost reservation" in lines[-1]


def test_the_command_names_variants_that_exist_when_one_does_not() -> None:
    assert "Z14" in prove("--only", "Z99", code=2)
