"""What public libraries say of the same past: statsforecast's models and mlforecast with LightGBM.

Reads a panel; writes nothing. Each gives its mean and its own intervals; the caller scores them again with our
negative-binomial spread round the same mean. Needs the extra `bench-forecast`; without it `missing()` says so.
Does not belong here: our own model.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from forecasting.panel import Floats, Panel
from forecasting.simple import recent_mean

PACKAGES = ("pandas", "statsforecast", "mlforecast", "lightgbm")
LEVELS = (80, 90, 98)  # two-sided; their upper ends are the .9, .95 and .99 quantiles
CONFORMAL_WINDOWS = 2
HISTORY_MIN_DAYS = 28 * (CONFORMAL_WINDOWS + 1) + 1
LIGHTGBM = "LightGBM (mlforecast)"
BASELINES = ("AutoETS", "SES", "TSB", "ADIDA", "CrostonSBA", "WindowAverage", LIGHTGBM)


def missing() -> list[str]:
    """Packages of the extra that are not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


def baseline(name: str, panel: Panel, days: int, season_days: int) -> tuple[Floats, Floats]:
    """What one of `BASELINES` says: mean (series, days) and quantiles (series, days, 4)."""
    return _lightgbm(panel, days) if name == LIGHTGBM else _statistical(name, panel, days, season_days)


def _statistical(name: str, panel: Panel, days: int, season_days: int) -> tuple[Floats, Floats]:
    """Models without intervals of their own get the library's conformal ones where the history is long enough."""
    frame, long_enough = _frame(panel)
    own = name == "AutoETS"
    parts = [(frame, True)] if own else [(frame[long_enough], True), (frame[~long_enough], False)]
    mean, bounds = np.zeros((len(panel.ids), days)), np.zeros((len(panel.ids), days, 4))
    for part, with_bounds in parts:
        if not len(part):
            continue
        from statsforecast import StatsForecast

        model = _model(name, days, season_days, conformal=with_bounds and not own)
        runner = StatsForecast(models=[model], freq="D", n_jobs=1)
        said = runner.forecast(df=part, h=days, level=list(LEVELS) if with_bounds else None)
        column = next(c for c in said.columns if c not in {"unique_id", "ds"})
        rows = said["unique_id"].to_numpy().reshape(-1, days)[:, 0]
        mean[rows] = said[column].to_numpy().reshape(-1, days)
        for n, level in enumerate(LEVELS, start=1):
            if with_bounds:
                bounds[rows, :, n] = said[f"{column}-hi-{level}"].to_numpy().reshape(-1, days)
            else:
                bounds[rows, :, n] = mean[rows]
        bounds[rows, :, 0] = mean[rows]
    mean = np.maximum(np.nan_to_num(mean), 0)
    return mean, np.maximum(np.nan_to_num(bounds), 0)


def _model(name: str, days: int, season_days: int, *, conformal: bool) -> Any:
    from statsforecast import models
    from statsforecast.utils import ConformalIntervals

    intervals = ConformalIntervals(n_windows=CONFORMAL_WINDOWS, h=days) if conformal else None
    if name == "AutoETS":
        return models.AutoETS(season_length=season_days)
    if name == "SES":
        return models.SimpleExponentialSmoothingOptimized(prediction_intervals=intervals)
    if name == "TSB":
        return models.TSB(alpha_d=0.1, alpha_p=0.1, prediction_intervals=intervals)
    if name == "WindowAverage":
        return models.WindowAverage(window_size=28, prediction_intervals=intervals)
    return getattr(models, name)(prediction_intervals=intervals)


def _lightgbm(panel: Panel, days: int) -> tuple[Floats, Floats]:
    """The usual recipe: lags, rolling means, calendar, columns known ahead, recursive; conformal intervals."""
    import lightgbm
    import pandas as pd
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import ExponentiallyWeightedMean, RollingMean
    from mlforecast.utils import PredictionIntervals

    frame, long_enough = _frame(panel, with_known=True)
    part = frame[long_enough]
    mean = np.repeat(recent_mean(panel.units)[:, None], days, axis=1)
    bounds = np.repeat(mean[..., None], 4, axis=2)
    if not len(part):
        return mean, bounds
    model = lightgbm.LGBMRegressor(
        objective="poisson", n_estimators=300, learning_rate=0.05, num_leaves=31, n_jobs=1, verbosity=-1,
    )  # fmt: skip
    runner = MLForecast(
        models={"lgb": model}, freq="D", lags=[1, 7, 14, 28],
        lag_transforms={1: [RollingMean(7), RollingMean(28), RollingMean(56), ExponentiallyWeightedMean(0.1)],
                        7: [RollingMean(28)]},
        date_features=["dayofweek", "day"], num_threads=1,
    )  # fmt: skip
    windows = PredictionIntervals(n_windows=CONFORMAL_WINDOWS, h=days)
    runner.fit(part, static_features=[], prediction_intervals=windows)
    ahead = None
    if panel.known_ahead:
        rows = np.unique(part["unique_id"].to_numpy())
        when = pd.date_range(str(panel.first_day + panel.days), periods=days)
        ahead = pd.DataFrame({"unique_id": np.repeat(rows, days), "ds": np.tile(when, len(rows))})
        for name, values in panel.known_ahead.items():
            ahead[name] = np.nan_to_num(values[rows, panel.days : panel.days + days]).ravel()
    said = runner.predict(days, level=list(LEVELS), X_df=ahead)
    rows = said["unique_id"].to_numpy().reshape(-1, days)[:, 0]
    mean[rows] = said["lgb"].to_numpy().reshape(-1, days)
    bounds[rows, :, 0] = mean[rows]
    for n, level in enumerate(LEVELS, start=1):
        bounds[rows, :, n] = said[f"lgb-hi-{level}"].to_numpy().reshape(-1, days)
    return np.maximum(mean, 0), np.maximum(bounds, 0)


def _frame(panel: Panel, *, with_known: bool = False) -> tuple[Any, Any]:
    """The panel in the libraries' long form (unknown days as 0: they take no gaps), and which rows are long enough."""
    import pandas as pd

    starts = panel.starts
    series, day = np.nonzero(np.arange(panel.days)[None, :] >= starts[:, None])
    frame = pd.DataFrame({
        "unique_id": series,
        "ds": (panel.first_day + day).astype("datetime64[ns]"),
        "y": np.nan_to_num(panel.units[series, day]).astype(np.float64),
    })  # fmt: skip
    if with_known:
        for name, values in panel.known_ahead.items():
            frame[name] = np.nan_to_num(values[series, day])
    return frame, (panel.days - starts)[series] >= HISTORY_MIN_DAYS
