from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.paper_claims import (
    PUBLISHED,
    claim_scores,
    figures_by_asset,
    level_and_return_accuracy,
    level_forecasts,
    r2_of,
    ratios,
    summarised,
)


def walks(seed: int, *, n_assets: int = 20, history: int = 2500, days: int = 450):
    """Random walks of daily volatility 4.5 % from one price: returns and last prices of a test."""
    generator = np.random.default_rng(seed)
    steps = generator.normal(0.0, 0.045, (history + days, n_assets))
    log_price = np.log(100.0) + np.cumsum(steps, axis=0)
    return steps[-days:], np.exp(log_price[-days - 1 : -1])


def test_the_last_price_explains_nearly_everything_on_random_walks() -> None:
    found = []
    for seed in range(40):
        returns, last = walks(seed)
        nothing = np.zeros_like(returns)
        found.append(level_and_return_accuracy(nothing, returns, last)["r2_levels"])
    # Known from simulation elsewhere: a median of 0.998 for 20 coins and a 450-day test.
    assert np.median(found) == pytest.approx(0.998, abs=0.001)
    assert min(found) > PUBLISHED["r2"].value


def test_levels_and_returns_against_scikit_learn() -> None:
    returns, last = walks(1, n_assets=3, days=60)
    mean = returns * 0.2 + np.random.default_rng(2).normal(0, 0.01, returns.shape)
    found = level_and_return_accuracy(mean, returns, last)
    price, truth = (last * np.exp(mean)).ravel(), (last * np.exp(returns)).ravel()
    assert found["mae_levels"] == pytest.approx(mean_absolute_error(truth, price))
    assert found["r2_levels"] == pytest.approx(r2_score(truth, price))
    assert found["mae_returns"] == pytest.approx(mean_absolute_error(returns.ravel(), mean.ravel()))
    assert found["r2_returns"] == pytest.approx(r2_score(returns.ravel(), mean.ravel()))
    assert found["r2_zero_returns"] == pytest.approx(
        1 - ((mean - returns) ** 2).sum() / (returns**2).sum()
    )
    assert found["n"] == returns.size


@given(st.floats(0.1, 1e5), st.floats(-1, 1))
def test_a_level_forecast_moves_the_last_price_by_the_log_return(price: float, mean: float):
    moved = level_forecasts(np.array(price), np.array(mean))
    assert np.log(moved / price) == pytest.approx(mean, abs=1e-9)


def test_blanks_are_not_scored_and_undefined_figures_are_none() -> None:
    mean = np.array([[0.0, np.nan], [0.0, 0.0]])
    target = np.array([[0.1, 0.1], [np.nan, 0.2]])
    last = np.ones((2, 2))
    found = level_and_return_accuracy(mean, target, last)
    assert found["n"] == 2
    assert found["mae_returns"] == pytest.approx(0.15)
    empty = level_and_return_accuracy(mean, np.full((2, 2), np.nan), last)
    assert empty["mae_levels"] is None
    assert empty["r2_levels"] is None
    assert r2_of(np.ones(3), np.ones(3)) is None
    with pytest.raises(DataError, match="one shape"):
        level_and_return_accuracy(mean, target, last[:1])


@pytest.fixture(scope="module")
def scores():
    returns, last = walks(3, n_assets=2, days=40)
    generator = np.random.default_rng(4)
    noisy = [generator.normal(0, 0.05, returns.shape) for _ in range(2)]
    calm = [mean / 10 for mean in noisy]
    noisy[0][5, 1] = np.nan
    regimes = np.array(["trend"] * 30 + ["range"] * 10)
    return claim_scores(
        {"regime_nas": calm, "gru": noisy}, returns, last, assets=["A", "B"], regimes=regimes
    )


def test_everybody_is_scored_on_the_same_values(scores) -> None:
    per_group = scores.groupby(["scope", "group"])["n"].agg(["min", "max"])
    assert (per_group["min"] == per_group["max"]).all()
    # One value of asset B is missing for one seed of one forecaster, and so for all.
    assert per_group.loc[("pooled", "all"), "min"] == 79
    assert per_group.loc[("asset", "B"), "min"] == 39
    assert per_group.loc[("regime", "trend"), "min"] == 59
    assert set(scores.loc[scores["forecaster"] == "no_change", "seed"]) == {-1}


def test_ratios_pair_seeds_and_share_the_one_no_change(scores) -> None:
    table = scores.set_index(["scope", "group", "forecaster", "seed"])["mae_levels"]
    both = ratios(scores, "mae_levels", "gru", of="regime_nas").set_index(
        ["scope", "group", "seed"]
    )["ratio"]
    assert both["asset", "A", 1] == pytest.approx(
        table["asset", "A", "regime_nas", 1] / table["asset", "A", "gru", 1]
    )
    still = ratios(scores, "mae_levels", "no_change", of="gru")
    assert len(still) == 2 * scores.groupby(["scope", "group"]).ngroups
    turned = ratios(scores, "mae_levels", "gru", of="no_change")
    pooled = still.query("scope == 'pooled'")["ratio"], turned.query("scope == 'pooled'")["ratio"]
    assert sorted(1 / pooled[0]) == pytest.approx(sorted(pooled[1]))


def test_figures_by_asset_are_medians_over_seeds(scores) -> None:
    figures = figures_by_asset(scores, subject="regime_nas", baseline="gru").set_index(
        ["group", "figure", "forecaster"]
    )["value"]
    own = scores.query("group == 'A' and forecaster == 'gru'")["r2_levels"]
    assert figures["A", "unexplained", "gru"] == pytest.approx(1 - own.median())
    assert figures["A", "over_baseline", "regime_nas"] < 1.0
    assert ("trend", "unexplained", "gru") not in figures.index


def test_nothing_in_common_is_refused() -> None:
    blank, zero = np.full((2, 1), np.nan), np.zeros((2, 1))
    regimes = np.array(["trend", "trend"])
    with pytest.raises(DataError, match="no date and asset"):
        claim_scores({"gru": [blank]}, zero, zero + 1, assets=["A"], regimes=regimes)
    with pytest.raises(DataError, match="must fit"):
        claim_scores({"gru": [zero]}, zero, zero + 1, assets=["A"], regimes=regimes[:1])


def test_published_figures_have_a_source_and_agree_with_each_other() -> None:
    assert all("2508.11338" in figure.source for figure in PUBLISHED.values())
    assert PUBLISHED["mae_ratio"].value == pytest.approx(1 - 0.803)
    assert 1 / PUBLISHED["mae_ratio"].value == pytest.approx(5.08, abs=0.005)


def test_summaries_leave_blanks_out() -> None:
    assert summarised([3.0, float("nan"), 1.0, 2.0]) == {
        "median": 2.0,
        "low": 1.0,
        "high": 3.0,
        "seeds": [3.0, 1.0, 2.0],
    }
    assert summarised([])["median"] is None
