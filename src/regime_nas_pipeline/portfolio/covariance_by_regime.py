"""Covariance of the regime that the market is in, leaning on that of all bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regime_nas_pipeline.core.errors import DataError, ParameterError


@dataclass(frozen=True, eq=False)
class RegimeCovariance:
    """A covariance of one regime, and how much of it is the regime's own.

    Attributes:
        covariance: Over the horizon, (n, n), symmetric and positive definite.
        effective_bars: Bars that would tell as much about the regime if each belonged to it
            entirely or not at all.
        share: Weight of the regime's own covariance; the rest is that of all bars.
    """

    covariance: np.ndarray
    effective_bars: float
    share: float


def regime_covariance(
    log_returns: np.ndarray,
    membership: np.ndarray,
    plain: np.ndarray,
    *,
    horizon: int,
    prior_bars: float,
) -> RegimeCovariance:
    """Blend of the covariance of a regime's own bars with a given covariance of all bars.

    With p_s the probability that bar s was in the regime, w_s = p_s / Σp and the weighted mean
    m = Σ w_s r_s, the regime's own covariance over h bars is S = h Σ w_s (r_s - m)(r_s - m)'.
    The bars behind it count n = (Σp)² / Σp². The result is

        (n S + prior_bars · plain) / (n + prior_bars),

    the mean of the covariance if ``plain`` is worth ``prior_bars`` bars of an inverse Wishart
    prior. It is positive definite because ``plain`` is and S has no negative variance. A regime
    without any bar leaves ``plain``.

    Args:
        log_returns: One-bar log returns, (T, n), blank where an asset has no price. Only what is
            known at the decision belongs here; bars that not all assets share do not count.
        membership: Probability of the regime at each bar as it was known then, (T,); blank where
            there is no label.
        plain: Covariance of all bars over the horizon, (n, n), positive definite.
        horizon: Bars that the decision will be held for.
        prior_bars: Bars that ``plain`` is worth, above 0.

    Raises:
        DataError: The shapes differ, or a probability is outside 0 to 1.
        ParameterError: The horizon is shorter than one bar, or ``prior_bars`` is not positive.

    Source: effective number of weighted observations: Kish, L. (1965). Survey Sampling. Wiley,
    section 11.7; posterior mean: Gelman, A. et al. (2013). Bayesian Data Analysis, 3rd edition.
    CRC Press, section 3.6.
    """
    if horizon < 1 or not 0.0 < prior_bars < np.inf:
        raise ParameterError(
            "a covariance by regime needs horizon >= 1 and prior_bars > 0; they are "
            f"{horizon} and {prior_bars}."
        )
    n_bars, n_assets = log_returns.shape
    if membership.shape != (n_bars,) or plain.shape != (n_assets, n_assets):
        raise DataError(
            f"returns {log_returns.shape}, regime probabilities {membership.shape} and the "
            f"covariance of all bars {plain.shape} do not belong together"
        )
    used = np.isfinite(log_returns).all(axis=1) & np.isfinite(membership)
    returns, probability = log_returns[used], membership[used]
    if ((probability < 0.0) | (probability > 1.0)).any():
        raise DataError("a regime probability lies outside 0 to 1", source="regimes")
    total = float(probability.sum())
    if total == 0.0:
        return RegimeCovariance(plain, 0.0, 0.0)
    weights = probability / total
    centred = returns - weights @ returns
    own = horizon * (centred.T @ (weights[:, None] * centred))
    effective = float(1.0 / (weights**2).sum())
    share = effective / (effective + prior_bars)
    blended = share * own + (1.0 - share) * plain
    return RegimeCovariance((blended + blended.T) / 2.0, effective, share)
