"""The survivors that are accepted, each with its reason, and what a run comes to beside them.

Reads `accepted.toml` and the results of a session; pure but for that. A survivor is known by its function and its lines
before and after, so that the list outlives other changes of the function. Does not belong here: how mutants are run.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).with_name("accepted.toml")
LEAST_PERCENT = 95.0
KINDS = {
    "equivalent": "No input can tell it from the original: not counted.",
    "unread": "A value of a row that no rule reads and nobody is told: counted as survived.",
    "unreachable": "A guard against what the callers rule out: counted as survived.",
    "speed": "Same rows and words, more work: counted as survived.",
    "text": "Words of a message for people: counted as survived.",
}


class Change(NamedTuple):
    """One mutant, whatever its number. `function`: dotted, from `tables` on."""

    function: str
    was: str
    now: str


class Reason(NamedTuple):
    kind: str
    text: str


class Result(NamedTuple):
    """`outcome`: killed, timeout, survived, suspicious or untested; of a killed one the change is empty."""

    mutant: str
    module: str
    outcome: str
    change: Change


@dataclass
class Verdict:
    """Counts by module and outcome; `accepted` and `equivalent` are among the survivors."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    unlisted: list[Result] = field(default_factory=list)
    accepted: dict[Change, Reason] = field(default_factory=dict)

    @property
    def total(self) -> Counter[str]:
        return sum(self.counts.values(), Counter())

    @property
    def passed(self) -> bool:
        return not self.unlisted and percent(self.total) >= LEAST_PERCENT


def percent(counts: Counter[str]) -> float:
    """Share killed of all mutants that are not equivalent; a test that never ends has noticed, too."""
    of = sum(counts[x] for x in ("killed", "timeout", "survived", "suspicious", "untested")) - counts["equivalent"]
    return 100.0 * (counts["killed"] + counts["timeout"]) / of if of else 100.0


def accepted(text: str) -> dict[Change, Reason]:
    """The list. ValueError for an unknown kind, an empty reason or a change that stands there twice. The function `*`
    is every one: a change of a part of some line, whatever stands around it."""
    found: dict[Change, Reason] = {}
    for entry in tomllib.loads(text).get("accepted", []):
        reason = Reason(entry["kind"], entry["reason"])
        if reason.kind not in KINDS or not reason.text:
            raise ValueError(f"{entry['function']}: a kind of {', '.join(KINDS)} and a reason are needed")
        for was, now in entry["changes"]:
            change = Change(entry["function"], was, now)
            if change in found:
                raise ValueError(f"{change.function}: listed twice: {now}")
            found[change] = reason
    return found


def results(lines: Iterable[str]) -> list[Result]:
    """What a session wrote; of two lines about one mutant the later counts."""
    found: dict[str, Result] = {}
    for line in lines:
        x = json.loads(line)
        change = Change(f"{x['module']}.{x['function']}", x.get("was", ""), x.get("now", ""))
        found[x["mutant"]] = Result(x["mutant"], x["module"], x["outcome"], change)
    return list(found.values())


def judge(found: list[Result], listed: dict[Change, Reason]) -> Verdict:
    verdict = Verdict()
    for x in sorted(found):
        counts = verdict.counts.setdefault(x.module, Counter())
        counts[x.outcome] += 1
        if x.outcome in ("killed", "timeout"):
            continue
        reason = listed.get(x.change) or _anywhere(x.change, listed)
        if reason is None:
            verdict.unlisted.append(x)
            continue
        verdict.accepted[x.change] = reason
        counts["accepted"] += 1
        counts["equivalent"] += reason.kind == "equivalent"
    return verdict


def _anywhere(change: Change, listed: dict[Change, Reason]) -> Reason | None:
    """The reason of a change that is accepted in every function."""
    for (function, was, now), reason in listed.items():
        if function == "*":
            pieces = change.was.split(was)
            for n in range(1, len(pieces)):
                if was.join(pieces[:n]) + now + was.join(pieces[n:]) == change.now:
                    return reason
    return None
