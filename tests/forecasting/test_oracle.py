"""SES and TSB equal the public library's, where it is installed."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from forecasting.simple import ses, tsb

DEMAND = np.random.default_rng(3).poisson(0.7, (6, 90)).astype(np.float64)


@pytest.fixture
def models() -> ModuleType:
    return pytest.importorskip("statsforecast.models", reason="no statsforecast (extra bench-forecast)")


@pytest.mark.parametrize("weight", [0.05, 0.1, 0.4])
def test_ses_equals_statsforecast(models: ModuleType, weight: float):
    said = [models.SimpleExponentialSmoothing(alpha=weight).forecast(row, h=1)["mean"][0] for row in DEMAND]
    assert ses(DEMAND, weight) == pytest.approx(said, rel=1e-6)


def test_tsb_equals_statsforecast(models: ModuleType):
    said = [models.TSB(alpha_d=0.2, alpha_p=0.1).forecast(row, h=1)["mean"][0] for row in DEMAND]
    assert tsb(DEMAND, 0.2, 0.1) == pytest.approx(said, rel=1e-6)
