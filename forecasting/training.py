"""A training in a process of its own: a panel comes in as a file, a card goes out, and a model file if it won.

    python -m forecasting.training PANEL MODELS [--owned N] [--seed 0] [--take]

Reads the panel (live_panel.py) and the present champion; writes the folder of models. Says its progress line by line
on stdout, the verdict last. Guarantees: one training at a time per folder (a lock; `EXIT_BUSY` otherwise); CPU time is
limited by the kernel, even when the parent is gone; a training that fails leaves the folder as it was,
and so does one whose reader is gone, at its next line.
Exit codes: 0 done (taken or not), 3 another one is training here, 2 the panel cannot be used, else it crashed.
Does not belong here: when to train.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from forecasting.backtest import TOTAL_DAYS
from forecasting.boosted import MODEL, Trained, train, unsteady_now
from forecasting.champion import Champion
from forecasting.intervals import counts
from forecasting.judging import Verdict, judge, origins_of
from forecasting.live_panel import read_written
from forecasting.model_files import Card, champion_in, keep, next_name, versions
from forecasting.panel import Panel
from forecasting.segments import SEGMENTS, segments_of
from forecasting.totals import learn_totals

NICE = 10
CPU_SECONDS_MAX = 900
EXIT_PANEL, EXIT_BUSY = 2, 3
LOCK = "training.lock"

Say = Callable[[str], None]


class Busy(Exception):
    """Another process trains in this folder."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, and leave our process id in it; `Busy` when somebody else does."""
    with (folder / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def train_and_judge(panel: Panel, folder: Path, *, owned: int, seed: int = 0, say: Say = lambda line: None) -> Card:
    """Train a challenger on the panel, judge it, keep it if it wins. The card that was written."""
    started = time.process_time()
    panel = panel.chosen(panel.begun(panel.days))
    day = (panel.first_day + panel.days - 1).item()
    champion, notes = champion_in(folder, day.toordinal())
    for note in notes:
        say(note)
    twins: dict[int, Trained] = {}
    for cut in origins_of(panel.days):
        say(f"on {len(panel.ids)} series up to {panel.first_day + cut - 1}")
        twins[cut] = train(panel.until(cut), seed=seed)
    without = next((twin.reason for twin in twins.values() if twin.model != MODEL), "")
    verdict = Verdict(False, without, {}) if without else judge(panel, twins, champion, say)
    challenger = None
    name = next_name(folder, day.isoformat())
    if verdict.taken:
        say(f"on {len(panel.ids)} series up to {day}")
        trained = train(panel, seed=seed)
        say("how far totals spread")
        cut, twin = max(twins.items())
        verdict.report["totals"] = _totals_held(panel, cut, twin, seed)
        seen = {(panel.first_day + cut - 1).item().toordinal(): twin for cut, twin in twins.items()}
        challenger = Champion(
            name, day.toordinal(), trained, learn_totals(panel, trained, seed=seed), seen, verdict.left
        )
    kinds = np.bincount(segments_of(panel), minlength=len(SEGMENTS)).tolist()
    card = Card(
        name=name, taken=verdict.taken, verdict=verdict.reason,
        first_day=str(panel.first_day), last_day=day.isoformat(),
        series=len(panel.ids), series_owned=owned, segments=dict(zip(SEGMENTS, kinds, strict=True)),
        known_ahead=sorted(panel.known_ahead), backtest=verdict.report, versions=versions(),
        cpu_seconds=round(time.process_time() - started, 2), memory_mb=_memory_mb(), seed=seed,
    )  # fmt: skip
    return keep(folder, card, challenger)


def told(card: Card) -> str:
    """A card in a sentence."""
    cost = f"{card.cpu_seconds:.0f} s of CPU, {card.memory_mb:.0f} MB"
    if card.taken:
        return f"model {card.name} of {card.series} series is champion: {card.verdict}; {cost}"
    return f"model {card.name} of {card.series} series is not taken: {card.verdict}; {cost}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m forecasting.training")
    parser.add_argument("panel", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("--owned", type=int, default=0, help="series that the panel is a sample of")
    parser.add_argument("--take", action="store_true", help="remove the panel once it is read")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
    try:
        with alone_in(options.models):
            try:
                panel = read_written(options.panel)
                if options.take:  # whoever wrote it may not live to do so
                    options.panel.unlink(missing_ok=True)
            except (OSError, ValueError, KeyError) as error:
                print(f"the panel cannot be read: {error}", flush=True)
                return EXIT_PANEL
            owned = options.owned or len(panel.ids)
            card = train_and_judge(panel, options.models, owned=owned, seed=options.seed, say=_print)
    except Busy:
        print("another training is under way", flush=True)
        return EXIT_BUSY
    _print(told(card))
    return 0


def _totals_held(panel: Panel, cut: int, twin: Trained, seed: int) -> dict[str, float]:
    """The share of series whose next 8 days stayed at or under the .95 quantile of their sum, at the last origin."""
    past = panel.until(cut)
    came = np.nansum(panel.units[panel.begun(cut), cut : cut + TOTAL_DAYS], axis=1)
    prepared = twin.past(past)
    mean = twin.means(past, prepared, segments_of(past), TOTAL_DAYS).sum(axis=1)
    daily = mean / TOTAL_DAYS
    slow, fast = learn_totals(past, twin, seed=seed).at(daily, unsteady_now(prepared))
    bound = counts(mean, slow + fast / TOTAL_DAYS, (0.95,))[:, 0]
    return {"days": TOTAL_DAYS, "share_under_95": round(float((came <= bound).mean()), 4)}


def _print(line: str) -> None:
    print(line, flush=True)


def _memory_mb() -> float:
    """The most this process has held at once."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    sys.exit(main())
