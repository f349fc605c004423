import math

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import per_bar_rate
from regime_nas_pipeline.verdict.trials import (
    correlated_maximum_sharpe,
    deflate_sharpes,
    deflated_sharpe,
    effective_trials,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_moments,
)


def _trials(n: int, n_trials: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    dates = pd.bdate_range("2010-01-01", periods=n)
    return pd.DataFrame(rng.normal(0, 0.01, (n, n_trials)), dates).rename(columns=lambda i: f"t{i}")


def _best(trials: pd.DataFrame) -> pd.DataFrame:
    return trials[[(trials.mean() / trials.std()).idxmax()]]


def test_the_best_of_forty_skill_less_candidates_passes_only_while_trials_are_not_counted():
    # Independent dollar-neutral portfolios: no capital, so no risk-free rate.
    uncorrected, deflated = [], []
    for seed in range(300):
        trials = _trials(1000, 40, seed)
        row = deflate_sharpes(_best(trials), trials, bars_per_year=252).iloc[0]
        uncorrected.append(row["psr_against_zero"] >= 0.95)
        deflated.append(row["passes"])
    # 1 - 0.95^40 = 87 % of the panels have a candidate above the uncorrected level.
    assert np.mean(uncorrected) == pytest.approx(0.87, abs=0.06)
    assert np.mean(deflated) <= 0.05


@pytest.mark.parametrize("correlation", [0.5, 0.9])
def test_trials_that_are_alike_without_groups_let_luck_pass_no_more_often(correlation):
    by_clusters, deflated = [], []
    for seed in range(100):
        driver = np.random.default_rng(1000 + seed).normal(0, 0.01, (500, 1))
        trials = (1 - correlation) ** 0.5 * _trials(500, 20, seed) + correlation**0.5 * driver
        row = deflate_sharpes(_best(trials), trials, bars_per_year=252).iloc[0]
        moments = sharpe_moments(_best(trials).iloc[:, 0])
        by_clusters.append(probabilistic_sharpe(moments, row["maximum_by_clusters"]) >= 0.95)
        deflated.append(row["passes"])
    assert np.mean(by_clusters) > 0.08
    # 5 % of 100 with a standard deviation of 2.2 panels.
    assert sum(deflated) <= 9


def test_skill_passes_after_counting_trials():
    trials = _trials(1500, 30, 1)
    trials["t4"] += 0.0015
    table = deflate_sharpes(trials[["t4", "t5"]], trials, bars_per_year=252)
    assert table["passes"].tolist() == [True, False]
    assert table.loc[0, "n"] >= table.loc[0, "minimum_track_record"]


def test_the_row_is_made_of_the_single_statistics():
    trials = _trials(600, 12, 2) + 0.0004
    chosen = pd.DataFrame({"regime_nas": trials["t0"] + 0.0005, "gru": trials["t1"]}).iloc[200:]
    table = deflate_sharpes(chosen, trials, bars_per_year=252, risk_free=0.02, level=0.9)
    rate = per_bar_rate(0.02, 252)
    counted = effective_trials(trials, risk_free_per_bar=rate)
    assert table["strategy"].tolist() == ["regime_nas", "gru"]
    for _, row in table.iterrows():
        moments = sharpe_moments(chosen[row["strategy"]], rate)
        single = deflated_sharpe(
            moments, n_trials=counted.n_effective, trial_variance=counted.variance
        )
        by_correlation = correlated_maximum_sharpe(trials)
        threshold = max(single.threshold, by_correlation)
        assert row["n"] == 400
        assert row["sharpe_yearly"] == pytest.approx(moments.sharpe * math.sqrt(252), rel=1e-12)
        assert (row["n_trials"], row["n_effective"]) == (12, counted.n_effective)
        assert row["maximum_by_clusters"] == single.threshold > 0
        assert row["maximum_by_correlation"] == by_correlation > 0
        assert row["expected_maximum"] == threshold
        assert row["expected_maximum_yearly"] == pytest.approx(threshold * 252**0.5)
        assert row["psr_against_zero"] == probabilistic_sharpe(moments)
        assert row["deflated_probability"] == probabilistic_sharpe(moments, threshold)
        bars = minimum_track_record(moments, threshold, level=0.9)
        assert row["minimum_track_record"] == bars
        assert row["minimum_track_record_years"] == bars / 252
        assert row["passes"] == (row["deflated_probability"] >= 0.9)


def test_a_strategy_passes_exactly_when_its_record_is_long_enough():
    trials = _trials(500, 25, 3)
    chosen = pd.DataFrame({f"s{i}": trials["t0"] + drift for i, drift in enumerate(_drifts())})
    table = deflate_sharpes(chosen, trials, bars_per_year=252)
    assert table["passes"].any()
    assert not table["passes"].all()
    assert (table["passes"] == (table["n"] >= table["minimum_track_record"])).all()
    below = table["sharpe"] <= table["expected_maximum"]
    assert (np.isinf(table["minimum_track_record"]) == below).all()


def _drifts() -> np.ndarray:
    return np.linspace(-0.001, 0.004, 30)


def test_a_single_trial_needs_no_deflation():
    trials = _trials(300, 1, 4)
    row = deflate_sharpes(trials, trials, bars_per_year=252).iloc[0]
    assert row["expected_maximum"] == 0.0
    assert row["deflated_probability"] == row["psr_against_zero"]


def test_copies_of_trials_neither_help_nor_harm():
    trials = _trials(400, 8, 5)
    copies = trials.add_suffix("_again")
    both = pd.concat([trials, copies], axis=1)
    once = deflate_sharpes(_best(trials), trials, bars_per_year=252)
    twice = deflate_sharpes(_best(trials), both, bars_per_year=252)
    assert twice.loc[0, "n_trials"] == 16
    pd.testing.assert_frame_equal(twice.drop(columns="n_trials"), once.drop(columns="n_trials"))


def test_unusable_input_is_an_error_that_names_it():
    trials = _trials(100, 4, 6)
    with pytest.raises(DataError, match="'t2'"):
        deflate_sharpes(trials[["t0"]], trials.assign(t2=0.0), bars_per_year=252)
    with pytest.raises(DataError, match="'cash'"):
        deflate_sharpes(pd.DataFrame({"cash": [0.0] * 9}), trials, bars_per_year=252)
    with pytest.raises(DataError, match="no strategy"):
        deflate_sharpes(trials[[]], trials, bars_per_year=252)
    with pytest.raises(DataError, match=r"'t0'.*more than one strategy"):
        deflate_sharpes(trials[["t0", "t0"]], trials, bars_per_year=252)
    with pytest.raises(ParameterError, match="level"):
        deflate_sharpes(trials[["t0"]], trials, bars_per_year=252, level=1.0)
