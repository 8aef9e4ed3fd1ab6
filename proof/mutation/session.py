"""All mutants in one pytest session: collected once, then a fork for each mutant that runs the tests which reach it.

Reads a plan (JSON: the mutants to run), the copied tree it stands in, `[tool.mutmut]`; writes one JSON line for each
mutant. mutmut makes the mutants; its own loop is not used, because it starts pytest anew for each of them: 0.45 s where
tests need 0.02 s. Guarantees: the parent runs no test, so nothing is cached from one mutant to the next; the quickest
tests come first, the first failure ends it; a test that takes far longer than it did, or asks for far more memory, is
stopped. Runs as a script of its own environment; imports nothing of ours but the mutated tables, through their tests.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

SURVIVED, KILLED = 0, 1
TIMEOUTS = (signal.SIGPROF, signal.SIGALRM)
TEST_SECONDS, TEST_TIMES = 1.0, 10.0  # of CPU: a test may take this much, and so many times what it took unchanged
WALL_TIMES = 20  # of the CPU it may take: somebody else may be using the machine
MEMORY_BYTES = 2 << 30


def main(plan_file: str) -> int:
    """The exit code of pytest, if no session came about; else 0."""
    plan = json.loads(Path(plan_file).read_text())
    os.environ["MUTANT_UNDER_TEST"] = ""  # read by every changed function; `stats`: it tells that it is called
    from mutmut import __main__ as mutmut
    from mutmut.configuration import Config

    Config.ensure_loaded()
    Path("mutants").mkdir(exist_ok=True)
    with open(os.devnull, "w") as silence:  # it names each file it copies
        sys.stdout, out = silence, sys.stdout
        mutmut.copy_src_dir()
        mutmut.copy_also_copy_files()
        mutmut.setup_source_paths()
        mutmut.create_mutants(1)
        sys.stdout = out
    mutants = chosen(list(made(mutmut)), plan)

    import pytest
    from hypothesis import Phase, settings

    settings.register_profile("mutants", derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
    settings.load_profile("mutants")
    os.chdir("mutants")
    from mutmut.mutation import trampoline

    called: set[str] = set()
    trampoline.record_trampoline_hit = lambda name, caller=None: called.add(name)
    os.environ["MUTANT_UNDER_TEST"] = "stats"
    config = Config.get()
    # Failures are not read by anybody; to explain them pytest would parse modules of 10,000 lines.
    arguments = ["-q", "--rootdir=.", "--tb=native", "--assert=plain", "-o", "timeout=0", *config.pytest_add_cli_args]
    run = Run(mutants, called, plan["jobs"], plan["slowest"], Path(plan["results"]))
    code = pytest.main([*arguments, *config.pytest_add_cli_args_test_selection], plugins=[run])
    return 0 if run.done else int(code) or 1


def made(mutmut: Any) -> Iterator[dict[str, str]]:
    """Every mutant: its name, its module, the function it changes."""
    from mutmut.mutation.data import SourceFileMutationData

    for path in sorted(mutmut.walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        for name in data.exit_code_by_key:
            module, _, function = mutmut.mangled_name_from_mutant_name(name).rpartition(".")
            function = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
            yield {"mutant": name, "module": module, "function": function}


def change(mutant: str) -> dict[str, str]:
    """The lines that were and those that are."""
    from mutmut.__main__ import get_diff_for_mutant

    os.chdir("..")  # mutmut speaks of files as from where it was started
    lines = get_diff_for_mutant(mutant).splitlines()[2:]
    os.chdir("mutants")
    return {key: "\n".join(x[1:].strip() for x in lines if x[0] == sign) for key, sign in (("was", "-"), ("now", "+"))}


def chosen(mutants: list[dict[str, str]], plan: dict[str, Any]) -> list[dict[str, str]]:
    """Those of the modules, of the names and of the sample that the plan asks for; empty asks for all."""
    if plan["modules"]:
        mutants = [x for x in mutants if x["module"] in plan["modules"]]
    if plan["mutants"]:
        mutants = [x for x in mutants if x["mutant"] in plan["mutants"]]
    if plan["sample"]:
        mutants = Random(plan["seed"]).sample(mutants, min(plan["sample"], len(mutants)))
    return mutants


class Run:
    """A plugin of the session: in place of running the tests it runs the mutants."""

    def __init__(
        self, mutants: list[dict[str, str]], called: set[str], jobs: int, slowest: float, results: Path
    ) -> None:  # fmt: skip
        self.mutants = mutants
        self.called = called
        self.jobs = jobs
        self.slowest = slowest
        self.results = results
        self.done = False

    def pytest_runtestloop(self, session: Any) -> bool:
        if session.testsfailed:
            raise session.Interrupted("a test module cannot be collected")
        self.items = session.items
        self.at_import = set(self.called)
        os.environ["MUTANT_UNDER_TEST"] = ""
        gc.freeze()
        self.seconds, self.reaching = self.reach()
        children: dict[int, tuple[dict[str, str], float]] = {}
        counts = dict.fromkeys(("killed", "survived", "timeout", "suspicious", "untested"), 0)
        with self.results.open("w") as file:

            def tell(mutant: dict[str, str], outcome: str, seconds: float) -> None:
                counts[outcome] += 1
                lines = {} if outcome == "killed" else change(mutant["mutant"])
                file.write(json.dumps({**mutant, "outcome": outcome, "seconds": round(seconds, 3), **lines}) + "\n")
                file.flush()
                said = ", ".join(f"{n} {name}" for name, n in counts.items() if n)
                print(f"\r{sum(counts.values())} of {len(self.mutants)}: {said}", end=" ", file=sys.stderr, flush=True)

            def ended() -> None:
                pid, status = os.wait()
                mutant, began = children.pop(pid)
                shutil.rmtree(self.scratch(pid), ignore_errors=True)
                tell(mutant, _outcome(os.waitstatus_to_exitcode(status)), time.monotonic() - began)

            for mutant in self.mutants:
                tests, again = self.tests_of(mutant)
                if not tests:
                    tell(mutant, "untested", 0)
                    continue
                if len(children) == self.jobs:
                    ended()
                children[self.fork(lambda m=mutant, t=tests, a=again: self.run(m["mutant"], t, a))] = (
                    mutant,
                    time.monotonic(),
                )
            while children:
                ended()
        print(file=sys.stderr)
        self.done = True
        return True

    def fork(self, work: Any) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 70
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            self.scratch(os.getpid()).mkdir(parents=True, exist_ok=True)
            os.environ["PYTEST_DEBUG_TEMPROOT"] = str(self.scratch(os.getpid()))  # where `tmp_path` is made
            code = work()
        finally:
            os._exit(code)

    def scratch(self, pid: int) -> Path:
        return self.results.parent / "scratch" / str(pid)

    def reach(self) -> tuple[list[float], dict[str, list[int]]]:
        """Each test unchanged: the seconds it takes, and for each function the tests that reach it, quickest first."""
        found = self.results.with_suffix(".reach")
        found.unlink(missing_ok=True)

        def work() -> int:
            os.environ["MUTANT_UNDER_TEST"] = "stats"
            seconds, reaching = [], []
            for n, item in enumerate(self.items):
                self.called.clear()
                began = time.process_time()
                if problem := self.failure(item, self.items[n + 1] if n + 1 < len(self.items) else None):
                    found.write_text(json.dumps([f"{item.nodeid} fails unchanged: {problem}", [], []]))
                    return 1
                seconds.append(time.process_time() - began)
                reaching.append(sorted(self.called))
            found.write_text(json.dumps(["", seconds, reaching]))
            return 0

        pid = self.fork(work)
        os.waitpid(pid, 0)
        shutil.rmtree(self.scratch(pid), ignore_errors=True)
        if not found.exists():
            raise RuntimeError("the tests cannot be run unchanged")
        problem, seconds, reached = json.loads(found.read_text())
        if problem:
            raise RuntimeError(problem)
        reaching: dict[str, list[int]] = {}
        quick = [n for n in range(len(seconds)) if not self.slowest or seconds[n] <= self.slowest]
        for n in sorted(quick, key=seconds.__getitem__):
            for function in reached[n]:
                reaching.setdefault(function, []).append(n)
        return seconds, reaching

    def tests_of(self, mutant: dict[str, str]) -> tuple[list[int], str]:
        """The tests that reach it. One that is only called when its module is imported: those that reach its module,
        and the module to be imported again for them."""
        function, module = mutant["mutant"].partition("__mutmut_")[0], mutant["module"]
        if function in self.reaching or function not in self.at_import:
            return self.reaching.get(function, []), ""
        reached = {n for name, tests in self.reaching.items() if name.rpartition(".")[0] == module for n in tests}
        return sorted(reached, key=self.seconds.__getitem__), module

    def run(self, mutant: str, tests: list[int], again: str) -> int:
        """In a fork: the tests, until one fails."""
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, hard))
        os.environ["MUTANT_UNDER_TEST"] = mutant
        if again:
            try:
                importlib.reload(sys.modules[again])
            except Exception:  # noqa: BLE001 - whatever it is, nobody could import it
                return KILLED
        for n, index in enumerate(tests):
            limit = TEST_SECONDS + TEST_TIMES * self.seconds[index]
            signal.setitimer(signal.ITIMER_PROF, limit)  # both end the process if nobody stops them
            signal.setitimer(signal.ITIMER_REAL, limit * WALL_TIMES)
            after = self.items[tests[n + 1]] if n + 1 < len(tests) else None
            if self.failure(self.items[index], after):
                return KILLED
        return SURVIVED

    def failure(self, item: Any, after: Any) -> str:
        """Run one test, with set-up and tear-down. What failed; empty if nothing did."""
        from _pytest.runner import runtestprotocol

        for report in runtestprotocol(item, log=False, nextitem=after):
            if report.failed:
                return str(report.longrepr)
        return ""


def _outcome(code: int) -> str:
    if code in (SURVIVED, KILLED):
        return "killed" if code else "survived"
    return "timeout" if -code in TIMEOUTS else "suspicious"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
