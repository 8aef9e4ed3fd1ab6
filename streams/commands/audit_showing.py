"""An audit's report and findings for people: tables and lines on stdout.

Does not belong here: what is audited (`proof.audit`), the command (`auditing`).
"""

from __future__ import annotations

from typing import Any

from proof.audit.findings import Finding
from streams.commands.output import put_line, put_table, say


def show(report: dict[str, Any]) -> None:
    names = ("items", "applied", "duplicates", "forwarded", "dead_letters", "ticks")
    put_table("Items", ["log", *names], [(log, *(getattr(n, x) for x in names)) for log, n in report["logs"].items()])
    put_table("Orders", ["what", "count"], [(k, n) for k, n in report["orders"].items() if k != "states"])
    found: dict[str, int] = {}
    for finding in report["findings"]:
        found[finding.rule] = found.get(finding.rule, 0) + 1
    rules = sorted({*report["checked"], *found})
    put_table("Checked", ["rule", "checks", "findings"],
              [(rule, report["checked"].get(rule, 0), found.get(rule, 0)) for rule in rules])  # fmt: skip
    if "sequential" in report:
        put_table("Against one order at a time", ["what", "value"], list(report["sequential"].items()))
    for finding in report["findings"]:
        put_line(in_words(finding))
    if report["more_findings"]:
        put_line(f"and {report['more_findings']} more")
    if report["too_late"]:
        say(f"{report['too_late']} copies and levels came after what they are about had changed again: not compared")
    say("everything adds up" if report["ok"] else "something does not add up: see the findings")


def in_words(finding: Finding) -> str:
    """Rule, subject, and the first bad position; then what was expected there, and found."""
    where = " ".join(x for x in (finding.subject, finding.location, finding.lot) if x)
    spot = f"{finding.topic}[{finding.partition}]@{finding.offset}.{finding.index}"
    note = f" ({finding.note})" if finding.note else ""
    times = f" [{finding.times} times]" if finding.times > 1 else ""
    return f"{finding.rule}: {where}, first at {spot}: expected {finding.expected}; found {finding.found}{note}{times}"
