"""When to train, beside the loop: starts a training in a process of its own, and puts the champion into service.

Reads the folder of models and what the training says; writes the panel it is given. Guarantees: `attend` returns at
once, whatever the training does (it waits for nothing; loading the first champion imports scikit-learn, once); one
training at a time; a training that crashes, hangs or cannot start is told in a line and costs nothing else: the
champion in service stays, or the simple method does. Days are demand's own, never the wall clock's: the wall clock only
bounds how long a training may run. Without numpy, scipy and scikit-learn (the extra `forecast`) nothing is trained.
Does not belong here: training (`training`), forecasts (`runs`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from forecasting.runs import Forecaster, Watch, watched
from streams.settings import Settings

TRAINING_SECONDS = 1_800.0
PACKAGES = ("numpy", "scipy", "sklearn")
SERIES_MIN, DAYS_MIN = 30, 112  # with less no training can be judged, or has enough rows
LINE_BYTES_MAX = 500
STOP_SECONDS = 1.0
ATTEND_SECONDS = 0.5
EXIT_BUSY = 3  # of `training`
ROOT = Path(__file__).parents[1]

Say = Callable[[str], None]


def missing_packages() -> list[str]:
    """What a training needs and is not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


def too_little(forecaster: Forecaster) -> str:
    """Why a training would be in vain; empty if it would not."""
    first_day, day, count = forecaster.first_day, forecaster.closed_day, len(forecaster)
    days = 0 if first_day is None or day is None else day - first_day + 1
    if count < SERIES_MIN or days < DAYS_MIN:
        return f"{count} series over {days} days: {SERIES_MIN} series over {DAYS_MIN} days are needed"
    return ""


def sampled_panel(forecaster: Forecaster, watch: Watch) -> tuple[Any, int] | None:
    """The closed days of its series (a sample where there are very many) as a panel, and how many there are in all.

    `None` where no series has a closed day.
    """
    from forecasting.live_panel import panel_of, sample_of

    first_day, day, keys = forecaster.first_day, forecaster.closed_day, forecaster.closed_keys()
    if first_day is None or day is None:
        return None
    chosen = watched(sample_of(keys, day - first_day + 1), watch)
    rows = forecaster.closed_days(chosen)
    if not rows:
        return None
    promotions = forecaster.promotions
    return panel_of(rows, promotions, first_day=first_day, with_promotions=len(promotions) > 0), len(keys)


class Training:
    """One training process, from the panel it is given to its last word."""

    def __init__(self, panel: Any, folder: Path, *, owned: int, seconds_max: float, say: Say) -> None:
        from forecasting.live_panel import write_panel

        self._say, self._file = say, folder / f"panel-{os.getpid()}.npz"
        write_panel(panel, self._file)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *_python_path()])}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "forecasting.training", self._file, folder, "--owned", str(owned), "--take"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._out: IO[bytes] = self._process.stdout
        os.set_blocking(self._out.fileno(), False)
        self._until = time.monotonic() + seconds_max
        self._seconds_max = seconds_max
        self.code: int | None = None  # once it has ended by itself
        self._rest = b""
        self._last = ""

    def is_over(self) -> bool:
        """Pass on what it has said; whether it has ended (killed if it has had its time)."""
        self.code = code = self._process.poll()  # before the pipe is read: afterwards nothing more comes
        self._pass_on()
        if code is None and time.monotonic() > self._until:
            self.stop()
            self._say(f"training was stopped after {self._seconds_max:.0f} s; going on with what there is")
            return True
        if code is None:
            return False
        if code not in (0, EXIT_BUSY):
            self._say(f"training failed with exit code {code} ({self._last}); going on with what there is")
        self._clean()
        return True

    def stop(self) -> None:
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # niced, it may take its time even to die
            self._process.wait(STOP_SECONDS)
        self._clean()

    def _pass_on(self) -> None:
        self._rest += self._out.read(1 << 16) or b""
        *lines, self._rest = self._rest.split(b"\n")
        self._rest = self._rest[-LINE_BYTES_MAX:]
        for line in lines:
            text = line[:LINE_BYTES_MAX].decode(errors="replace").strip()
            if text:
                self._last = text
                if not line.startswith((b" ", b"Traceback")):
                    self._say(f"training: {text}")

    def _clean(self) -> None:
        self._out.close()
        self._file.unlink(missing_ok=True)


class Learning:
    """The champion in service, and the training under way; it outlives changes of partitions."""

    def __init__(self, settings: Settings, *, seconds_max: float = TRAINING_SECONDS, say: Say) -> None:
        """`seconds_max` 0: never train."""
        self._settings, self._seconds_max, self._say = settings, seconds_max, say
        self._missing = missing_packages()
        self._folder: Path | None = None
        self._training: Training | None = None
        self._champion: Any = None
        self._looked_on = 0  # the closed day on which the folder was looked at last
        self._tried_on = 0  # the closed day of the last training
        self._not_before = 0.0
        if self._missing:
            say(f"not installed: {', '.join(self._missing)} (extra forecast): the simple method forecasts")

    def attend(self, forecaster: Forecaster, watch: Watch) -> None:
        """Call often: a finished training is noticed, a due one started, the champion handed to the forecaster."""
        if forecaster.champion is not self._champion:  # it is a new one: partitions have changed
            forecaster.take_champion(self._champion)
        if self._missing or time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + ATTEND_SECONDS
        day = forecaster.closed_day
        if day is None:
            return
        if self._training is not None and self._training.is_over():
            self._training = None
            self._looked_on = 0
        if day != self._looked_on:
            self._look(day)
        if forecaster.champion is not self._champion:
            forecaster.take_champion(self._champion)
        if self._training is None and forecaster.scored_day == day and day > self._tried_on and self._seconds_max > 0:
            self._tried_on = day
            self._start(forecaster, day, watch)

    def close(self) -> None:
        if self._training is not None:
            self._training.stop()
            self._training = None

    def _look(self, day: int) -> None:
        """Take the newest champion of the folder that has seen no day which is still to come here."""
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # before scikit-learn loads: we run beside a stream worker
        from forecasting.model_files import champion_in, open_folder

        self._looked_on = day
        try:
            self._folder = open_folder(self._settings.home, self._settings.prefix)
            found, notes = champion_in(self._folder, day)
        except OSError as error:
            found, notes, self._folder = None, [f"no models: {error}; going on with the simple method"], None
        for note in notes:
            self._say(note)
        if (found and found.name) != (self._champion and self._champion.name):
            self._champion = found
            if found is not None:
                self._say(f"forecasting with model {found.name}")

    def _start(self, forecaster: Forecaster, day: int, watch: Watch) -> None:
        from forecasting.model_files import cards

        if self._folder is None:
            return
        until = date.fromordinal(day).isoformat()
        if too_little(forecaster) or any(card.last_day == until for card in cards(self._folder, until)):
            return
        found = sampled_panel(forecaster, watch)
        if found is None:
            return
        panel, owned = found
        sampled = "" if len(panel.ids) == owned else f" (a sample of {owned})"
        self._say(f"training on {len(panel.ids)} series{sampled}, {panel.days} days up to {until}")
        limit = self._seconds_max
        try:
            self._training = Training(panel, self._folder, owned=owned, seconds_max=limit, say=self._say)
        except OSError as error:
            self._say(f"training cannot start: {error}; going on with what there is")


def _python_path() -> list[str]:
    return [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
