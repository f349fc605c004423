from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.covariance_by_regime import RegimeCovariance, regime_covariance

PLAIN = np.array([[4.0, 1.0], [1.0, 2.0]])


def made(returns: list[list[float]], membership: list[float], **changes: float) -> RegimeCovariance:
    given: dict[str, float] = {"horizon": 1, "prior_bars": 2.0, **changes}
    return regime_covariance(np.array(returns), np.array(membership), PLAIN, **given)  # type: ignore[arg-type]


def test_weights_worked_by_hand() -> None:
    # Weights 1/2, 1/4, 1/4; means 0 and 0; Σ(p)² / Σp² = 4 / 1.5.
    found = made([[1.0, 0.0], [-2.0, 2.0], [0.0, -2.0]], [1.0, 0.5, 0.5])
    own = np.array([[0.5 + 1.0, -1.0], [-1.0, 1.0 + 1.0]])
    effective = 4.0 / 1.5
    assert found.effective_bars == pytest.approx(effective)
    assert found.share == pytest.approx(effective / (effective + 2.0))
    expected = (effective * own + 2.0 * PLAIN) / (effective + 2.0)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-12)


def test_the_regimes_own_mean_is_taken_out_and_the_horizon_scales_its_part() -> None:
    rows = [[5.0, 7.0], [6.0, 5.0], [4.0, 6.0]]
    near = made(rows, [1.0, 1.0, 1.0], prior_bars=1e-12)
    np.testing.assert_allclose(near.covariance, np.cov(np.array(rows).T, ddof=0), atol=1e-9)
    monthly = made(rows, [1.0, 1.0, 1.0], prior_bars=1e-12, horizon=21)
    np.testing.assert_allclose(monthly.covariance, 21.0 * near.covariance, rtol=1e-9)


def test_bars_of_other_regimes_without_label_or_without_a_price_do_not_count() -> None:
    kept = made([[1.0, 0.0], [-1.0, 2.0]], [1.0, 0.4])
    more = made(
        [[1.0, 0.0], [9.0, 9.0], [np.nan, 3.0], [-1.0, 2.0], [8.0, -8.0]],
        [1.0, 0.0, 1.0, 0.4, np.nan],
    )
    np.testing.assert_allclose(more.covariance, kept.covariance, rtol=1e-12)
    assert more.effective_bars == pytest.approx(kept.effective_bars)


def test_a_regime_never_seen_leaves_the_covariance_of_all_bars() -> None:
    found = made([[1.0, 0.0], [-1.0, 2.0]], [0.0, 0.0])
    assert (found.share, found.effective_bars) == (0.0, 0.0)
    np.testing.assert_array_equal(found.covariance, PLAIN)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_assets=st.integers(1, 6),
    n_bars=st.integers(1, 30),
    prior=st.floats(0.1, 1000.0),
)
def test_it_is_positive_definite_and_counts_no_more_bars_than_there_are(
    seed: int, n_assets: int, n_bars: int, prior: float
) -> None:
    generator = np.random.default_rng(seed)
    returns = 0.01 * generator.standard_normal((n_bars, n_assets))
    membership = generator.random(n_bars).round(1)
    root = generator.standard_normal((n_assets, n_assets))
    plain = 1e-4 * (root @ root.T + 0.1 * np.eye(n_assets))
    found = regime_covariance(returns, membership, plain, horizon=5, prior_bars=prior)
    np.testing.assert_array_equal(found.covariance, found.covariance.T)
    # Never less in any direction than the part that the covariance of all bars has.
    least = (1.0 - found.share) * np.linalg.eigvalsh(plain)[0]
    assert np.linalg.eigvalsh(found.covariance)[0] >= least * (1 - 1e-9) > 0.0
    assert 0.0 <= found.effective_bars <= n_bars * (1 + 1e-12)
    assert 0.0 <= found.share < 1.0


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ParameterError, match="prior_bars > 0"):
        made([[1.0, 0.0]], [1.0], prior_bars=0.0)
    with pytest.raises(DataError, match="outside 0 to 1"):
        made([[1.0, 0.0]], [1.1])
    with pytest.raises(DataError, match="do not belong together"):
        made([[1.0, 0.0]], [1.0, 0.5])
