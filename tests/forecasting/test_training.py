"""A newly trained model replaces the champion only if it wins, and is used only while it is what its card says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

pytest.importorskip("sklearn.ensemble", reason="no scikit-learn (extra forecast)")

from forecasting.boosted import ROWS_MAX, training_rows
from forecasting.features import summed
from forecasting.judging import judge, origins_of
from forecasting.live_panel import CELLS_MAX, SERIES_MAX, read_written, sample_of, write_panel
from forecasting.model_files import Card, cards, champion_in, keep, next_name
from forecasting.panel import Panel
from forecasting.training import Busy, alone_in, train_and_judge

pytestmark = pytest.mark.timeout(400)  # a training takes 5 s of CPU; on a busy machine that is long
LAST = date(2026, 1, 5) + timedelta(days=168)
FOREVER = date(2200, 1, 1).toordinal()


def quiet(line: str) -> None:
    """Progress is not looked at here."""


def test_a_winner_is_kept_with_a_card_that_says_what_it_was_trained_on_and_how_it_did(models: Path, shop):
    [card] = cards(models)
    assert (card.name, card.first_day, card.last_day) == (f"{LAST}.001", "2026-01-05", LAST.isoformat())
    assert (card.series, sum(card.segments.values()), card.known_ahead) == (45, 45, ["promotion"])
    methods = card.backtest["methods"]
    assert methods["challenger"]["spl"] < methods["simple"]["spl"]
    assert set(card.backtest["segments"]) <= set(card.segments)
    assert all({"wape", "wape_28_day_mean"} <= set(found) for found in card.backtest["segments"].values())
    assert 0.85 <= card.backtest["totals"]["share_under_95"] <= 1
    assert {"python", "numpy", "scikit-learn"} <= set(card.versions)
    assert card.cpu_seconds > 0
    assert card.memory_mb > 10
    champion, notes = champion_in(models, FOREVER)
    assert champion is not None
    assert (champion.name, champion.last_day, notes) == (card.name, LAST.toordinal(), [])


def test_a_challenger_that_does_not_win_against_the_champion_is_not_taken(models: Path, shop):
    panel = shop.panel(shop.forecaster())
    card = train_and_judge(panel, models, owned=45)  # the same days and seed: it cannot be better
    assert not card.taken
    assert "does not win against the champion" in card.verdict
    assert card.name == f"{LAST}.002"
    assert not (models / f"{card.name}.model").exists()
    champion, _ = champion_in(models, FOREVER)
    assert champion is not None
    assert champion.name == f"{LAST}.001"


def test_a_challenger_that_loses_to_the_simple_method_is_not_taken(models: Path, shop):
    panel = shop.panel(shop.forecaster())
    champion, _ = champion_in(models, FOREVER)
    assert champion is not None
    cuts = origins_of(panel.days)
    twins = [twin for _, twin in sorted(champion.twins.items())]
    good = dict(zip(cuts, twins, strict=True))
    assert judge(panel, good, None, quiet).taken
    poor = {cut: replace(twin, lifts=(3.0,) * 6) for cut, twin in good.items()}  # says three times too much
    verdict = judge(panel, poor, None, quiet)
    assert not verdict.taken
    assert "does not win against the simple" in verdict.reason


def test_a_segment_in_which_it_is_worse_than_the_mean_is_left_to_the_simple_method(shop, models: Path):
    """Plain noise round a level: nothing beats its mean there, and what lifts it loses."""
    panel = shop.panel(shop.forecaster())
    champion, _ = champion_in(models, FOREVER)
    assert champion is not None
    chance = np.random.default_rng(5)
    noise = chance.poisson(4.0, (40, panel.days)).astype(np.float32)  # smooth, where the shop is erratic or slower
    both = Panel(
        [*panel.ids, *(f"Z{n:02d}" for n in range(40))], panel.first_day, np.concatenate([panel.units, noise]),
        {name: np.concatenate([values, values[:40] * 0]) for name, values in panel.known_ahead.items()},
    )  # fmt: skip
    good = dict(zip(origins_of(panel.days), [twin for _, twin in sorted(champion.twins.items())], strict=True))
    lifted = {cut: replace(twin, lifts=(1, 1, 1.5, 1, 1, 1)) for cut, twin in good.items()}
    verdict = judge(both, lifted, None, quiet)
    assert verdict.left == {"smooth"}
    found = verdict.report["segments"]["smooth"]
    assert found["wape"]["challenger"] == found["wape"]["simple"]
    assert found["wape"]["simple"] <= 1.02 * found["wape_28_day_mean"]
    assert verdict.taken, "with it, what it does better counts"
    assert "smooth series are left to the simple method" in verdict.reason


def test_a_champion_is_judged_by_what_had_not_seen_the_days(models: Path):
    champion, _ = champion_in(models, FOREVER)
    assert champion is not None
    first, second = sorted(champion.twins)
    assert champion.honest_on(first - 1) is None
    assert champion.honest_on(first) is champion.twins[first]
    assert champion.honest_on(champion.last_day - 1) is champion.twins[second]
    assert champion.honest_on(champion.last_day) is champion.trained


def test_a_damaged_model_is_passed_over_with_a_sentence_and_the_one_before_serves(models: Path):
    [first] = cards(models)
    champion, _ = champion_in(models, FOREVER)
    second = keep(models, msgspec.structs.replace(first, name=next_name(models, first.last_day)), champion)
    file = models / f"{second.name}.model"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    found, notes = champion_in(models, FOREVER)
    assert found is not None
    assert f"{second.name} is not used" in notes[0]
    assert "hash differs" in notes[0]
    (models / f"{first.name}.model").unlink()
    found, notes = champion_in(models, FOREVER)
    assert found is None
    assert len(notes) == 2


def test_what_is_no_model_or_comes_of_other_versions_is_never_unpickled(models: Path):
    [card] = cards(models)
    file = models / f"{card.name}.json"
    found = json.loads(file.read_text())
    found["versions"]["scikit-learn"] = "0.1"
    file.write_text(json.dumps(found))
    champion, notes = champion_in(models, FOREVER)
    assert champion is None
    assert "scikit-learn 0.1 (here" in notes[0]
    file.write_text("no card at all")
    assert champion_in(models, FOREVER) == (None, [])


def test_a_model_that_has_seen_days_to_come_is_none_of_ours(models: Path):
    assert champion_in(models, LAST.toordinal() - 1) == (None, [])
    assert champion_in(models, LAST.toordinal())[0] is not None


def test_only_the_newest_models_stay_on_disk(models: Path):
    [card] = cards(models)
    champion, _ = champion_in(models, FOREVER)
    for _ in range(5):
        card = keep(models, msgspec.structs.replace(card, name=next_name(models, card.last_day)), champion)
    assert len(list(models.glob("*.model"))) == 3
    assert (models / f"{card.name}.model").exists()
    assert not list(models.glob("*.part"))


def test_a_training_is_bounded_by_its_sample_however_many_series_there_are():
    keys = [(f"S{n}", "MAIN") for n in range(50_000)]
    assert len(sample_of(keys, 30)) <= SERIES_MAX
    chosen = sample_of(keys, 1_120)
    assert len(chosen) * 1_120 <= CELLS_MAX
    assert len(chosen) > CELLS_MAX / 1_120 / 2
    assert sample_of(keys[:100], 1_120) == keys[:100]
    units = np.ones((3_000, 60), dtype=np.float32)
    past = summed(Panel([str(n) for n in range(3_000)], np.datetime64("2026-01-01"), units))
    assert len(training_rows(past, np.random.default_rng(0), ROWS_MAX)[0]) <= ROWS_MAX


def test_too_little_to_judge_by_is_said_and_trains_no_champion(shop, tmp_path: Path):
    card = train_and_judge(shop.panel(shop.forecaster(60)), tmp_path, owned=45)
    assert not card.taken
    assert "too few" in card.verdict or "rows to train on" in card.verdict
    assert champion_in(tmp_path, FOREVER) == (None, [])


def test_two_trainings_in_one_folder_do_not_run_at_once(tmp_path: Path):
    with alone_in(tmp_path), pytest.raises(Busy), alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        pass


def test_a_panel_reaches_the_other_process_as_it_was(shop, tmp_path: Path):
    panel = shop.panel(shop.forecaster(130))
    write_panel(panel, tmp_path / "panel.npz")
    found = read_written(tmp_path / "panel.npz")
    assert (found.ids, found.first_day) == (panel.ids, panel.first_day)
    assert np.array_equal(found.units, panel.units, equal_nan=True)
    assert np.array_equal(found.known_ahead["promotion"], panel.known_ahead["promotion"])


def test_a_card_reads_as_json(models: Path):
    [file] = models.glob("*.json")
    assert msgspec.json.decode(file.read_bytes(), type=Card).taken
    assert json.loads(file.read_text())["verdict"].startswith("SPL ")
