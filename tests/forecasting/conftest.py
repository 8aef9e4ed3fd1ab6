"""A shop whose demand has a weekly shape and promotions: enough to learn from, small enough to train on in seconds."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from forecasting.policy import Terms
from forecasting.runs import Forecaster
from streams.settings import Settings
from tables.records import Demand

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before scikit-learn loads: its threads wait for each other on busy cores
LOCATION = "MAIN"


class Shop:
    """45 SKUs over 170 days from a Monday on; day 169 is the open one. A promotion of a week triples demand."""

    first = date(2026, 1, 5)
    days, depth = 170, 0.3
    skus = [f"S{n:02d}" for n in range(45)]  # noqa: RUF012

    @staticmethod
    def promoted(series: int, day: int) -> bool:
        return (day // 7 + series) % 5 == 0

    def units(self) -> Any:
        """(series, days)"""
        import numpy as np

        chance = np.random.default_rng(11)
        day = np.arange(self.days + 5)
        promo = (day // 7 + np.arange(len(self.skus))[:, None]) % 5 == 0
        mean = np.geomspace(0.3, 20, len(self.skus))[:, None] * np.where(day % 7 >= 5, 2.0, 0.6)
        return chance.poisson(mean * np.where(promo, 3.0, 1.0))

    def demand(self, series: int, ahead: int, ordered: int, *, offset: int = 1) -> Demand:
        day = (self.first + timedelta(days=ahead)).isoformat()
        sku = self.skus[series]
        return Demand(
            id=f"{sku}|{LOCATION}|{day}|{offset}", sku=sku, location=LOCATION, day=day, ordered=ordered, orders=1,
            refused=0, stockout_hours=[], version=(1, offset, 0),
        )  # fmt: skip

    def sold(self, days: int | None = None, *, first: int = 0, factor: int = 1) -> Iterator[Demand]:
        """Every series' days `first` to `days`; the last of them is the open day."""
        until = self.days if days is None else days
        for series, row in enumerate(self.units()):
            for ahead in range(first, until):
                yield self.demand(series, ahead, int(row[ahead]) * factor)

    def forecaster(self, days: int | None = None, *, factor: int = 1, promotions: bool = True) -> Forecaster:
        made = Forecaster(Terms())
        for record in self.sold(days, factor=factor):
            made.take(record)
        if promotions:
            self.plan(made)
        return made

    def plan(self, forecaster: Forecaster) -> None:
        for series, sku in enumerate(self.skus):
            for start in range(0, self.days + 35, 7):
                if self.promoted(series, start):
                    first = self.first + timedelta(days=start)
                    forecaster.take_promotion(sku, "", first, first + timedelta(days=6), self.depth)

    def panel(self, forecaster: Forecaster) -> Any:
        from forecasting.live_panel import panel_of

        rows = forecaster.closed_days(forecaster.closed_keys())
        assert forecaster.first_day is not None
        return panel_of(rows, forecaster.promotions, first_day=forecaster.first_day, with_promotions=True)


@pytest.fixture(scope="session")
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="session")
def trained_once(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with one champion, trained on all closed days of the shop: do not change it."""
    if importlib.util.find_spec("sklearn") is None:
        pytest.skip("no scikit-learn (extra forecast)")
    from forecasting.training import train_and_judge

    folder = tmp_path_factory.mktemp("models")
    card = train_and_judge(shop.panel(shop.forecaster()), folder, owned=len(shop.skus))
    assert card.taken, card.verdict
    return folder


@pytest.fixture
def models(trained_once: Path, tmp_path: Path) -> Path:
    """The same, for a test of its own: `home / models` of `home`."""
    return Path(shutil.copytree(trained_once, tmp_path / "models"))


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Settings of a forecaster turned by hand: there is no broker."""
    return Settings(home=tmp_path, bootstrap="127.0.0.1:1", api="127.0.0.1:2", demo=False)
