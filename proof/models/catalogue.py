"""Every variant: which model with which rules, and the verdict it must come to.

Guarantees: names are those of docs/models.md; `most` bounds the states of an everyday run, None sees all of them.
Does not belong here: what a rule means (the models), how a verdict is found (`verdicts`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from proof.models import many_rows as many
from proof.models import one_row as one
from proof.models.many_rows import BOTH, RECEIVE, RELEASE, RESERVE, A, B, ManyRows
from proof.models.one_row import OneRow
from proof.models.search import Model

SAFE, UNSAFE = "safe", "unsafe"


class Variant(NamedTuple):
    """`product`: this is what the product does. `most`: states of an everyday run; None: all."""

    name: str
    says: str
    expected: str
    build: Callable[[], Model]
    most: int | None = None
    product: bool = False


def _one(name: str, says: str, expected: str, rules: one.Rules, **more: object) -> Variant:
    return Variant(name, says, expected, lambda: OneRow(rules), **more)  # type: ignore[arg-type]


def _many(name: str, says: str, expected: str, rules: many.Rules, **more: object) -> Variant:
    return Variant(name, says, expected, lambda: ManyRows(rules), **more)  # type: ignore[arg-type]


_R1, _R2, _R2_B, _R3 = (RESERVE, 0, BOTH), (RESERVE, 1, BOTH), (RESERVE, 1, B), (RESERVE, 2, BOTH)
_IN, _END1 = (RECEIVE, 0, A), (RELEASE, 0, BOTH)

VARIANTS: tuple[Variant, ...] = (
    # one stock row
    _one("A4", "outcome and stock as two records, dedupe by id only; a crash", UNSAFE,
         one.Rules(own_keys=False, two_records=True, by_id_only=True)),
    _one("A5", "a duplicate is skipped without writing its row again; local store kept", UNSAFE,
         one.Rules(crashes=2, put_again=False, kept_store=True)),
    _one("B8", "one changelog send fails without a word", UNSAFE,
         one.Rules(own_keys=False, crashes=2, lost_sends=1)),
    _one("Z1", "one changelog key for all writers; a zombie", UNSAFE, one.Rules(own_keys=False, zombies=1)),
    _one("Z3", "Z1, and the reader ignores answers of older owners", UNSAFE,
         one.Rules(own_keys=False, zombies=1, generations=True)),
    _one("Z14", "own keys, the highest version counts; two zombies and a crash", SAFE,
         one.Rules((0, 1), zombies=2), product=True),
    _one("Z14a", "Z14 with three commands", SAFE, one.Rules(zombies=2), most=100_000, product=True),
    _one("Z14d", "Z14 with a command said twice, one zombie", SAFE,
         one.Rules((0, 1, 0), zombies=1), product=True),
    _one("Z14k", "Z14, but a kept store says from where the changelog is read", UNSAFE,
         one.Rules((0, 1), zombies=2, kept_store=True)),
    _one("N1", "the decision reads a clock", UNSAFE, one.Rules(zombies=1, clock=True)),
    # several rows
    _many("K1", "several rows, rows at the end of a batch; a crash and a zombie", SAFE,
          many.Rules((_R1, _R2_B), batch_most=2), product=True),
    _many("K2", "K1 with batches of up to three commands", SAFE,
          many.Rules((_R1, _R2_B, _R3), batch_most=3), most=150_000, product=True),
    _many("K3", "K1 with a receipt and a release in between", SAFE,
          many.Rules((_R1, _IN, _END1, _R2), batch_most=3), most=100_000, product=True),
    _many("K5", "K1 with a command said twice", SAFE,
          many.Rules((_R1, _R2_B, _R1), batch_most=3), most=100_000, product=True),
    _many("K6", "K1, old copies deleted once an own record of their version has landed", SAFE,
          many.Rules((_R1, _R2_B), batch_most=2, deletes="after"), most=150_000, product=True),
    _many("C1", "answers at once, rows at a checkpoint, offsets after both; with a receipt", SAFE,
          many.Rules((_R1, _IN, _R2_B)), most=200_000, product=True),
    _many("C1r", "C1 with a release", SAFE, many.Rules((_R1, _END1, _R2_B)), most=150_000, product=True),
    _many("X1", "K1, but recovery applies newer reservations to stock rows", UNSAFE,
          many.Rules((_R1, _IN, _R2), batch_most=3, rolls_forward=True)),
    _many("X2", "K1, but a redelivered command is decided again while one of its rows has moved", UNSAFE,
          many.Rules((_R1, _R2), batch_most=2, decides_again=True)),
    _many("X6", "K6, but the old copies go before that", UNSAFE,
          many.Rules((_R1, _R2), batch_most=2, deletes="before")),
    _many("X7", "C1, but the offset is committed before the checkpoint's rows have landed", UNSAFE,
          many.Rules((_R1, _IN, _R2_B), commits_early=True)),
    _many("X8", "C1, but a checkpoint writes stock rows before reservation rows", UNSAFE,
          many.Rules((_R1, _IN, _R2_B), stock_first=True)),
)  # fmt: skip
BY_NAME = {variant.name: variant for variant in VARIANTS}
