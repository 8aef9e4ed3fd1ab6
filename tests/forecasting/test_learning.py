"""Training beside the loop: it never stops the stream, whatever becomes of it, and a restart finds the champion."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

pytest.importorskip("sklearn.ensemble", reason="no scikit-learn (extra forecast)")

from forecasting.boosted import MODEL
from forecasting.learning import ATTEND_SECONDS, Learning
from forecasting.model import MODEL as SIMPLE
from forecasting.model_files import cards
from forecasting.policy import Terms
from forecasting.runs import Forecaster
from streams.settings import Settings

pytestmark = pytest.mark.timeout(400)  # a training takes 5 s of CPU; on a busy machine that is long
PATIENCE_SECONDS = 300.0
ROOT = Path(__file__).parents[2]


def watch() -> None:
    """Nobody breaks these runs off."""


class Desk:
    """A forecaster turned by hand, with the training beside it."""

    def __init__(self, home: Settings, forecaster: Forecaster, seconds_max: float = 600.0) -> None:
        self.lines: list[str] = []
        self.forecaster = forecaster
        self.learning = Learning(home, seconds_max=seconds_max, say=self.lines.append)
        self.slowest = 0.0

    def turn(self) -> None:
        """What the loop does: look at the training, score what is due."""
        started = time.monotonic()
        self.learning.attend(self.forecaster, watch)
        self.slowest = max(self.slowest, time.monotonic() - started)
        if self.forecaster.day_closed() or self.forecaster.has_stale_forecasts():
            self.models = {one.model for _, one in self.forecaster.score(watch)}

    def until(self, told: str, also: Callable[[], None] = lambda: None) -> None:
        limit = time.monotonic() + PATIENCE_SECONDS
        while not any(told in line for line in self.lines):
            assert time.monotonic() < limit, self.lines
            self.turn()
            also()
            time.sleep(0.05)
        time.sleep(ATTEND_SECONDS)
        self.turn()


def training_pid(models: Path) -> int:
    """Of the process that trains, once it holds the lock; 0 before."""
    try:
        text = (models / "training.lock").read_text()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0


def test_a_training_begins_when_a_day_has_closed_and_its_winner_forecasts_from_then_on(home: Settings, shop):
    desk = Desk(home, shop.forecaster())
    desk.turn()
    assert desk.models == {SIMPLE}, "nobody waits for a training"
    try:
        desk.until("forecasting with model")
    finally:
        desk.learning.close()
    assert desk.models == {MODEL}
    assert desk.slowest < 5, "the training takes several seconds of CPU, its start and its end almost none"
    last_day = (shop.first + timedelta(days=shop.days - 2)).isoformat()
    assert any(f"training on 45 series, 169 days up to {last_day}" in line for line in desk.lines)
    assert any("is champion" in line for line in desk.lines)
    [card] = cards(home.home / "models")
    assert (card.taken, card.last_day) == (True, last_day)
    assert not list((home.home / "models").glob("panel-*"))
    assert (home.home / "models").stat().st_mode & 0o077 == 0, "pickles are nobody else's to write"
    again = len(desk.lines)
    for _ in range(3):
        time.sleep(ATTEND_SECONDS)
        desk.turn()
    assert len(desk.lines) == again, "one training a day"


def test_a_restart_finds_the_champion_and_goes_on_without_training_the_same_day_again(
    home: Settings, shop, models: Path
):
    desk = Desk(home, shop.forecaster())
    desk.turn()
    time.sleep(ATTEND_SECONDS)
    desk.turn()
    assert desk.models == {MODEL}
    assert desk.lines == [f"forecasting with model {next(cards(models)).name}"]
    assert training_pid(models) == 0


def test_a_training_that_is_killed_is_told_and_the_champion_goes_on(home: Settings, shop, models: Path):
    forecaster = shop.forecaster()
    for series in range(len(shop.skus)):
        forecaster.take(shop.demand(series, shop.days, 2))  # a day closes
    desk = Desk(home, forecaster)
    killed: list[int] = []

    def kill() -> None:
        pid = training_pid(models)
        if pid and not killed:
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    (models / "training.lock").unlink(missing_ok=True)
    desk.until("training failed with exit code -9", also=kill)
    assert desk.models == {MODEL}
    assert len(list(cards(models))) == 1
    assert not list(models.glob("panel-*"))
    for series in range(len(shop.skus)):
        forecaster.take(shop.demand(series, shop.days + 1, 2))
    desk.turn()
    assert forecaster.scored_day == forecaster.closed_day, "the next day is scored"
    desk.until("training on 45 series, 171 days")  # and trained on again
    desk.learning.close()
    assert not list(models.glob("panel-*"))


def test_a_training_that_takes_too_long_is_stopped_and_the_simple_method_goes_on(home: Settings, shop):
    desk = Desk(home, shop.forecaster(), seconds_max=0.2)
    desk.until("training was stopped after 0 s")
    assert desk.models == {SIMPLE}
    assert list(cards(home.home / "models")) == []


def test_a_training_that_cannot_read_its_panel_says_so_and_ends(home: Settings, tmp_path: Path):
    (tmp_path / "panel.npz").write_bytes(b"no panel")
    (tmp_path / "models").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "forecasting.training", tmp_path / "panel.npz", tmp_path / "models"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout.startswith("the panel cannot be read")


def test_too_few_series_or_days_train_nothing_and_say_nothing(home: Settings, shop):
    desk = Desk(home, shop.forecaster(80))
    for _ in range(3):
        desk.turn()
        time.sleep(ATTEND_SECONDS)
    assert desk.models == {SIMPLE}
    assert desk.lines == []


def test_never_to_train_still_uses_the_model_that_is_there(home: Settings, shop, models: Path):
    desk = Desk(home, shop.forecaster(171 - 1), seconds_max=0)
    for series in range(len(shop.skus)):
        desk.forecaster.take(shop.demand(series, shop.days, 2))
    desk.turn()
    time.sleep(ATTEND_SECONDS)
    desk.turn()
    assert desk.models == {MODEL}
    assert not any("training" in line for line in desk.lines)


def test_a_model_of_days_to_come_is_not_used_for_days_that_are_replayed(home: Settings, shop, models: Path):
    desk = Desk(home, shop.forecaster(130), seconds_max=0)
    desk.turn()
    assert desk.models == {SIMPLE}
    assert desk.forecaster.closed_day == (shop.first + timedelta(days=128)).toordinal()
    assert date.fromordinal(desk.forecaster.closed_day).isoformat() < next(cards(models)).last_day


def test_a_home_that_takes_no_models_is_told_and_the_simple_method_goes_on(home: Settings, shop):
    (home.home / "models").write_text("a file where the folder should be")
    desk = Desk(home, shop.forecaster())
    for _ in range(3):
        desk.turn()
        time.sleep(ATTEND_SECONDS)
    assert desk.models == {SIMPLE}
    assert len(desk.lines) == 1
    assert desk.lines[0].startswith("no models: ")


def test_demand_of_many_years_ago_beside_the_open_day_trains_nothing_and_stops_nothing(home: Settings, shop):
    desk = Desk(home, Forecaster(Terms()))
    for series in range(len(shop.skus)):
        desk.forecaster.take(shop.demand(series, 0, 3))
        desk.forecaster.take(shop.demand(series, 2_000, 3))
    for _ in range(3):
        desk.turn()
        time.sleep(ATTEND_SECONDS)
    assert desk.models == {SIMPLE}
    assert desk.lines == []


def test_without_scikit_learn_the_simple_method_forecasts_and_it_is_said_once(tmp_path: Path):
    """In a process of its own, in which the package cannot be found."""
    program = f"""
import sys
sys.modules["sklearn"] = None
from pathlib import Path
from datetime import date, timedelta
from forecasting.learning import Learning
from forecasting.policy import Terms
from forecasting.policy import Terms
from forecasting.runs import Forecaster
from streams.settings import Settings
from tables.records import Demand
forecaster, lines = Forecaster(Terms()), []
for n in range(40):
    for ahead in range(120):
        day = (date(2026, 1, 5) + timedelta(days=ahead)).isoformat()
        forecaster.take(Demand(id="x", sku=f"S{{n}}", location="MAIN", day=day, ordered=n % 5, orders=1, refused=0,
                               stockout_hours=[], version=(1, 1, 0)))
settings = Settings(home=Path({str(tmp_path)!r}), bootstrap="127.0.0.1:1", api="127.0.0.1:2", demo=False)
learning = Learning(settings, say=lines.append)
for _ in range(3):
    learning.attend(forecaster, lambda: None)
    models = {{one.model for _, one in forecaster.score(lambda: None)}} or models
print(models, lines)
assert "numpy" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("not installed: sklearn") == 1
    assert done.stdout.startswith("{'seasonal-mean-nb-1'}")
    assert not (tmp_path / "models").exists()
