import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.trials import backtest_overfitting


def _noise(n: int, n_trials: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    names = [f"t{i}" for i in range(n_trials)]
    return pd.DataFrame(rng.normal(0, 0.01, (n, n_trials)), columns=names)


def _naive(returns: pd.DataFrame, n_blocks: int, risk_free: float) -> dict[str, np.ndarray]:
    """Every split from the raw rows, one at a time."""
    blocks = np.array_split(np.arange(len(returns)), n_blocks)
    rows: dict[str, list] = {"logits": [], "chosen": [], "in_sample": [], "out_of_sample": []}
    for half in combinations(range(n_blocks), n_blocks // 2):
        inside = np.concatenate([blocks[b] for b in half])
        outside = np.setdiff1d(np.arange(len(returns)), inside)
        excess = returns - risk_free
        fit = excess.iloc[inside].mean() / excess.iloc[inside].std()
        check = excess.iloc[outside].mean() / excess.iloc[outside].std()
        best = fit.idxmax()
        rank = rankdata(check)[returns.columns.get_loc(best)]
        omega = rank / (returns.shape[1] + 1)
        rows["logits"].append(math.log(omega / (1 - omega)))
        rows["chosen"].append(best)
        rows["in_sample"].append(fit[best])
        rows["out_of_sample"].append(check[best])
    return {key: np.array(values) for key, values in rows.items()}


@pytest.mark.parametrize(("n", "n_trials", "n_blocks"), [(60, 5, 6), (47, 4, 4), (83, 7, 8)])
def test_block_sums_give_what_a_plain_loop_over_the_rows_gives(n, n_trials, n_blocks):
    returns = _noise(n, n_trials, n) + 0.001
    result = backtest_overfitting(returns, n_blocks=n_blocks, risk_free_per_bar=0.0002)
    naive = _naive(returns, n_blocks, 0.0002)
    assert len(result.logits) == math.comb(n_blocks, n_blocks // 2)
    np.testing.assert_allclose(result.logits, naive["logits"], atol=1e-12)
    np.testing.assert_array_equal(result.chosen, naive["chosen"])
    np.testing.assert_allclose(result.in_sample, naive["in_sample"], rtol=1e-9)
    np.testing.assert_allclose(result.out_of_sample, naive["out_of_sample"], rtol=1e-9)
    assert result.probability == np.mean(naive["logits"] <= 1e-12)
    assert result.probability_of_loss == np.mean(naive["out_of_sample"] < 0)
    slope = np.polyfit(naive["in_sample"], naive["out_of_sample"], 1)[0]
    assert result.slope == pytest.approx(slope, rel=1e-8)
    assert (result.n_trials, result.n_blocks) == (n_trials, n_blocks)


def test_a_dominant_strategy_is_not_overfitted():
    returns = _noise(800, 20, 1)
    returns["t7"] += 0.01
    result = backtest_overfitting(returns, n_blocks=10)
    assert result.probability == 0.0
    assert set(result.chosen) == {"t7"}
    np.testing.assert_allclose(result.logits, math.log(20), rtol=1e-12)
    assert result.probability_of_loss == 0.0


def test_an_order_that_turns_in_the_second_half_is_overfitted():
    returns = _noise(400, 10, 2)
    skill = np.linspace(-0.01, 0.01, 10)
    returns.iloc[:200] += skill
    returns.iloc[200:] -= skill
    halves = backtest_overfitting(returns, n_blocks=2)
    assert halves.probability == 1.0
    assert halves.probability_of_loss == 1.0
    np.testing.assert_allclose(halves.logits, math.log(1 / 10), rtol=1e-12)


def test_what_one_half_earns_the_other_loses_where_all_trials_earn_nothing_together():
    returns = _noise(640, 20, 3)
    returns -= returns.mean()
    result = backtest_overfitting(returns, n_blocks=8)
    assert result.probability > 0.95
    assert result.probability_of_loss == 1.0
    assert result.slope == pytest.approx(-1.0, abs=0.2)


def test_noise_is_overfitted_half_of_the_time():
    shares = [
        backtest_overfitting(_noise(320, 20, seed), n_blocks=8).probability for seed in range(200)
    ]
    # A single panel's share has a standard deviation of about 0.25: 0.018 for the mean of 200.
    assert np.mean(shares) == pytest.approx(0.5, abs=0.06)


def test_equal_trials_sit_on_the_median_and_count_as_failures():
    column = _noise(100, 1, 5)["t0"]
    result = backtest_overfitting(pd.DataFrame({"a": column, "b": column}), n_blocks=4)
    assert (result.logits == 0.0).all()
    assert result.probability == 1.0


def test_ratios_keep_their_digits_when_the_mean_dwarfs_the_deviations():
    returns = 0.5 + _noise(96, 4, 6) * 1e-4
    result = backtest_overfitting(returns, n_blocks=6)
    np.testing.assert_allclose(result.in_sample, _naive(returns, 6, 0.0)["in_sample"], rtol=1e-8)


def test_leverage_and_the_order_of_the_trials_change_nothing():
    returns = _noise(200, 6, 7)
    plain = backtest_overfitting(returns, n_blocks=8)
    scaled = backtest_overfitting(returns.iloc[:, ::-1] * [3, 1, 2, 0.5, 4, 1], n_blocks=8)
    np.testing.assert_allclose(scaled.logits, plain.logits, atol=1e-12)
    np.testing.assert_array_equal(scaled.chosen, plain.chosen)


@pytest.mark.parametrize("n_blocks", [0, 1, 7, -2, 20])
def test_a_number_of_blocks_that_cannot_be_halved_is_an_error(n_blocks):
    with pytest.raises(ParameterError, match="even number from 2 to 18"):
        backtest_overfitting(_noise(100, 3, 0), n_blocks=n_blocks)


def test_blocks_need_two_bars_each():
    with pytest.raises(ParameterError, match="at most 14"):
        backtest_overfitting(_noise(31, 3, 0), n_blocks=16)
    assert backtest_overfitting(_noise(31, 3, 0), n_blocks=14).n_blocks == 14


def test_trials_that_cannot_be_ranked_are_errors():
    returns = _noise(80, 3, 0)
    with pytest.raises(DataError, match="one trial is no choice"):
        backtest_overfitting(returns[["t0"]], n_blocks=4)
    with pytest.raises(DataError, match=r"'t1'.*every return is 0\.0"):
        backtest_overfitting(returns.assign(t1=0.0), n_blocks=4)
    with pytest.raises(DataError, match=r"'t2'.*row 3"):
        backtest_overfitting(returns.assign(t2=returns["t2"].where(returns.index != 3)), n_blocks=4)
    idle = returns.assign(t1=returns["t1"].where(returns.index < 40, 0.0))
    with pytest.raises(DataError, match=r"'t1'.*every return is 0\.0 in half of the 4 blocks"):
        backtest_overfitting(idle, n_blocks=4)
    # Constant in fewer blocks, or at different levels, a trial moves in every half.
    steps = np.where(returns.index < 40, returns["t1"], np.where(returns.index < 60, 0.0, 0.01))
    assert backtest_overfitting(returns.assign(t1=steps), n_blocks=4).n_trials == 3
