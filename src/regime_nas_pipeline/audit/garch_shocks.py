"""Moves of a GARCH model with Student t innovations that share a factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.audit.shocks import Shocks, common_returns
from regime_nas_pipeline.core.errors import DataError, ParameterError

_GARCH_BURN_IN = 500
_MAX_CORRELATION = 0.99


@dataclass(frozen=True)
class GarchShocks(Shocks):
    """Moves of a GARCH(1,1) per asset with Student t innovations that share a factor.

    m_i,t = σ_i,t z_i,t with σ²_i,t = v_i² (1 - α - β) + α m²_i,(t-1) + β σ²_i,(t-1) and
    z_i,t = g_t (√ρ f_t + √(1-ρ) u_i,t): f and u are standard normal and g²_t = (ν - 2) / χ²_ν is
    common to all assets, so that each z_i is Student t of unit variance, every two correlate by
    ρ, and extremes come together.

    Attributes:
        assets: Names of the N assets.
        volatilities: Unconditional standard deviation v of each asset's move, length N.
        alpha: Weight of the last squared move.
        beta: Weight of the last variance.
        nu: Degrees of freedom, above 2.
        correlation: ρ, in [0, 1).

    Source: Bollerslev, T. (1987). A Conditionally Heteroskedastic Time Series Model for
    Speculative Prices and Rates of Return. Review of Economics and Statistics 69(3); with a
    constant correlation as in Bollerslev (1990), same journal 72(3).
    """

    assets: tuple[str, ...]
    volatilities: tuple[float, ...]
    alpha: float
    beta: float
    nu: float
    correlation: float
    symmetric = True

    def __post_init__(self) -> None:
        """Check the parameters."""
        if len(self.assets) != len(self.volatilities) or not self.assets:
            raise ParameterError("there must be one volatility for each asset, and one asset.")
        if not min(self.volatilities) > 0.0:
            raise ParameterError(f"volatilities must be positive: {self.volatilities}.")
        stationary = min(self.alpha, self.beta) >= 0.0 and self.alpha + self.beta < 1.0
        if not (stationary and self.nu > 2.0 and 0.0 <= self.correlation < 1.0):
            raise ParameterError(
                "a GARCH panel needs alpha, beta >= 0, alpha + beta < 1, nu > 2 and a correlation "
                f"in [0, 1); got alpha = {self.alpha}, beta = {self.beta}, nu = {self.nu}, "
                f"correlation = {self.correlation}."
            )

    @property
    def scale(self) -> np.ndarray:
        """Unconditional standard deviations, (N,)."""
        return np.array(self.volatilities)

    def draw(self, n_bars: int, generator: np.random.Generator) -> np.ndarray:
        """Moves after 500 bars in which the start is forgotten, (n_bars, N)."""
        n_all, n_assets = n_bars + _GARCH_BURN_IN, len(self.assets)
        own = generator.standard_normal((n_all, n_assets))
        common = generator.standard_normal((n_all, 1))
        width = np.sqrt((self.nu - 2.0) / generator.chisquare(self.nu, size=(n_all, 1)))
        rho = self.correlation
        shocks = width * (np.sqrt(rho) * common + np.sqrt(1.0 - rho) * own)
        long_run = self.scale**2
        constant = long_run * (1.0 - self.alpha - self.beta)
        moves, variance = np.empty((n_all, n_assets)), long_run
        for bar in range(n_all):
            moves[bar] = np.sqrt(variance) * shocks[bar]
            variance = constant + self.alpha * moves[bar] ** 2 + self.beta * variance
        return moves[_GARCH_BURN_IN:]


def fit_garch_shocks(prices: pd.DataFrame, *, assets: Sequence[str] | None = None) -> GarchShocks:
    """GARCH panel with parameters pooled over an environment's assets.

    A zero-mean GARCH(1,1)-t is fitted to each asset's demeaned log returns with ``arch``. The
    panel takes the median α, the median α + β and the median ν, each asset's own standard
    deviation, and the average correlation of the standardised residuals.

    Args:
        prices: Tidy table: date, asset, close. Only bars on which every asset is priced count.
        assets: Assets to take; None for all.

    Raises:
        DataError: As in :func:`~regime_nas_pipeline.audit.shocks.bootstrap_shocks`, or no
            asset's fit is usable.
    """
    from arch import arch_model  # noqa: PLC0415 - brings Matplotlib

    names, returns = common_returns(prices, assets)
    logs = np.log1p(returns)
    scaled = (logs - logs.mean(axis=0)) / logs.std(axis=0)
    estimates, residuals = [], []
    for column in scaled.T:
        model = arch_model(column, mean="Zero", vol="GARCH", p=1, q=1, dist="t", rescale=False)
        result = model.fit(disp="off", show_warning=False)
        _, alpha, beta, nu = (float(value) for value in result.params)
        if result.convergence_flag == 0 and alpha + beta < 1.0:
            estimates.append((alpha, alpha + beta, nu))
            residuals.append(np.asarray(result.std_resid))
    if not estimates:
        raise DataError(
            "a GARCH(1,1) could be fitted to no asset",
            source="prices",
            remedy="state the parameters of the panel instead.",
        )
    alpha, persistence, nu = (float(value) for value in np.median(estimates, axis=0))
    correlation = 0.0
    if len(residuals) > 1:
        table = np.corrcoef(residuals)
        correlation = float(table[np.triu_indices(len(table), 1)].mean())
    return GarchShocks(
        assets=names,
        volatilities=tuple(float(value) for value in logs.std(axis=0)),
        alpha=alpha,
        beta=persistence - alpha,
        nu=nu,
        correlation=min(max(correlation, 0.0), _MAX_CORRELATION),
    )
