"""The forecaster as a process: its shifts, one for each set of partitions, until it is asked to stop.

Keeps nothing on disk but trained models (`learning`): a start, and each change of its partitions, re-reads `demand`,
`stock-levels`, `planning` and its own `reorders` and `forecast-alerts` from the beginning (they are compacted, hence
bounded by series x days), and goes on where it stopped.
With the group `demand` comes through a Faust agent (`agent`), and shifts are worked in a thread beside it; partitions
given by hand are nobody else's business, and are read without Faust, in this thread.
Guarantees: at least once, same words for the same demand; a record that cannot be read is a dead letter and stops
nothing; a run that was not acknowledged ends the process. It stops within 3 s of being asked (up to 3.5 s more while it
joins the group). When it runs: a newer day has appeared, or a closed day has changed, or stock or plans have moved; at
most every `every_seconds` and a tenth of its time. Further runs of the same day wait twice as long each time (a shop's
first day would otherwise fill the topic).
Does not belong here: what a shift does (`shift`), sharing out (`agent`, `owner`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from threading import Event

from forecasting.intake import Intake, ReadIntake
from forecasting.learning import TRAINING_SECONDS, Learning
from forecasting.policy import Terms
from forecasting.publish import Publisher
from forecasting.pulse import Pulse
from forecasting.reported import Reported
from forecasting.shift import POLL_SECONDS, Bench, Say, Shift
from forecasting.sources import wait_for_topics
from streams.settings import Settings

STOP_FLUSH_SECONDS = 1.5


def forecast_until(
    stop: Event,
    settings: Settings,
    terms: Terms,
    *,
    every_seconds: float = 10.0,
    partitions: Collection[int] | None = None,
    training_seconds: float = TRAINING_SECONDS,
    say: Say = lambda line: None,
) -> None:
    """Forecast until `stop` is set (which is done here too, where something has failed). `partitions`: look after these
    alone, without the group.

    `training_seconds` bounds a training; 0: never train (a model that is there is used).
    """
    pulse = Pulse()
    if settings.forecast:
        from forecasting.health import tell  # loads Faust

        tell(settings.forecast, pulse)
    learning = Learning(settings, seconds_max=training_seconds, say=say)
    reported = Reported(settings)
    try:
        count = wait_for_topics(settings, stop)
        if not count:
            return
        publisher = Publisher(settings, count)
        bench = Bench(settings, terms, count, every_seconds, publisher, learning, reported, pulse, say)
        if partitions is not None:
            pulse.begin(frozenset(partitions))
            pulse.has_joined = lambda: True
            _work(stop, bench, lambda: ReadIntake(settings, partitions))
        else:
            from forecasting.agent import run  # Faust takes half a second to load, and the other way needs none of it

            run(stop, settings, lambda turn: _work(stop, bench, turn), pulse)
    finally:
        learning.close()
        reported.close()


def _work(stop: Event, bench: Bench, turn: Callable[[], Intake | None]) -> None:
    """Shift after shift, in one thread; what waits for the broker at the end gets `STOP_FLUSH_SECONDS`."""
    while not stop.is_set():
        intake = turn()
        bench.pulse.begin(frozenset() if intake is None else intake.owned)
        if intake is None or not intake.begin():
            bench.reported.expect_broker()
            stop.wait(POLL_SECONDS)
            continue
        try:
            bench.say(f"forecasting partitions {', '.join(map(str, sorted(intake.owned)))} of {bench.partitions}")
            shift = Shift(bench, intake)
            try:
                shift.work(stop)
            finally:
                shift.close()
        finally:
            intake.leave()
    bench.publisher.flush(STOP_FLUSH_SECONDS)
