import math

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.statistics import per_bar_rate
from regime_nas_pipeline.verdict.sharpe import compare_sharpes, jobson_korkie_memmel


def _pair(seed: int, n: int = 500, correlation: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n))
    return 0.0008 + 0.01 * x, 0.0003 + 0.02 * (correlation * x + (1 - correlation**2) ** 0.5 * y)


def _delta_method_variance(moments: np.ndarray, covariance: float, n: int) -> float:
    """Variance of the difference, from a numerical gradient and normal sample moments.

    Moments are (mean a, mean b, variance a, variance b). Under normality sample means have
    covariance Σ/n, sample variances 2σ⁴/n and 2σ_ab²/n, and the two kinds are independent.
    """

    def difference(m: np.ndarray) -> float:
        return m[0] / math.sqrt(m[2]) - m[1] / math.sqrt(m[3])

    gradient = np.empty(4)
    for i in range(4):
        step = np.zeros(4)
        step[i] = 1e-5 * math.sqrt(moments[2]) if i < 2 else 1e-5 * moments[i]
        gradient[i] = (difference(moments + step) - difference(moments - step)) / (2 * step[i])
    var_a, var_b = moments[2], moments[3]
    asymptotic = np.zeros((4, 4))
    asymptotic[:2, :2] = [[var_a, covariance], [covariance, var_b]]
    asymptotic[2:, 2:] = [
        [2 * var_a**2, 2 * covariance**2],
        [2 * covariance**2, 2 * var_b**2],
    ]
    return float(gradient @ asymptotic @ gradient) / n


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("correlation", [-0.4, 0.0, 0.95])
def test_the_variance_is_that_of_the_delta_method(seed, correlation):
    a, b = _pair(seed, correlation=correlation)
    result = jobson_korkie_memmel(a, b)
    sample = np.cov(a, b)
    moments = np.array([a.mean(), b.mean(), sample[0, 0], sample[1, 1]])
    variance = _delta_method_variance(moments, sample[0, 1], len(a))
    difference = moments[0] / moments[2] ** 0.5 - moments[1] / moments[3] ** 0.5
    assert result.difference == pytest.approx(difference, rel=1e-12)
    assert result.standard_error == pytest.approx(variance**0.5, rel=1e-6)
    assert result.z == pytest.approx(difference / variance**0.5, rel=1e-6)
    assert result.p_value == pytest.approx(math.erfc(abs(result.z) / 2**0.5), rel=1e-12)
    assert result.n == 500


def test_the_formula_with_high_ratios_where_the_second_term_matters():
    rng = np.random.default_rng(0)
    a = 0.02 + 0.01 * rng.normal(size=300)
    b = 0.5 * a + 0.01 + 0.01 * rng.normal(size=300)
    sample = np.cov(a, b)
    moments = np.array([a.mean(), b.mean(), sample[0, 0], sample[1, 1]])
    variance = _delta_method_variance(moments, sample[0, 1], 300)
    result = jobson_korkie_memmel(a, b)
    assert result.difference**2 / variance == pytest.approx(result.z**2, rel=1e-6)
    rho = sample[0, 1] / (sample[0, 0] * sample[1, 1]) ** 0.5
    assert variance > 1.5 * (2 - 2 * rho) / 300


def test_the_risk_free_return_is_taken_off_both():
    a, b = _pair(3)
    shifted = jobson_korkie_memmel(a - 0.0002, b - 0.0002)
    assert jobson_korkie_memmel(a, b, 0.0002) == shifted
    assert shifted.z != jobson_korkie_memmel(a, b).z


def test_swapping_the_strategies_turns_the_sign_and_leverage_changes_nothing():
    a, b = _pair(1)
    forward, backward = jobson_korkie_memmel(a, b), jobson_korkie_memmel(b, a)
    assert forward.z == pytest.approx(-backward.z, rel=1e-12)
    assert forward.p_value == pytest.approx(backward.p_value, rel=1e-12)
    assert jobson_korkie_memmel(2 * a, b).z == pytest.approx(forward.z, rel=1e-10)


def test_equal_ratios_are_rejected_as_often_as_the_level_says():
    rng = np.random.default_rng(20)
    rejected = 0
    for _ in range(1000):
        x, y = rng.normal(size=(2, 250))
        a, b = 0.001 + 0.01 * x, 0.002 + 0.02 * (0.7 * x + 0.51**0.5 * y)
        rejected += jobson_korkie_memmel(a, b).p_value < 0.05
    # Binomial(1000, 0.05) has a standard deviation of 6.9.
    assert 25 <= rejected <= 80


def test_a_real_difference_is_found():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 2000))
    result = jobson_korkie_memmel(0.002 + 0.01 * x, 0.01 * y)
    assert result.z > 3
    assert result.p_value < 0.01


def test_series_that_cannot_be_told_apart():
    a, _ = _pair(0)
    for other in (a.copy(), 3 * a):
        result = jobson_korkie_memmel(a, other)
        assert result.difference == 0.0
        assert math.isnan(result.z)
        assert result.p_value == 1.0


def test_a_series_that_never_moves_has_no_ratio_to_compare():
    a, _ = _pair(0)
    result = jobson_korkie_memmel(a, np.zeros(500))
    assert math.isnan(result.difference)
    assert result.p_value == 1.0


def test_unusable_series_are_errors():
    a, b = _pair(0)
    with pytest.raises(DataError, match="row 0"):
        jobson_korkie_memmel(np.concatenate([[np.nan], a[1:]]), b)
    with pytest.raises(DataError, match="500 and 499"):
        jobson_korkie_memmel(a, b[1:])
    with pytest.raises(DataError, match="at least 3 bars"):
        jobson_korkie_memmel(a[:2], b[:2])
    dates = pd.date_range("2020", periods=500)
    with pytest.raises(DataError, match="same dates"):
        jobson_korkie_memmel(pd.Series(a, dates), pd.Series(b, dates.shift(1)))


def _strategies() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    dates = pd.bdate_range("2015-01-01", periods=600)
    names = ["regime_nas", "momentum", "equal_weight"]
    drift = np.array([0.002, 0.0004, 0.0003])
    return pd.DataFrame(drift + rng.normal(0, 0.01, (600, 3)), index=dates, columns=names)


def test_the_table_tests_each_pair_once():
    returns = _strategies()
    table = compare_sharpes(
        returns, ["equal_weight", "momentum"], risk_free=0.02, bars_per_year=252
    )
    assert list(zip(table["strategy"], table["against"], strict=True)) == [
        ("regime_nas", "equal_weight"),
        ("momentum", "equal_weight"),
        ("regime_nas", "momentum"),
    ]
    excess = returns - per_bar_rate(0.02, 252)
    yearly = excess.mean() / excess.std() * 252**0.5
    first = table.iloc[0]
    assert first["sharpe"] == pytest.approx(yearly["regime_nas"], rel=1e-10)
    assert first["sharpe_against"] == pytest.approx(yearly["equal_weight"], rel=1e-10)
    assert first["difference"] == pytest.approx(
        yearly["regime_nas"] - yearly["equal_weight"], rel=1e-10
    )
    test = jobson_korkie_memmel(
        returns["regime_nas"], returns["equal_weight"], per_bar_rate(0.02, 252)
    )
    assert first["z"] == test.z
    assert first["p_value"] == test.p_value


def test_the_adjusted_values_are_holms():
    table = compare_sharpes(
        _strategies(), ["equal_weight", "momentum"], risk_free=0.02, bars_per_year=252
    )
    raw = table["p_value"].to_numpy()
    adjusted, running = np.empty(3), 0.0
    for rank, row in enumerate(np.argsort(raw)):
        running = max(running, min(1.0, (3 - rank) * raw[row]))
        adjusted[row] = running
    np.testing.assert_allclose(table["p_holm"], adjusted, rtol=1e-12)
    assert (adjusted > raw).any()


def test_a_strategy_equal_to_its_reference_does_not_upset_the_table():
    returns = _strategies().assign(twin=lambda frame: frame["equal_weight"])
    table = compare_sharpes(returns, ["equal_weight"], risk_free=0.02, bars_per_year=252)
    twin = table[table["strategy"] == "twin"].iloc[0]
    assert math.isnan(twin["z"])
    assert twin["p_holm"] == 1.0
    assert table["p_holm"].notna().all()


def test_an_unknown_reference_is_an_error_and_none_is_an_empty_table():
    with pytest.raises(DataError, match="'bonds'"):
        compare_sharpes(_strategies(), ["bonds"], risk_free=0.02, bars_per_year=252)
    empty = compare_sharpes(_strategies(), [], risk_free=0.02, bars_per_year=252)
    assert len(empty) == 0
    assert "p_holm" in empty.columns
