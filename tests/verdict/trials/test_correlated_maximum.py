import math

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.trials import correlated_maximum_sharpe


def _with_correlation(matrix: np.ndarray, n: int = 400) -> pd.DataFrame:
    """Returns whose sample correlations are exactly these."""
    raw = np.random.default_rng(0).normal(size=(n, len(matrix)))
    basis, _ = np.linalg.qr(raw - raw.mean(axis=0))
    return pd.DataFrame(0.1 * basis @ np.linalg.cholesky(matrix).T).add_prefix("t")


def _best_of_independent(m: int) -> float:
    return quad(lambda x: x * m * norm.pdf(x) * norm.cdf(x) ** (m - 1), -9, 9)[0]


@pytest.mark.parametrize("m", [2, 10, 40])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_trials_that_are_all_alike_to_the_same_degree(m, correlation):
    # x_i = √ρ z + √(1 - ρ) e_i: the common part has mean zero whatever was chosen.
    returns = _with_correlation(np.full((m, m), correlation) + (1 - correlation) * np.eye(m))
    exact = math.sqrt((1 - correlation) / 399) * _best_of_independent(m)
    assert correlated_maximum_sharpe(returns) == pytest.approx(exact, abs=0.02 / math.sqrt(399))


@pytest.mark.parametrize("correlation", [-0.9, -0.3, 0.6])
def test_two_trials(correlation):
    # The larger of two normals: √((1 - ρ) ÷ π).
    returns = _with_correlation(np.array([[1.0, correlation], [correlation, 1.0]]))
    exact = math.sqrt((1 - correlation) / math.pi / 399)
    assert correlated_maximum_sharpe(returns) == pytest.approx(exact, abs=0.02 / math.sqrt(399))


def test_it_is_the_mean_of_the_best_estimated_ratio():
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(6, 6))
    panels = rng.standard_t(6, size=(3000, 150, 6)) @ mixing
    ratios = panels.mean(axis=1) / panels.std(axis=1, ddof=1)
    expected = [correlated_maximum_sharpe(pd.DataFrame(0.01 * panel)) for panel in panels[:30]]
    assert np.mean(expected) == pytest.approx(ratios.max(axis=1).mean(), rel=0.04)


def test_copies_change_nothing_and_copies_alone_are_no_choice():
    returns = _with_correlation(np.eye(4))
    more = returns.assign(copy=returns["t1"], twofold=2 * returns["t2"])
    assert correlated_maximum_sharpe(more) == correlated_maximum_sharpe(returns) > 0
    assert correlated_maximum_sharpe(more[["t1", "copy"]]) == 0.0


def test_the_order_of_trials_changes_nothing():
    rng = np.random.default_rng(6)
    returns = pd.DataFrame(rng.normal(0, 0.01, (60, 7)) @ rng.normal(size=(7, 7))).add_prefix("t")
    expected = correlated_maximum_sharpe(returns)
    for _ in range(5):
        shuffled = returns[rng.permutation(returns.columns)]
        assert correlated_maximum_sharpe(shuffled) == pytest.approx(expected, rel=1e-9)


def test_more_trials_than_bars():
    returns = pd.DataFrame(np.random.default_rng(5).normal(0, 0.01, (20, 60)))
    assert correlated_maximum_sharpe(returns) == pytest.approx(
        _best_of_independent(60) / math.sqrt(19), rel=0.1
    )


def test_the_seed_fixes_the_bits():
    returns = _with_correlation(np.eye(3))
    first = correlated_maximum_sharpe(returns, seed=4)
    assert first == correlated_maximum_sharpe(returns, seed=4)
    assert first != correlated_maximum_sharpe(returns, seed=5)


def test_a_constant_trial_is_an_error():
    with pytest.raises(DataError, match="'t1'"):
        correlated_maximum_sharpe(_with_correlation(np.eye(3)).assign(t1=0.01))
