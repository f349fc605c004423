import numpy as np
import pytest

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.covariance import horizon_covariance


def _returns(rows: int = 200, assets: int = 4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(rows, 1))
    return 0.01 * (0.5 * common + rng.normal(size=(rows, assets))) * np.arange(1, assets + 1)


def _ledoit_wolf_by_hand(sample: np.ndarray) -> np.ndarray:
    """Ledoit and Wolf (2004), equations 14 to 16, observation by observation."""
    n, p = sample.shape
    centred = sample - sample.mean(axis=0)
    empirical = centred.T @ centred / n
    mu = np.trace(empirical) / p
    distance = np.sum((empirical - mu * np.eye(p)) ** 2) / p
    noise = sum(np.sum((np.outer(x, x) - empirical) ** 2) / p for x in centred) / n**2
    shrinkage = min(noise, distance) / distance
    return shrinkage * mu * np.eye(p) + (1 - shrinkage) * empirical


def test_is_the_shrinkage_of_the_paper_times_the_horizon():
    returns = _returns()
    np.testing.assert_allclose(
        horizon_covariance(returns, 21), 21 * _ledoit_wolf_by_hand(returns), rtol=1e-9
    )


def test_uses_exactly_the_bars_that_all_assets_share():
    returns = _returns()
    returns[:120, 2] = np.nan
    returns[150, 0] = np.nan
    common = returns[np.isfinite(returns).all(axis=1)]
    assert len(common) == 79
    np.testing.assert_array_equal(horizon_covariance(returns, 5), horizon_covariance(common, 5))


def test_forecast_volatility_replaces_the_deviations_and_keeps_the_correlations():
    returns = _returns()
    volatility = np.array([0.05, 0.10, 0.02, 0.07])
    plain = horizon_covariance(returns, 21)
    scaled = horizon_covariance(returns, 21, volatility)
    np.testing.assert_allclose(np.sqrt(np.diag(scaled)), volatility, rtol=1e-12)
    for i in range(4):
        for j in range(4):
            np.testing.assert_allclose(
                scaled[i, j] / (volatility[i] * volatility[j]),
                plain[i, j] / np.sqrt(plain[i, i] * plain[j, j]),
                rtol=1e-10,
            )


def test_is_positive_definite_with_more_assets_than_bars():
    covariance = horizon_covariance(_returns(rows=25, assets=40), 21)
    assert np.linalg.eigvalsh(covariance).min() > 0.0


def test_one_asset():
    returns = _returns(assets=1)
    np.testing.assert_allclose(horizon_covariance(returns, 3), [[3 * np.var(returns)]])


def test_too_short_a_common_window_names_the_asset_to_blame():
    returns = _returns()
    returns[:181, 1] = np.nan
    with pytest.raises(DataError, match=r"asset 'beta': only 19 bars .* all 4 assets"):
        horizon_covariance(returns, 21, assets=["alpha", "beta", "gamma", "delta"])
    returns[180, 1] = 0.01
    assert horizon_covariance(returns, 21).shape == (4, 4)


def test_an_asset_that_never_moves_is_an_error():
    returns = _returns()
    returns[:, 3] = 0.0
    with pytest.raises(DataError, match=r"asset '3': the price never moves"):
        horizon_covariance(returns, 21)


@pytest.mark.parametrize("fault", [np.nan, 0.0, -0.1, np.inf])
def test_an_unusable_volatility_is_an_error(fault):
    with pytest.raises(DataError, match="asset 'b'"):
        horizon_covariance(_returns(assets=2), 21, np.array([0.1, fault]), assets=["a", "b"])


def test_volatility_of_another_universe_is_an_error():
    with pytest.raises(DataError, match="2 assets"):
        horizon_covariance(_returns(assets=2), 21, np.array([0.1, 0.1, 0.1]))


def test_a_horizon_of_no_bars_is_an_error():
    with pytest.raises(ParameterError, match="horizon"):
        horizon_covariance(_returns(), 0)


def test_one_row_of_returns_is_not_a_table():
    with pytest.raises(DataError, match="bars x assets"):
        horizon_covariance(np.zeros(30), 21)
