"""Every variant: which model with which rules, and the verdict it must come to.

Guarantees: names are those of docs/models.md. The variants of steps that change many rows at once, or several
partitions, stand in `domain`. Does not belong here: what a rule means (the models), how a verdict is found
(`verdicts`).
"""

from __future__ import annotations

from proof.models import domain
from proof.models import one_row as one
from proof.models.many_rows import BOTH, RECEIVE, RELEASE, RESERVE, A, B, ManyRows, Record
from proof.models.one_row import OneRow
from proof.models.order_log import CANCEL, DEADLINE, OrderLog, TwoTopics
from proof.models.order_rows import ANSWERS, DEADLINES, PARTITION_FIRST, OrderRows
from proof.models.order_rows import TICK as TIME
from proof.models.pruning import LIFE, PRUNE, TICK, Pruning
from proof.models.pruning import RELEASE as GIVE_BACK
from proof.models.pruning import RESERVE as CLAIM
from proof.models.variant import SAFE, UNSAFE, Variant, of_world
from proof.models.views import Views
from proof.models.workers import How, Workers

__all__ = ["BY_NAME", "SAFE", "UNSAFE", "VARIANTS", "Variant"]


def _one(name: str, says: str, expected: str, rules: one.Rules, **more: object) -> Variant:
    return Variant(name, says, expected, lambda: OneRow(rules), **more)  # type: ignore[arg-type]


def _many(
    name: str, says: str, expected: str, log: tuple[Record, ...], how: How, *, most: int | None = None,
    product: bool = False, **rules: bool,
) -> Variant:  # fmt: skip
    return Variant(name, says, expected, lambda: Workers(ManyRows(log, **rules), how), most, product)


_R1, _R2, _R2_B, _R3 = (RESERVE, 0, BOTH), (RESERVE, 1, BOTH), (RESERVE, 1, B), (RESERVE, 2, BOTH)
_IN, _END1 = (RECEIVE, 0, A), (RELEASE, 0, BOTH)
_AFTER = How(deletes="after")

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
          (_R1, _R2_B), How(batch_most=2), product=True),
    _many("K2", "K1 with batches of up to three commands", SAFE,
          (_R1, _R2_B, _R3), How(batch_most=3), most=100_000, product=True),
    _many("K3", "K1 with a receipt and a release in between", SAFE,
          (_R1, _IN, _END1, _R2), How(batch_most=3), most=100_000, product=True),
    _many("K5", "K1 with a command said twice", SAFE,
          (_R1, _R2_B, _R1), How(batch_most=3), most=100_000, product=True),
    _many("K6", "K1, old copies deleted once an own record of their version has landed", SAFE,
          (_R1, _R2_B), How(batch_most=2, deletes="after"), most=100_000, product=True),
    _many("C1", "answers at once, rows at a checkpoint, offsets after both; with a receipt", SAFE,
          (_R1, _IN, _R2_B), How(), most=150_000, product=True),
    _many("C1r", "C1 with a release", SAFE, (_R1, _END1, _R2_B), How(), most=100_000, product=True),
    _many("X1", "K1, but recovery applies newer reservations to stock rows", UNSAFE,
          (_R1, _IN, _R2), How(batch_most=3), rolls_forward=True),
    _many("X2", "K1, but a redelivered command is decided again while one of its rows has moved", UNSAFE,
          (_R1, _R2), How(batch_most=2), decides_again=True),
    _many("X6", "K6, but the old copies go before that", UNSAFE,
          (_R1, _R2), How(batch_most=2, deletes="before")),
    _many("X7", "C1, but the offset is committed before the checkpoint's rows have landed", UNSAFE,
          (_R1, _IN, _R2_B), How(commits_early=True)),
    _many("X8", "C1, but a checkpoint writes stock rows before reservation rows", UNSAFE,
          (_R1, _IN, _R2_B), How(order=(2, 3, 0, 1))),
    # the order log
    Variant("O3", "orders and answers in two topics; a zombie", UNSAFE, TwoTopics),
    of_world("O5", "one log for all that happens to an order; a zombie", SAFE,
           lambda: OrderLog(), How(crashes=0), most=100_000, product=True),
    of_world("O5c", "O5 with a cancellation; a crash", SAFE,
           lambda: OrderLog((CANCEL,)), How(zombies=0), most=100_000, product=True),
    of_world("O5s", "O5c with a line out of stock", SAFE,
           lambda: OrderLog((CANCEL,), out_of_stock=(1,)), How(zombies=0), most=60_000, product=True),
    of_world("O6", "O5, but a SKU ends reservations by its own timer; no fault", UNSAFE,
           lambda: OrderLog(own_timer=True), How(0, 0)),
    of_world("D", "answers said twice, the deadline no_answer, late answers; a crash", SAFE,
           lambda: OrderLog((DEADLINE,), twice=1), How(zombies=0), most=100_000, product=True),
    of_world("D1", "D, but answers are counted, not known by line; no fault", UNSAFE,
           lambda: OrderLog((DEADLINE,), twice=1, counts=True), How(0, 0)),
    of_world("R", "a record changes several orders, and reads state time; what changed nothing does so again", SAFE,
           lambda: OrderRows((DEADLINES, TIME, ANSWERS)), How(), most=100_000),
    of_world("R0", "R, but a record that changed nothing is applied to the state time that was recovered", UNSAFE,
           lambda: OrderRows((DEADLINES, TIME, ANSWERS), looks_again=True), How(zombies=0)),
    of_world("R1", "R, but a checkpoint writes the partition row first", UNSAFE,
           lambda: OrderRows((DEADLINES, TIME, ANSWERS)), How(order=PARTITION_FIRST)),
    of_world("R2", "R, but only the partition row knows what was applied", UNSAFE,
           lambda: OrderRows((TIME, DEADLINES, ANSWERS), one_version=True), How(zombies=0)),
    *domain.VARIANTS,
    # forgetting
    Variant("P", "a closed row past its time counts as absent, is marked, then removed; a crash", SAFE,
            lambda: Pruning(LIFE, _AFTER._replace(zombies=0)), most=100_000),
    Variant("Pz", "P with a zombie", SAFE, lambda: Pruning(LIFE[:5], _AFTER._replace(crashes=0)), most=100_000),
    Variant("P1", "P, but the copies go at once, without a mark", UNSAFE,
            lambda: Pruning(LIFE[:5], _AFTER._replace(zombies=0), at_once=True)),
    Variant("P2", "P, but what is still owed is pruned too", UNSAFE,
            lambda: Pruning((CLAIM, TICK, PRUNE, GIVE_BACK), _AFTER._replace(zombies=0), owed=True)),
    Variant("P3", "Pz, but the remover knows only the copies that it found when it began", UNSAFE,
            lambda: Pruning(LIFE[:5], _AFTER._replace(crashes=0), looks=False)),
    Variant("P4", "P, but the mark does not keep when the claim and its release were", UNSAFE,
            lambda: Pruning(LIFE[:5], _AFTER._replace(zombies=0), keeps=False)),
    Variant("P5", "P, but what comes later for a forgotten reservation leaves a row in its place", UNSAFE,
            lambda: Pruning((CLAIM, GIVE_BACK, TICK, GIVE_BACK), _AFTER._replace(zombies=0), replaces=True)),
    # views
    Variant("V", "views: published again by a new owner, swept, offsets wait, the highest version counts", SAFE,
            lambda: Views(zombies=2), product=True),
    Variant("V1", "V without any of that; a zombie", UNSAFE,
            lambda: Views(crashes=0, again=False, sweeps=False, highest=False, awaits=False)),
    Variant("V2", "V without sweeps", UNSAFE, lambda: Views(sweeps=False)),
    Variant("V3", "V, but readers keep what came last", UNSAFE, lambda: Views(highest=False)),
    Variant("V4", "offsets do not wait for views, and a new owner publishes nothing; a crash", UNSAFE,
            lambda: Views(zombies=0, again=False, sweeps=False, awaits=False)),
)  # fmt: skip
BY_NAME = {variant.name: variant for variant in VARIANTS}
assert len(BY_NAME) == len(VARIANTS), "two variants have one name"
