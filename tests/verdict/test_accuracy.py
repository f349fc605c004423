import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.accuracy import accuracy_table, forecast_accuracy


def _forecasts(seed: int = 0, dates: int = 30, assets: int = 6):
    rng = np.random.default_rng(seed)
    target = rng.normal(0.005, 0.05, (dates, assets))
    mean = 0.3 * target + rng.normal(0, 0.02, target.shape)
    return mean, target


def test_by_hand():
    mean = np.array([[0.01, 0.02, 0.03], [0.00, 0.01, np.nan]])
    target = np.array([[0.02, 0.00, 0.05], [-0.01, np.nan, 0.04]])
    figures = forecast_accuracy(mean, target, np.full((2, 3), 0.01))
    # Four compared: errors -.01, .02, -.02, .01.
    assert figures["n"] == 4
    assert figures["n_unforecast"] == 1
    assert figures["mae"] == pytest.approx(0.015)
    assert figures["rmse"] == pytest.approx(0.00025**0.5)
    # Squares around .01: .0001 + .0001 + .0016 + .0004; around 0: .0004 + 0 + .0025 + .0001.
    assert figures["r2"] == pytest.approx(1 - 0.0010 / 0.0022)
    assert figures["r2_zero"] == pytest.approx(1 - 0.0010 / 0.0030)
    assert figures["theil_u"] == pytest.approx((0.0010 / 0.0030) ** 0.5)
    # Only the first date has three assets: ranks 1 2 3 against 2 1 3.
    assert figures["rank_ic"] == pytest.approx(0.5)
    assert figures["n_rank_dates"] == 1
    assert figures["spread_ratio"] == pytest.approx(0.01 / np.std([0.02, 0.0, 0.05], ddof=1))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_agrees_with_other_libraries_on_complete_data(seed):
    mean, target = _forecasts(seed)
    figures = forecast_accuracy(mean, target, target.mean())
    assert figures["mae"] == pytest.approx(mean_absolute_error(target.ravel(), mean.ravel()))
    squared = mean_squared_error(target.ravel(), mean.ravel())
    assert figures["rmse"] == pytest.approx(squared**0.5)
    assert figures["r2"] == pytest.approx(r2_score(target.ravel(), mean.ravel()))
    assert figures["theil_u"] == pytest.approx((1 - figures["r2_zero"]) ** 0.5)
    ranks = [spearmanr(m, t).statistic for m, t in zip(mean, target, strict=True)]
    assert figures["rank_ic"] == pytest.approx(np.mean(ranks))
    spreads = mean.std(axis=1, ddof=1).mean() / target.std(axis=1, ddof=1).mean()
    assert figures["spread_ratio"] == pytest.approx(spreads)


def test_perfect_forecasts_and_the_training_mean_itself():
    _, target = _forecasts()
    perfect = forecast_accuracy(target, target, 0.0)
    assert perfect["rmse"] == 0.0
    assert perfect["r2"] == perfect["r2_zero"] == perfect["spread_ratio"] == 1.0
    assert perfect["rank_ic"] == pytest.approx(1.0)
    flat = np.full_like(target, 0.005)
    unskilled = forecast_accuracy(flat, target, flat)
    assert unskilled["r2"] == 0.0
    assert unskilled["rank_ic"] is None
    assert unskilled["n_rank_dates"] == 0
    assert unskilled["spread_ratio"] == pytest.approx(0.0, abs=1e-12)


def test_ties_share_their_rank():
    mean = np.array([[0.1, 0.1, 0.2, 0.3]])
    target = np.array([[0.1, 0.2, 0.4, 0.3]])
    found = forecast_accuracy(mean, target, 0.0)["rank_ic"]
    assert found == pytest.approx(spearmanr(mean[0], target[0]).statistic)


def test_two_assets_are_too_few_to_rank_but_have_a_spread():
    mean, target = np.array([[0.1, 0.2], [0.1, np.nan]]), np.array([[0.1, 0.4], [0.2, 0.3]])
    figures = forecast_accuracy(mean, target, 0.0)
    assert figures["rank_ic"] is None
    assert figures["spread_ratio"] == pytest.approx(1 / 3)


def test_targets_that_are_not_known_yet_change_nothing():
    mean, target = _forecasts()
    longer_mean = np.vstack([mean, np.full((3, 6), 0.5)])
    longer_target = np.vstack([target, np.full((3, 6), np.nan)])
    assert forecast_accuracy(mean, target, 0.0) == forecast_accuracy(
        longer_mean, longer_target, 0.0
    )


def test_nothing_to_compare_gives_no_figures():
    blank = np.full((2, 3), np.nan)
    figures = forecast_accuracy(blank, blank, 0.0)
    assert figures["n"] == 0
    assert {v for k, v in figures.items() if not k.startswith("n")} == {None}


def test_faults_are_errors():
    mean, target = _forecasts()
    with pytest.raises(DataError, match="dates x assets"):
        forecast_accuracy(mean[:, :3], target, 0.0)
    reference = np.zeros_like(target)
    reference[4, 2] = np.nan
    with pytest.raises(DataError, match="row 4, asset 2"):
        forecast_accuracy(mean, target, reference)
    mean[4, 2] = np.nan
    assert forecast_accuracy(mean, target, reference)["n"] == target.size - 1


def test_the_table_adds_the_forecast_of_no_change():
    mean, target = _forecasts()
    table = accuracy_table({"gru": mean}, target, {"gru": np.full((30, 1), 0.004)})
    assert list(table["forecaster"]) == ["gru", "no_change"]
    assert list(table["group"]) == ["all", "all"]
    nothing = table.iloc[1]
    assert nothing["mae"] == pytest.approx(np.abs(target).mean())
    assert nothing["rmse"] == pytest.approx((target**2).mean() ** 0.5)
    assert nothing["theil_u"] == 1.0
    assert nothing["r2_zero"] == 0.0
    gru = forecast_accuracy(mean, target, np.full((30, 6), 0.004))
    assert table.iloc[0]["r2"] == gru["r2"]


def test_groups_are_described_apart():
    mean, target = _forecasts()
    groups = np.array(["calm"] * 10 + ["storm"] * 20)
    table = accuracy_table({"gru": mean}, target, {"gru": np.zeros((30, 6))}, groups)
    storm = table[(table["group"] == "storm") & (table["forecaster"] == "gru")].iloc[0]
    assert storm["rmse"] == forecast_accuracy(mean[10:], target[10:], 0.0)["rmse"]
    assert list(table["group"]) == ["calm", "calm", "storm", "storm"]
    with pytest.raises(DataError, match="30 decision dates"):
        accuracy_table({"gru": mean}, target, {"gru": np.zeros(1)}, groups[:5])
