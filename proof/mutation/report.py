"""Figures of a run and the list of what is accepted, as lines for people, as JSON, and as parts of `docs/mutation.md`.

Pure but for `write_page`. Does not belong here: what counts as what (`accepted`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from proof.mutation.accepted import KINDS, Change, Reason, Verdict, percent

COLUMNS = ("mutants", "killed", "timeout", "survived", "accepted", "equivalent", "suspicious", "untested")
OUTCOMES = ("killed", "timeout", "survived", "suspicious", "untested")


def lines(verdict: Verdict) -> Iterator[str]:
    for x in verdict.unlisted:
        yield f"{x.outcome}, not listed: {x.mutant}"
        yield from (f"  - {line}" for line in x.change.was.splitlines())
        yield from (f"  + {line}" for line in x.change.now.splitlines())
    yield f"{'module':<26}" + "".join(f"{x:>11}" for x in COLUMNS) + f"{'killed %':>10}"
    for module, counts in (*sorted(verdict.counts.items()), ("total", verdict.total)):
        yield f"{module:<26}" + "".join(f"{n:>11}" for n in _row(counts)) + f"{percent(counts):>10.2f}"
    yield f"{len(verdict.unlisted)} survivors are not listed; {percent(verdict.total):.2f} % killed"


def as_json(verdict: Verdict) -> dict[str, Any]:
    def counts_of(counts: Counter[str]) -> dict[str, float]:
        return {**dict(zip(COLUMNS, _row(counts), strict=True)), "percent": round(percent(counts), 2)}

    return {
        "passed": verdict.passed,
        "total": counts_of(verdict.total),
        "modules": {module: counts_of(counts) for module, counts in sorted(verdict.counts.items())},
        "unlisted": [{"mutant": x.mutant, "outcome": x.outcome, **x.change._asdict()} for x in verdict.unlisted],
    }


def write_page(page: Path, verdict: Verdict, listed: dict[Change, Reason]) -> None:
    text = page.read_text()
    for name, part in (("figures", figures(verdict)), ("accepted", survivors(listed))):
        text = with_part(text, name, part)
    page.write_text(text)


def with_part(text: str, name: str, part: str) -> str:
    """`text` with the part between two marks exchanged."""
    begin, end = f"<!-- {name}: generated -->\n", f"<!-- end of {name} -->"
    return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: begin + part + end, text, flags=re.DOTALL)


def figures(verdict: Verdict) -> str:
    rows = [["module", *COLUMNS, "killed %"], ["---", *["---:"] * (len(COLUMNS) + 1)]]
    for module, counts in (*sorted(verdict.counts.items()), ("**total**", verdict.total)):
        rows.append([module.removeprefix("tables."), *map(str, _row(counts)), f"{percent(counts):.2f}"])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def survivors(listed: dict[Change, Reason]) -> str:
    """By kind, module and function: each reason once, with its changes."""
    parts: list[str] = []
    for kind, meaning in KINDS.items():
        entries = sorted((x.function, reason.text, x) for x, reason in listed.items() if reason.kind == kind)
        if entries:
            parts.append(f"\n### {kind.capitalize()} ({len(entries)})\n{meaning}\n\n")
        for (function, text), changes in groupby(entries, key=lambda entry: entry[:2]):
            parts.append(f"- `{function.removeprefix('tables.')}`: {text}\n")
            parts += [f"  - `{_flat(x.was)}` → `{_flat(x.now)}`\n" for _, _, x in changes]
    return "".join(parts) + "\n"


def _flat(code: str) -> str:
    return code.replace("\n", " ") or "(nothing)"


def _row(counts: Counter[str]) -> list[int]:
    return [sum(counts[x] for x in OUTCOMES), *(counts[x] for x in COLUMNS[1:])]
