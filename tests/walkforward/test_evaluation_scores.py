from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from forecast_tables import forecast_table

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.walkforward.evaluation import (
    decision_dates,
    score_forecasts,
    training_figures,
)
from regime_nas_pipeline.walkforward.folds import Fold


def test_a_perfect_forecast_scores_perfectly_and_no_change_scores_nothing(
    market: Market, folds: list[Fold]
):
    dates = decision_dates(folds)
    target = market.target(5, 1)[market.dates.get_indexer(dates)]
    perfect = forecast_table(target, market, dates)
    wrong = perfect.assign(mean=-perfect["mean"], seed_spread=0.001)
    scores = score_forecasts(
        market, folds, {"perfect": perfect, "wrong": wrong}, horizon=5, execution_lag=1
    )
    best = scores.figures["perfect"]
    for name, value in {"mae": 0, "rmse": 0, "r2": 1, "r2_zero": 1, "theil_u": 0}.items():
        assert best[name] == pytest.approx(value, abs=1e-12), name
    assert best["rank_ic"] == pytest.approx(1)
    assert best["spread_ratio"] == pytest.approx(1)
    assert best["n"] == np.isfinite(target).sum()
    assert best["n_unforecast"] == 0
    assert scores.figures["wrong"]["theil_u"] == pytest.approx(2)
    nothing = scores.figures["no_change"]
    known = target[np.isfinite(target)]
    assert nothing["theil_u"] == pytest.approx(1)
    assert nothing["r2_zero"] == pytest.approx(0, abs=1e-12)
    assert nothing["rank_ic"] is None
    assert nothing["rmse"] == pytest.approx(np.sqrt((known**2).mean()))
    assert nothing["n"] == best["n"]
    slopes = scores.reliability.groupby("forecaster")["slope"].first()
    assert slopes["perfect"] == pytest.approx(1)
    assert slopes["wrong"] == pytest.approx(-1)
    spread = scores.spread.query("forecaster == 'perfect'")
    np.testing.assert_allclose(spread["predicted_spread"], spread["realised_spread"])
    assert (scores.coverage.query("forecaster == 'perfect'")["coverage"] == 1).all()
    # Only those that have a spread over seeds.
    assert set(scores.seed_spread["forecaster"]) == {"wrong"}
    np.testing.assert_allclose(scores.seed_spread["seed_spread"], 0.001)


def test_r2_is_against_the_mean_of_each_folds_training_targets(market: Market, folds: list[Fold]):
    dates = decision_dates(folds)
    rows = market.dates.get_indexer(dates)
    target = market.target(5, 1)[rows]
    mean = np.where(np.isfinite(target), 0.3 * np.nan_to_num(target), np.nan)
    found = score_forecasts(
        market, folds, {"some": forecast_table(mean, market, dates)}, horizon=5, execution_lag=1
    ).figures["some"]
    log_close, errors, reference = np.log(market.close), [], []
    for fold in folds:
        end = market.position(fold.train_end)
        known = np.array([log_close[s + 6] - log_close[s + 1] for s in range(end - 5)])
        for date in fold.decisions:
            row = market.position(date)
            for asset in range(6):
                if row + 6 >= len(log_close) or not np.isfinite(
                    target[list(dates).index(date), asset]
                ):
                    continue
                realised = log_close[row + 6, asset] - log_close[row + 1, asset]
                sample = known[np.isfinite(known[:, asset]), asset]
                errors.append(0.7 * realised)
                reference.append(realised - (sample.mean() if len(sample) else 0.0))
    expected = 1 - np.square(errors).sum() / np.square(reference).sum()
    assert found["r2"] == pytest.approx(expected, rel=1e-9)
    assert found["n"] == len(errors)


def test_decisions_whose_target_is_not_known_yet_are_traded_but_not_scored(
    market: Market, folds: list[Fold], forecasts: dict[str, pd.DataFrame]
):
    scores = score_forecasts(market, folds, forecasts, horizon=40, execution_lag=1)
    dates = decision_dates(folds)
    known = dates[market.dates.get_indexer(dates) + 41 < len(market.dates)]
    assert 0 < len(known) < len(dates)
    assert set(scores.spread["date"]) == set(known)


def test_forecasts_that_went_through_a_file_score_the_same(
    tmp_path: Path, market: Market, folds: list[Fold], forecasts: dict[str, pd.DataFrame]
):
    for name, table in forecasts.items():
        table.to_parquet(tmp_path / f"{name}.parquet", index=False)
    read = {name: pd.read_parquet(tmp_path / f"{name}.parquet") for name in forecasts}
    one, two = (
        score_forecasts(market, folds, tables, horizon=5, execution_lag=1).figures
        for tables in (forecasts, read)
    )
    assert one == two


def test_training_figures_add_up_the_log():
    log = [
        {"epochs": 2.0, "seconds": 1.5, "gradient_samples": 10, "parameters": 7, "fold": 0},
        {"epochs": 5.0, "seconds": 0.5, "gradient_samples": 20, "parameters": 9, "fold": 1},
    ]
    assert training_figures(log) == {
        "epochs": 3.5,
        "seconds": 2.0,
        "gradient_samples": 30,
        "parameters": 9,
    }
