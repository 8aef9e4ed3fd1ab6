"""One verdict per variant, and the one about the product.

Guarantees: an everyday run sees at most `Variant.most` states of each, and says when that was not all. Does not belong
here: showing them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from proof.models.catalogue import VARIANTS, Variant
from proof.models.search import explore


class Verdict(NamedTuple):
    """`states` seen, `full`: these are all there are (an unsafe one is left at its first counterexample: `steps`)."""

    variant: Variant
    found: str
    states: int
    full: bool
    seconds: float
    why: str
    steps: tuple[str, ...]

    @property
    def as_expected(self) -> bool:
        return self.found == self.variant.expected


def judge(variant: Variant, *, full: bool = False, told: Callable[[int], None] = lambda states: None) -> Verdict:
    """Search one variant; `told` hears from time to time how many states were seen."""
    began = time.monotonic()
    found = explore(variant.build(), None if full else variant.most, told)
    seconds = round(time.monotonic() - began, 2)
    return Verdict(variant, found.verdict, found.states, found.full, seconds, found.why, found.steps)


def product(verdicts: Iterable[Verdict]) -> str:
    """"safe" if every variant of the product was found so, "unsafe" if one was not, else "not checked"."""
    found = {v.variant.name: v.found for v in verdicts if v.variant.product}
    if "unsafe" in found.values():
        return "unsafe"
    missing = any(v.product and v.name not in found for v in VARIANTS)
    return "not checked" if missing else "safe"
