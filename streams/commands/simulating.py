"""`smokehouse prove simulate`: runs the agents' own steps through seeds of faults, in memory, and tells what broke.

Reads nothing but its seeds; writes its report on stdout. Exits with 0 only if every seed settled as it must. Does not
belong here: what is simulated and judged (`proof.simulator`).
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Annotated, Any

from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from streams.commands.options import Seed, between
from streams.commands.output import put_json, put_table, say, talk
from streams.partition import Role

JOBS_MAX = 1_024
_flag = Parameter(negative="")


def agents() -> dict[str, Role]:
    """The agents as workers run them, by the log they read."""
    from streams.wiring import ROLES  # Faust takes a moment to load

    return {role.topic: role for role in ROLES.values()}


def simulate(
    *,
    seeds: Annotated[int, between(1)] = 1_000,
    seed: Seed = 0,
    jobs: Annotated[int, between(1, JOBS_MAX)] = 2,
    trace: Annotated[bool, _flag] = False,
    json: Annotated[bool, _flag] = False,
) -> None:
    """Run seeds of crashes, zombies, duplicates, lost sends and wrong clocks; exits with 1 if something did not hold.

    Parameters
    ----------
    seeds
        How many.
    seed
        The first. `--seed S --seeds 1` replays one exactly.
    jobs
        Processes beside each other.
    trace
        Of the first seed that fails: the steps that are enough for it, and what happens in them.
    json
        The report as JSON on stdout.
    """
    from proof.simulator.run import run_seeds
    from proof.simulator.shrink import Shrunk

    logging.disable(logging.CRITICAL)  # a partition that halts says so: here it is a finding
    started, cpu = time.monotonic(), time.process_time()
    with Progress(
        TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=talk, transient=True, disable=not talk.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=seeds)
        result = run_seeds(range(seed, seed + seeds), agents, jobs, lambda n: bar.advance(task, n))
    for found in result.violations:
        found.replay = f"smokehouse prove simulate --seeds 1 --seed {found.seed} --trace"
    report = {
        "ok": not result.violated, "seeds": result.seeds, "first_seed": seed, "events": result.events,
        "faults": dict(sorted(result.faults.items())), "faults_total": sum(result.faults.values()),
        "audited": result.audited, "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu + result.cpu_seconds, 1),
        "violated": result.violated, "violations": result.violations,
    }  # fmt: skip
    steps: list[str] = []
    if trace and result.violations:
        shrunk = Shrunk(result.violations[0].seed, agents())
        steps = report["trace"] = shrunk.trace
    if json:
        put_json(report)
    else:
        _show(report, steps)
    sys.exit(1 if result.violated else 0)


def _show(report: dict[str, Any], steps: list[str]) -> None:
    put_table("Simulated", ["what", "count"], [(x.replace("_", " "), report[x]) for x in (
        "seeds", "events", "faults_total", "audited", "seconds", "cpu_seconds", "violated",
    )])  # fmt: skip
    put_table("Faults", ["kind", "count"], [(kind.replace("_", " "), n) for kind, n in report["faults"].items()])
    for found in report["violations"]:
        print(f"{found.rule}: seed {found.seed}, step {found.step}: {found.what}\n  again: {found.replay}")
    for line in steps:
        print(line)
    say("every seed settled as it must" if report["ok"] else "something does not hold: see above")
