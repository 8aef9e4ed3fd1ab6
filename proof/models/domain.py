"""Variants of the steps that change many rows at once, or several partitions: backorders, moves, expiry, kits, edits.

Guarantees: as the catalogue's. Does not belong here: variants of what carries them all (`catalogue`).
"""

from __future__ import annotations

from proof.models import filling as fill
from proof.models import moving as move
from proof.models.editing import OLD_OK, Editing
from proof.models.expiring import Expiring
from proof.models.filling import Filling
from proof.models.hearing import SHORT, Hearing
from proof.models.kits import ASSEMBLE, TAKE_APART, Kits, PartSide
from proof.models.moving import Moving
from proof.models.order_side import CANCEL, DEADLINE
from proof.models.recalling import CLOSE, OPEN, Recalling
from proof.models.sourcing import Sourcing
from proof.models.variant import SAFE, UNSAFE, Variant, of_world
from proof.models.workers import How

_NO_FAULT, _CRASH, _ZOMBIE = How(0, 0), How(zombies=0), How(crashes=0)
_UNIT, _GONE, _LATER = (fill.RECEIVE, 1), (fill.RELEASE, 0), (fill.RESERVE, 1)
_MOVE1, _R2_Y, _FREE1, _FREE2 = (move.MOVE, 1), (move.RESERVE, 2), (move.RELEASE, 1), (move.RELEASE, 2)
_ORDERED = ((move.RESERVE, 1), (move.RESERVE, 2))
_TICK, _SHIP, _ARRIVES = ("tick",), ("ship",), ("receive", 1)
_KIT, _APART = (ASSEMBLE,), (TAKE_APART,)

VARIANTS: tuple[Variant, ...] = (
    # backorders
    of_world("F", "a note fills backorders: its own row, then reservation, queue and stock; a release; a crash", SAFE,
           lambda: Filling((_UNIT, _GONE)), _CRASH, product=True),
    of_world("Fz", "F with a zombie", SAFE, lambda: Filling((_UNIT, _GONE)), _ZOMBIE, most=60_000, product=True),
    of_world("Fn", "F with a new order that wants the same unit", SAFE,
           lambda: Filling((_UNIT, _LATER)), _CRASH, most=60_000, product=True),
    of_world("Fm", "two wait, a note fills one, and another note the other", SAFE,
           lambda: Filling(((fill.RECEIVE, 2),), waits=(1, 1), page=1), _CRASH, most=60_000, product=True),
    of_world("F1", "F, but the reservation is the note's only outcome, and the queue row lands before it", UNSAFE,
           lambda: Filling((_UNIT, _GONE), own_row=False), _CRASH._replace(order=fill.QUEUE_FIRST)),
    of_world("F2", "F, but a redelivered note is decided again while some of its rows have moved", UNSAFE,
           lambda: Filling((_UNIT, _GONE), decides_again=True), _CRASH),
    of_world("F3", "Fn, but a new order takes what others wait for; no fault", UNSAFE,
           lambda: Filling((_UNIT, _LATER), leaves_alone=False), _NO_FAULT),
    of_world("F4", "F, but the note is not said again", UNSAFE,
           lambda: Filling((_UNIT,), says_again=False), _CRASH),
    of_world("N", "an order hears of fills, some twice, and cancels a unit meanwhile; a crash", SAFE,
           lambda: Hearing((CANCEL,), waits=2, twice=1), _CRASH, product=True),
    of_world("Nz", "N with a zombie", SAFE, lambda: Hearing((CANCEL,), waits=2), _ZOMBIE, product=True),
    of_world("Ns", "N, but a unit that was not there to ship waits again; a crash", SAFE,
           lambda: Hearing((SHORT,), twice=1), _CRASH, product=True),
    of_world("N4", "N, but a fill counts as often as it is heard of; no fault", UNSAFE,
           lambda: Hearing((), waits=2, twice=1, by_id=False, told_whole=False), _NO_FAULT),
    of_world("N2", "N, but the order cancels units that are there before those that wait; no fault", UNSAFE,
           lambda: Hearing((CANCEL,), waiting_first=False), _NO_FAULT),
    of_world("Nt", "Ns after a cancellation, while a fill is on its way; a crash", SAFE,
           lambda: Hearing((CANCEL, SHORT), twice=1), _CRASH, most=60_000, product=True),
    of_world("Nu", "Nt with a zombie", SAFE, lambda: Hearing((CANCEL, SHORT)), _ZOMBIE, most=60_000, product=True),
    of_world("N3", "Nt, but a fill tells only that it was one, and is taken for another; no fault", UNSAFE,
           lambda: Hearing((CANCEL, SHORT), told_whole=False), _NO_FAULT),
    # moves
    of_world("M", "a reservation moved between two stock rows, asked twice, another order in between; a crash", SAFE,
           lambda: Moving((_MOVE1, _MOVE1, _R2_Y)), _CRASH, most=60_000, product=True),
    of_world("Mz", "a move asked twice, and a release; a zombie", SAFE,
           lambda: Moving((_MOVE1, _MOVE1, _FREE1), (), claimed=True), _ZOMBIE, product=True),
    of_world("Ma", "a move asked twice, and an allocation; a crash", SAFE,
           lambda: Moving((_MOVE1, _MOVE1, (move.ALLOCATE, 1))), _CRASH, product=True),
    of_world("Mr", "a move that does not fit until another order is released; a crash", SAFE,
           lambda: Moving((_MOVE1, _FREE2), _ORDERED), _CRASH, most=60_000, product=True),
    of_world("M1", "M, but stock rows land before the reservation that says it moved", UNSAFE,
           lambda: Moving((_MOVE1,), (), claimed=True), _CRASH._replace(order=move.STOCK_FIRST)),
    of_world("M2", "Mz, but a move asked twice is answered by what is held now; no fault", UNSAFE,
           lambda: Moving((_MOVE1, _MOVE1, _FREE1), (), claimed=True, afresh=True), _NO_FAULT),
    of_world("M3", "M, but a redelivered reserve is answered by what is held now", UNSAFE,
           lambda: Moving((_MOVE1,), answers_now=True), _CRASH),
    of_world("M4", "Mr, but a refused move leaves no trace", UNSAFE,
           lambda: Moving((_MOVE1, _FREE2), _ORDERED, keeps_refusals=False), _CRASH),
    of_world("S", "an order waits for both its moves, one is refused, then decides; a crash", SAFE,
           lambda: Sourcing(full=(1,)), _CRASH, most=60_000, product=True),
    of_world("Sz", "S with a zombie", SAFE, lambda: Sourcing(), _ZOMBIE, most=60_000, product=True),
    of_world("Sc", "S with a cancellation while it moves; a crash", SAFE,
           lambda: Sourcing((CANCEL,)), _CRASH, most=60_000, product=True),
    of_world("Sd", "S with the deadline, a cancellation, an answer said twice; no fault", SAFE,
           lambda: Sourcing((CANCEL, DEADLINE), twice=1), _NO_FAULT, most=60_000, product=True),
    of_world("S1", "S, but the order decides when it asks to move; no fault", UNSAFE,
           lambda: Sourcing(awaits=False), _NO_FAULT),
    of_world("S2", "S, but answers to moves are counted, not known by line; one is said twice, no fault", UNSAFE,
           lambda: Sourcing(twice=1, counts=True), _NO_FAULT),
    of_world("S3", "Sc, but the last answer to a move decides, whatever came before; no fault", UNSAFE,
           lambda: Sourcing((CANCEL,), closes=False), _NO_FAULT),
    # time and recalls
    of_world("T", "a tick makes lots expire in pages, its own row first; a shipment in between; a crash", SAFE,
           lambda: Expiring((_TICK, _SHIP)), _CRASH, most=60_000, product=True),
    of_world("Tz", "T with a zombie", SAFE, lambda: Expiring((_TICK,)), _ZOMBIE, product=True),
    of_world("Tt", "two ticks, the first finds nothing; a crash", SAFE,
           lambda: Expiring((_TICK, _TICK), due=(2, 2)), _CRASH, product=True),
    of_world("Tr", "a lot that is due comes between two ticks; a crash", SAFE,
           lambda: Expiring((_TICK, _ARRIVES, _TICK), units=(1, 0)), _CRASH, product=True),
    of_world("T1", "T, but a redelivered tick is decided again while some of its rows have moved", UNSAFE,
           lambda: Expiring((_TICK,), page=2, decides_again=True), _CRASH),
    of_world("T2", "T, but the note for the next page is not said again", UNSAFE,
           lambda: Expiring((_TICK,), says_again=False), _CRASH),
    of_world("T3", "Tt, but a tick that found nothing looks again at the state time that was recovered", UNSAFE,
           lambda: Expiring((_TICK, _TICK), due=(2, 2), looks_again=True), _CRASH),
    of_world("T4", "Tr, but a tick decides about lots that changed later than it", UNSAFE,
           lambda: Expiring((_TICK, _ARRIVES), units=(0, 0), newer_too=True), _CRASH),
    of_world("L", "a recall in pages, closed while a page is to come; a crash", SAFE,
           lambda: Recalling(((OPEN,), (CLOSE,))), _CRASH, most=60_000, product=True),
    of_world("Lz", "a recall in pages; a zombie", SAFE, lambda: Recalling(((OPEN,),)), _ZOMBIE, product=True),
    of_world("Lr", "a recalled lot is received, and its recall closed; a crash", SAFE,
           lambda: Recalling(((OPEN,), ("receive", 1), (CLOSE,)), units=(1, 0)), _CRASH, most=60_000, product=True),
    of_world("La", "L, and opened anew; no fault", SAFE,
           lambda: Recalling(((OPEN,), (CLOSE,), (OPEN, "anew"))), _NO_FAULT, product=True),
    of_world("L1", "L, but a note goes on with what its record began, though the recall was closed; no fault", UNSAFE,
           lambda: Recalling(((OPEN,), (CLOSE,)), looks=False), _NO_FAULT),
    of_world("L2", "L, but the note for the next page is not said again", UNSAFE,
           lambda: Recalling(((OPEN,),), says_again=False), _CRASH),
    # kits
    of_world("U", "a kit made of parts in another partition, and taken apart; told twice; a crash and a zombie", SAFE,
           lambda: Kits((_KIT, _KIT, _APART)), How(), most=60_000, product=True),
    of_world("Up", "the part's partition hears of it twice, ships in between; a crash", SAFE,
           PartSide, _CRASH, product=True),
    of_world("U1", "U, but the part's partition does not know the record again", UNSAFE,
           lambda: Kits((_KIT,), dedupes=False), _CRASH),
    of_world("U2", "U, but a fact that is delivered again does not tell the parts", UNSAFE,
           lambda: Kits((_KIT,), says_again=False), _CRASH),
    of_world("U3", "Up, but a fact is known by its place in the log alone; no fault", UNSAFE,
           lambda: PartSide(by_id=False), _NO_FAULT),
    of_world("U4", "Up, but a redelivered fact is decided again while some of its rows have moved", UNSAFE,
           lambda: PartSide(decides_again=True), _CRASH),
    # edits
    of_world("E", "an edit asks as a second attempt; an old answer of the first comes again; a crash", SAFE,
           lambda: Editing((OLD_OK,)), _CRASH, most=60_000, product=True),
    of_world("Ez", "E with a zombie", SAFE, lambda: Editing(), _ZOMBIE, most=60_000, product=True),
    of_world("Es", "E with a line out of stock; a crash", SAFE,
           lambda: Editing(out_of_stock=(1,)), _CRASH, most=60_000, product=True),
    of_world("Ec", "E with a cancellation while it waits; a crash", SAFE,
           lambda: Editing((CANCEL,)), _CRASH, most=60_000, product=True),
    of_world("Ed", "E with the deadline, a cancellation, an answer said twice, a line out of stock; no fault", SAFE,
           lambda: Editing((CANCEL, DEADLINE), out_of_stock=(1,), twice=1), _NO_FAULT, most=60_000, product=True),
    of_world("E1", "Es, but what is to be less is released before more is granted; no fault", UNSAFE,
           lambda: Editing(out_of_stock=(1,), less_first=True), _NO_FAULT),
    of_world("E2", "Ec, but a cancellation forgets the attempt that is not answered; no fault", UNSAFE,
           lambda: Editing((CANCEL,), cancels_both=False), _NO_FAULT),
    of_world("E3", "E, but stock does not know a partial release again", UNSAFE,
           lambda: Editing(by_id=False), _CRASH),
    of_world("E4", "Es, but an answer of the first attempt counts for the second; no fault", UNSAFE,
           lambda: Editing((OLD_OK,), out_of_stock=(1,), by_attempt=False), _NO_FAULT),
)  # fmt: skip
