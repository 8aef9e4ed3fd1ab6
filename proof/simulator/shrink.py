"""Makes a failing run shorter: leaves out steps as long as the same rule still fails.

Pure search over which steps do not happen; a step depends on the seed and its number alone, so the others stay what
they were. Guarantees: what it gives still fails. Does not belong here: why it fails (read the trace).
"""

from __future__ import annotations

from proof.simulator.run import Roles, run_seed
from proof.simulator.swarm import swarm
from proof.simulator.worker import Discipline

RUNS_MAX = 3_000


class Shrunk:
    """`steps`: those that are left. `trace`: what happens in them."""

    def __init__(self, seed: int, roles: Roles, discipline: Discipline | None = None) -> None:
        self._seed, self._roles, self._discipline = seed, roles, discipline
        self._all = range(swarm(seed).steps)
        self._runs = 0
        self.rule = self._fails(list(self._all)) or ""
        self.steps = list(self._all)
        if self.rule:
            self._shrink()
        self.trace: list[str] = []
        self._fails(self.steps, self.trace)

    def _fails(self, steps: list[int], trace: list[str] | None = None) -> str:
        self._runs += 1
        skip = set(self._all) - set(steps)
        found = run_seed(self._seed, self._roles, self._discipline, skip=skip, trace=trace)
        return found.violations[0].rule if found.violations else ""

    def _shrink(self) -> None:
        size = len(self.steps) // 2
        while size and self._runs < RUNS_MAX:
            shorter = False
            start = 0
            while start < len(self.steps):
                fewer = self.steps[:start] + self.steps[start + size :]
                if self._fails(fewer) == self.rule:
                    self.steps, shorter = fewer, True
                else:
                    start += size
            if not shorter or size > 1:
                size //= 2
