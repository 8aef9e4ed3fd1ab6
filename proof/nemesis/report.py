"""The page about reliability, from the files that runs, models and the simulator wrote.

`python -m proof.nemesis.report FILE... > docs/reliability.md`. Reads JSON: accounts of `proof.nemesis.run`, of
`smokehouse prove models --json` and of `smokehouse prove simulate --json`, told apart by what they hold. Writes the
page to stdout. Guarantees: every figure in it stands in one of the files; a run that was not green is shown as such.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from proof.nemesis.figures import Outage, Silence, summaries
from proof.nemesis.table import FAULTS, Fault

PROMISES = (
    "Never oversold: what is promised is there, whatever dies in between.",
    "No order is lost and none is decided twice: one order, one decision, however often anybody asks.",
    "No reservation outlives its order.",
    "Every record that came in is applied, known already, forwarded or a dead letter with its place and reason.",
    "What is published is true of some moment, and catches up.",
    "After the last fault everything converges by itself; nobody repairs anything.",
)
HOLDS = """\
These are promises about processes, connections, local disks and records. They rest on a broker that keeps what it has
acknowledged: one Apache Kafka node survives kill -9, a cluster with three replicas a machine. The embedded broker keeps
nothing over a restart."""


def page(files: Iterable[dict[str, Any]]) -> str:
    """The whole text, Markdown."""
    runs, models, simulated, unended = [], [], [], []
    for told in files:
        if "faults_total" in told and "audit" in told:
            runs.append(told)
        elif "did_not_end" in told:
            unended.append(told)
        elif "product" in told:
            models.append(told)
        elif "seeds" in told and "violated" in told:
            simulated.append(told)
        else:
            raise ValueError(f"no account of a run, of models or of the simulator: it holds {', '.join(sorted(told))}")
    return "\n".join([
        "# Reliability", "", "*Written by `python -m proof.nemesis.report`; figures are those of the runs named.*", "",
        "## What is promised", "", *(f"- {promise}" for promise in PROMISES), "", HOLDS, "",
        "## Runs under fire", "", *_runs(runs), *_unended(unended),
        "## Fault by fault", "", *_table(runs, simulated),
        "## Models and simulator", "", *_proofs(models, simulated),
        "## Again", "",
        "    python -m proof.nemesis.run --seed 1 --size kafka --json run.json       # Apache Kafka, 10,000 orders",
        "    python -m proof.nemesis.run --seed 1 --size embedded --json small.json  # no Java needed",
        "    ./smokehouse test --nightly tests/faults/test_nemesis.py                # 16 seeds, 2,000 faults, 2 hours",
        "", "A seed fixes who is harmed how and in which order. Where in a worker's work a signal falls is chance: a "
        "seed that", "fails may have to be run more than once. `SMOKEHOUSE_FAULTS=POINT.before:N=kill` ends a worker "
        "at exactly one place", "(a switch for tests, refused unless the broker is on loopback); points: "
        "`streams/faultpoints.py`.", "",
    ])  # fmt: skip


def _runs(runs: list[dict[str, Any]]) -> Iterator[str]:
    if not runs:
        yield from ("No run was given.", "")
        return
    yield "Two workers, the demo's mixed traffic through real producers, and everything below while it flows. Green:"
    yield "after the last fault all is handled and committed, nobody waits for a decision, `status` is ready, and the"
    yield "audit, which folds both logs again by rules of its own, finds nothing."
    yield ""
    runs = sorted(runs, key=lambda run: (run["broker"] != "kafka", run["date"], run["seed"]))
    columns = ("date", "seed", "broker", "faults", "kill -9", "orders", "decisions", "audit checks", "findings",
               "calm after", "result")  # fmt: skip
    yield from _markdown(columns, [*map(_run_row, runs), _sum_row(runs)])
    yield ""
    yield "Seconds from a kill -9, all these runs together. Under fire the next faults come before the last one is"
    yield "over. Until every partition decides: the killed worker's partitions have a new owner that has recovered,"
    yield "and an order has come for each. With a broker to reach: without the kills that fell together with a"
    yield "failure of the broker or of a way to it."
    if any(_circumstances(run) == "alone" for run in runs):
        yield "Alone: one worker of the two is killed every 12 to 16 s and nothing else happens."
    yield ""
    yield from _markdown(("broker", "killed", "seconds", "kills", "p50", "p99"), list(_kills(runs)))
    yield ""
    for run in runs:
        if run["not_done"]:
            what = ", ".join(f"{kind} {n}" for kind, n in run["not_done"].items())
            yield f"Seed {run['seed']} on {run['broker']}: planned and not done, for nothing was there to harm: {what}."
            yield ""


def _unended(runs: list[dict[str, Any]]) -> Iterator[str]:
    for run in runs:
        why = run["did_not_end"].partition("\n")[0]
        yield f"**Not green**: seed {run['seed']} on {run['broker']}, {run['date']}, came to no judgement: {why}"
        yield ""


def _circumstances(run: dict[str, Any]) -> str:
    return "alone" if run["size"].get("alone") else "under fire"


def _kills(runs: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """What the kills of all runs on a broker cost, together."""
    for kind in dict.fromkeys((run["broker"], _circumstances(run)) for run in runs):
        mine = [run for run in runs if (run["broker"], _circumstances(run)) == kind]
        felt = [Silence(*kill) for run in mine for kill in run.get("kills", ())]
        apart = [Outage(*outage) for run in mine for outage in run.get("outages", ())]
        for words, found in ((kind[1], summaries(felt)), ("with a broker to reach", summaries(felt, apart))):
            for where, figures in found.items():
                until = "to the first new decision" if where == "anywhere" else "until every partition decides"
                yield kind[0], words, until, figures["kills"], figures["p50_seconds"], figures["p99_seconds"]


def _kill_count(run: dict[str, Any]) -> int:
    return int(run["faults"].get("kill", 0) + run["faults"].get("kill_at_point", 0))


def _sum_row(runs: list[dict[str, Any]]) -> tuple[Any, ...]:
    return (
        "all", f"{len(runs)} runs", "", f"{sum(run['faults_total'] for run in runs):,}",
        f"{sum(map(_kill_count, runs)):,}",
        f"{sum(run['orders'] for run in runs):,}", f"{sum(run['decisions'] for run in runs):,}",
        f"{sum(sum(run['audit']['checked'].values()) for run in runs):,}",
        sum(len(run["audit"]["findings"]) for run in runs), "", f"{sum(run['green'] for run in runs)} green",
    )  # fmt: skip


def _why_not(run: dict[str, Any]) -> str:
    if run["undecided"]:
        return f"{run['undecided']} decisions not heard of by the traffic"
    if run.get("errors"):
        return f"errors: {len(run['errors'])}"
    return "findings" if run["audit"]["findings"] else "`status` not ready when it was asked, once, at the end"


def _run_row(run: dict[str, Any]) -> tuple[Any, ...]:
    checks = sum(run["audit"]["checked"].values())
    return (
        run["date"], run["seed"], run["broker"], run["faults_total"],
        _kill_count(run), f"{run['orders']:,}",
        f"{run['decisions']:,}", f"{checks:,}", len(run["audit"]["findings"]), f"{run['converged_seconds']} s",
        "green" if run["green"] else f"**not green**: {_why_not(run)}",
    )  # fmt: skip


def _table(runs: list[dict[str, Any]], simulated: list[dict[str, Any]]) -> Iterator[str]:
    done: Counter[str] = Counter()
    memory: Counter[str] = Counter()
    for run in runs:
        done.update(run["faults"])
        done.update({f"exit {code}": n for code, n in run["exits"].items()})
    for report in simulated:
        memory.update(report["faults"])
    green = not any(run["audit"]["findings"] or run["decisions"] != run["orders"] for run in runs)
    yield "Times: on real processes in the runs above; in the simulator's memory in its run below."
    yield ""
    rows = [_fault_row(fault, done, memory, green=green) for fault in FAULTS]
    columns = ("", "fault", "injected how", "real", "simulated", "result", "not covered, and why")
    yield from _markdown(columns, rows)
    yield ""


def _fault_row(fault: Fault, done: Counter[str], memory: Counter[str], *, green: bool) -> tuple[Any, ...]:
    times = sum(done[kind] for kind in (*fault.kinds, *(f"exit {code}" for code in fault.exits)))
    if fault.name == "F22":
        times = sum(n for kind, n in done.items() if not kind.startswith("exit "))
    in_memory = sum(memory[kind] for kind in fault.simulated)
    tests = ", ".join(f"`{test}`" for test in fault.tests)
    result = ("nothing lost" if green else "see the runs") if times else ""
    if tests:
        result = f"{result}; {tests}" if result else tests
    return (fault.name, fault.what, fault.how, f"{times:,}" if times else "", f"{in_memory:,}" if in_memory else "",
            result or ("in memory alone" if in_memory else "none"), fault.missing)  # fmt: skip


def _proofs(models: list[dict[str, Any]], simulated: list[dict[str, Any]]) -> Iterator[str]:
    for report in models:
        details = report["details"]
        states = sum(found["states"] for found in details.values())
        expected = sum(found["verdict"] == found["expected"] for found in details.values())
        unsafe = sum(found["expected"] != "safe" for found in details.values())
        yield (f"- Models: the product is **{report['product']}**; {expected} of {len(details)} verdicts as expected, "
               f"{unsafe} of them variants that must fail; {states:,} states (`docs/models.md`).")  # fmt: skip
    for report in simulated:
        yield (f"- Simulator: {report['seeds']:,} seeds from {report['first_seed']}, {report['events']:,} events, "
               f"{report['faults_total']:,} faults, {report['audited']:,} seeds audited: {report['violated']} violated "
               "a rule (`docs/simulator.md`).")  # fmt: skip
    if not models and not simulated:
        yield "No account of them was given."
    yield ""


def _markdown(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    names = list(columns)
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        yield f"| {' | '.join('' if cell is None else str(cell) for cell in row)} |"


def main() -> None:
    print(page(json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]))


if __name__ == "__main__":
    main()
