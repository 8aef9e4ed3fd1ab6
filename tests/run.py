"""Every check and every test, suite by suite: what `./smokehouse test` runs.

Reads the folders under `tests/`; writes nothing but what tests write. Guarantees: no process runs two suites, so that
none leans on another; a suite that finds no test fails; the last line adds everything up. With CI=true a skip fails
too, unless its reason is one of ALLOWED_SKIPS. Arguments go to pytest: `run.py tests/tables -k ledger` runs that alone.
With `--nightly` the long runs take hours instead of minutes (SMOKEHOUSE_NIGHTLY=1 for the tests).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITE_SECONDS, NIGHTLY_SUITE_SECONDS = 3600, 6 * 3600

CHECKS = [
    ("ruff", [sys.executable, "-m", "ruff", "check", "--quiet", "."]),
    ("imports", [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-logo"]),
]
SIDE_BY_SIDE = ["-n", "2", "--dist", "worksteal"]  # two processes, each with its own brokers
NIGHTLY_CHECKS = [("mutation", [sys.executable, "-m", "proof.mutation"])]
# In this order: the quick and the fundamental first. Each is a folder under tests/; one that is not listed here fails.
SUITES: list[tuple[str, list[str]]] = [
    ("repository", []),
    ("tables", []),
    ("proof", SIDE_BY_SIDE),
    ("history", SIDE_BY_SIDE),
    ("brokers", []),
    ("streams", SIDE_BY_SIDE),
    ("connectors", SIDE_BY_SIDE),
    ("forecasting", SIDE_BY_SIDE),
    ("api", SIDE_BY_SIDE),
    ("cli", SIDE_BY_SIDE),
    ("up", []),
    ("faults", SIDE_BY_SIDE),
    ("bench", SIDE_BY_SIDE),
]
# Files of a suite that need both cores for themselves: they run after its other files, one test at a time.
ALONE = {"faults": ["test_limits.py", "test_storm.py", "test_nemesis.py"], "bench": ["test_guard.py"]}
# Reasons for which a test may be skipped in CI: the real data, a durable broker, a server that the bench compares with,
# the fuzzer (some Pythons and machines have none), or libraries that want older versions of ours is not here; or the
# test is one that only `--nightly` runs.
ALLOWED_SKIPS = (
    "SMOKEHOUSE_TEST_DATA", "no Apache Kafka:", "no atheris:", "no PostgreSQL:", "no Redis:", "no statsforecast",
    "no stockpyl", "for a night:",
)  # fmt: skip


@dataclass
class Result:
    """What one suite came to. `problems` are lines for a person; any of them makes the run fail."""

    name: str
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def main(arguments: list[str]) -> int:
    if "--nightly" in arguments:
        arguments = [argument for argument in arguments if argument != "--nightly"]
        os.environ["SMOKEHOUSE_NIGHTLY"] = "1"
    named = [argument for argument in arguments if (ROOT / argument.split("::")[0]).exists()]
    ci = os.environ.get("CI", "").lower() in ("1", "true")
    results: list[Result] = []
    if named:
        results.append(run_pytest(" ".join(named), arguments, ci=ci))
    else:
        if not arguments:
            checks = [*CHECKS, *(NIGHTLY_CHECKS if os.environ.get("SMOKEHOUSE_NIGHTLY") == "1" else [])]
            results += [run_check(name, command) for name, command in checks]
        for name, extra in SUITES:
            if (ROOT / "tests" / name).is_dir():
                alone = [f"tests/{name}/{file}" for file in ALONE.get(name, [])]
                beside = [f"tests/{name}", *(f"--ignore={file}" for file in alone), *extra]
                for called, first in [(name, beside), *([(f"{name} alone", alone)] if alone else [])]:
                    results.append(run_pytest(called, [*first, *arguments], ci=ci, empty_ok=bool(arguments)))
        results.append(forgotten_folders())
    return report(results)


def run_check(name: str, command: list[str]) -> Result:
    """A check that is no pytest suite counts as one test."""
    began = time.monotonic()
    code = run(name, command)
    result = Result(name, time.monotonic() - began, Counter(failed=1) if code else Counter(passed=1))
    if code:
        result.problems.append(f"exit code {code}")
    return result


def run_pytest(name: str, arguments: list[str], *, ci: bool, empty_ok: bool = False) -> Result:
    """One pytest process; its JUnit file is counted, because its last line is for people."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder) / "junit.xml"
        code = run(name, [sys.executable, "-m", "pytest", f"--junit-xml={xml}", *arguments])
        cases = list(ElementTree.parse(xml).iter("testcase")) if xml.exists() else []
    result = Result(name, time.monotonic() - began)
    for case in cases:
        outcome = outcome_of(case)
        result.counts[outcome] += 1
        if ci and outcome == "skipped" and (problem := refused_skip(case)):
            result.problems.append(problem)
    if code == 5 and not cases:
        if not empty_ok:
            result.problems.append("no test was found")
    elif code:
        result.problems.append(f"pytest exit code {code}")
        result.counts["failed"] += not result.counts["failed"]  # it ended before it could count
    return result


def outcome_of(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    skipped = case.find("skipped")
    if skipped is None:
        return "passed"
    return "passed" if skipped.get("type") == "pytest.xfail" else "skipped"  # an expected failure ran as expected


def refused_skip(case: ElementTree.Element) -> str:
    """Why this skip does not pass in CI; empty if it does."""
    skipped = case.find("skipped")
    reason = (skipped.get("message") or "").strip() if skipped is not None else ""
    if any(allowed in reason for allowed in ALLOWED_SKIPS):
        return ""
    return f"skipped in CI: {case.get('classname')}.{case.get('name')}: {reason or 'without a reason'}"


def forgotten_folders() -> Result:
    """A folder of tests that no suite runs is a failure of its own."""
    known = {name for name, _ in SUITES}
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    result = Result("nothing forgotten")
    for folder in sorted(folders - known):
        result.problems.append(f"tests/{folder} is run by no suite: add it to SUITES in tests/run.py")
        result.counts["failed"] += 1
    return result


def run(name: str, command: list[str]) -> int:
    """Exit code; 124 after the bound."""
    print(f"\n--- {name}", flush=True)
    seconds = NIGHTLY_SUITE_SECONDS if os.environ.get("SMOKEHOUSE_NIGHTLY") == "1" else SUITE_SECONDS
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            print(f"{name} is stopped after {seconds} s", flush=True)
            return 124
        finally:
            if process.poll() is None:  # also after Ctrl-C
                process.kill()


def report(results: list[Result]) -> int:
    """The times, the problems and one closing line; 0 only if all is well."""
    total: Counter[str] = Counter()
    print("\n--- time and result of each suite")
    for result in results:
        total += result.counts
        counts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(result.counts.items()) if number)
        if counts or result.problems:
            print(f"{result.seconds:7.1f} s  {result.name:<12} {counts}")
        for problem in result.problems:
            print(f"           ! {problem}")
    if not total["passed"] and not total["failed"]:
        print("no test ran")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped", flush=True)
    bad = total["failed"] or any(result.problems for result in results) or not total["passed"]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
