from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from label_paths import THREE, TWO, chain, dates_of, path_of, returns_of
from scipy.signal import lfilter
from scipy.stats import norm

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.comparison.dependence import long_run_variance
from regime_nas_pipeline.verdict.labels.dependent_means import error_of_sum, influence_on_mean
from regime_nas_pipeline.verdict.labels.outcomes import next_outcomes
from regime_nas_pipeline.verdict.labels.separation import (
    CONTRAST_COLUMNS,
    MEAN_COLUMNS,
    outcome_by_regime,
    outcome_contrasts,
)

HORIZON = 21


def test_outcomes_are_of_the_bars_after_the_label_and_of_no_other() -> None:
    returns = returns_of(np.array([9.0, 0.1, -0.2, 0.3, 9.0]))
    table = next_outcomes(returns, returns.index[[0, 3]], horizon=3, bars_per_year=100)
    assert table.index.tolist() == [returns.index[0]]
    assert table["return"].iloc[0] == pytest.approx(0.2)
    assert table["volatility"].iloc[0] == pytest.approx(math.sqrt(0.14 / 3 * 100))


def test_a_label_that_only_knows_its_own_bar_separates_nothing() -> None:
    rng = np.random.default_rng(5)
    returns = returns_of(0.01 * rng.standard_normal(3000))
    said = (returns > 0.0).to_numpy().astype(int)
    outcomes = next_outcomes(returns, returns.index, horizon=HORIZON, bars_per_year=252)
    table = outcome_contrasts({"own": path_of(said)}, outcomes, horizon=HORIZON, level=0.05)
    assert (table["p_value"] > 0.01).all()


def test_outcomes_need_bars_and_returns() -> None:
    returns = returns_of(np.ones(5))
    with pytest.raises(DataError, match="no label has 9 bars"):
        next_outcomes(returns, returns.index, horizon=9, bars_per_year=252)
    with pytest.raises(DataError, match=r"2000-01-10.*no return"):
        next_outcomes(returns, dates_of(6), horizon=1, bars_per_year=252)
    with pytest.raises(ParameterError, match="horizon"):
        next_outcomes(returns, returns.index, horizon=0, bars_per_year=252)


def _independent(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes without any dependence, and labels that change half of them."""
    rng = np.random.default_rng(seed)
    states = rng.integers(0, 2, size=n)
    return 1.0 + 0.5 * states + rng.standard_normal(n), states


def test_with_independent_outcomes_the_errors_are_the_usual_ones() -> None:
    values, states = _independent(20_000, 2)
    high, low = states == 1, states == 0
    mean_error = values[high].std() / math.sqrt(high.sum())
    of_mean = error_of_sum(influence_on_mean(values, high), 10)
    assert of_mean == pytest.approx(mean_error, rel=0.1)
    welch = math.hypot(mean_error, values[low].std() / math.sqrt(low.sum()))
    of_gap = error_of_sum(influence_on_mean(values, high) - influence_on_mean(values, low), 10)
    assert of_gap == pytest.approx(welch, rel=0.1)


def test_the_mean_over_all_bars_has_the_error_of_a_mean() -> None:
    values = lfilter([1.0], [1.0, -0.6], np.random.default_rng(3).standard_normal(4000))
    found = error_of_sum(influence_on_mean(values, np.ones(4000, dtype=bool)), 1)
    assert found == pytest.approx(math.sqrt(long_run_variance(values) / 4000), rel=1e-9)


def test_a_constant_has_no_error() -> None:
    here = np.arange(100) % 2 == 0
    assert error_of_sum(influence_on_mean(np.full(100, 0.1), here), 2) == 0.0


def _table(values: np.ndarray, returns: np.ndarray | None = None) -> pd.DataFrame:
    second = values if returns is None else returns
    return pd.DataFrame({"volatility": values, "return": second}, index=dates_of(len(values)))


def test_means_and_contrasts_by_hand() -> None:
    values, states = _independent(3000, 4)
    path = {"mine": path_of(states)}
    means = outcome_by_regime(path, _table(values), horizon=1, level=0.1)
    assert tuple(means.columns) == MEAN_COLUMNS
    first = means.iloc[0]
    assert first["mean"] == pytest.approx(values[states == 0].mean())
    assert first["n_bars"] == (states == 0).sum()
    half = norm.isf(0.05) * first["standard_error"]
    assert (first["low"], first["high"]) == pytest.approx(
        (first["mean"] - half, first["mean"] + half)
    )
    contrasts = outcome_contrasts(path, _table(values), horizon=1, level=0.1)
    assert tuple(contrasts.columns) == CONTRAST_COLUMNS
    row = contrasts.iloc[0]
    gap = values[states == 1].mean() - values[states == 0].mean()
    assert (row["regime"], row["against"]) == ("stressed", "calm")
    assert row["difference"] == pytest.approx(gap)
    assert row["statistic"] == pytest.approx(gap / row["standard_error"])
    assert row["p_value"] == pytest.approx(2 * norm.sf(row["statistic"]))
    assert row["p_holm"] == pytest.approx(2 * row["p_value"])
    assert row["smallest_found"] == pytest.approx(
        (norm.isf(0.05) + norm.ppf(0.8)) * row["standard_error"]
    )
    ratio = values[states == 1].mean() / values[states == 0].mean()
    assert row["ratio"] == pytest.approx(ratio)
    assert row["ratio_low"] * row["ratio_high"] == pytest.approx(ratio**2)
    # Welch's variances of the two means, carried to the logarithm of their ratio.
    parts = [
        values[states == s].var() / (states == s).sum() / values[states == s].mean() ** 2
        for s in (0, 1)
    ]
    width = math.log(row["ratio_high"] / row["ratio_low"]) / (2 * norm.isf(0.05))
    assert width == pytest.approx(math.sqrt(sum(parts)), rel=0.1)
    assert math.isnan(contrasts.iloc[1]["ratio"])


def _switching_market(n: int, seed: int) -> tuple[pd.Series, np.ndarray]:
    """Returns of 0.8 % and 2.4 % a day in two regimes of the same drift, and the regimes."""
    states = chain(n, (0.99, 0.97), seed)
    shocks = np.random.default_rng(seed + 1).standard_normal(n)
    return returns_of(np.where(states == 1, 0.024, 0.008) * shocks), states


def test_true_regimes_separate_volatility_and_not_returns() -> None:
    returns, states = _switching_market(6000, 11)
    outcomes = next_outcomes(returns, returns.index, horizon=HORIZON, bars_per_year=252)
    table = outcome_contrasts(
        {"truth": path_of(states)}, outcomes, horizon=HORIZON, level=0.05
    ).set_index("outcome")
    assert table.loc["volatility", "p_holm"] < 0.001
    assert table.loc["volatility", "ratio_low"] > 1.2
    assert table.loc["return", "p_holm"] > 0.05
    # Over 21 bars the regime itself may change, so the ratio stays below 2.4 / 0.8.
    assert table.loc["volatility", "ratio"] < 3.0


def test_flickering_labels_that_mean_nothing_are_seldom_called_more_than_luck() -> None:
    said = 0
    for seed in range(4):
        rng = np.random.default_rng([seed, 1])
        log_volatility = lfilter([1.0], [1.0, -0.99], 0.05 * rng.standard_normal(2500))
        returns = returns_of(0.01 * np.exp(log_volatility) * rng.standard_normal(2500))
        outcomes = next_outcomes(returns, returns.index, horizon=HORIZON, bars_per_year=252)
        paths = {
            str(number): path_of(
                chain(2500, (0.99, 0.97), 10 * seed + number) ^ (rng.random(2500) < 0.1)
            )
            for number in range(10)
        }
        table = outcome_contrasts(paths, outcomes, horizon=HORIZON, level=0.05)
        said += int((table.loc[table["outcome"] == "volatility", "p_value"] < 0.05).sum())
    # Of 40 independent tests at 5 % more than 7 would be rarer than 1 in 1,000.
    assert said <= 7


def test_too_little_to_judge_by_is_said_and_not_judged() -> None:
    values = np.random.default_rng(0).standard_normal(700)
    once = np.zeros(700, dtype=int)
    once[300:400] = 1
    contrasts = outcome_contrasts({"x": path_of(once)}, _table(values), horizon=1, level=0.05)
    assert "'calm' has 2 of the 5 spells" in contrasts["note"].iloc[0]
    assert contrasts["difference"].notna().all()
    assert contrasts[["p_value", "p_holm", "smallest_found"]].isna().all(axis=None)
    many = np.arange(700) // 10 % 2
    means = outcome_by_regime({"x": path_of(many)}, _table(values), horizon=30, level=0.05)
    assert "700 of the 900 bars" in means["note"].iloc[0]
    never = outcome_contrasts({"x": path_of(many, THREE)}, _table(values), horizon=1, level=0.05)
    assert never["difference"].isna().tolist() == [False, True, True] * 2
    with pytest.raises(ParameterError, match="level"):
        outcome_by_regime({"x": path_of(many, TWO)}, _table(values), horizon=1, level=0.0)


def test_outcomes_that_never_vary_are_not_tested() -> None:
    many = np.arange(700) // 10 % 2
    still = _table(np.full(700, 0.2), np.zeros(700))
    table = outcome_contrasts({"x": path_of(many)}, still, horizon=1, level=0.05)
    assert (table["note"] == "nothing varies: nothing to test").all()
    assert table["ratio"].iloc[0] == pytest.approx(1.0)
