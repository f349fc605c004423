"""What a strategy held by group of assets, and how much of its return two benchmarks explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS
from statsmodels.tools.tools import add_constant

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import known_returns, per_bar_rate

OTHER = "other"
"""Group of the assets that the mapping leaves out."""

_MIN_BARS = 4
_STILL = 1e-12
"""Standard deviation per bar below which a benchmark explains nothing."""
REGRESSION_COLUMNS = (
    "benchmark",
    "strategy",
    "beta",
    "beta_error",
    "alpha",
    "alpha_error",
    "alpha_t",
    "alpha_p_value",
    "r_squared",
    "n",
    "lags",
    "reason",
)


def group_exposures(contributions: pd.DataFrame, groups: Mapping[str, str]) -> pd.DataFrame:
    """Mean weight and contribution of each group of assets.

    Args:
        contributions: Tidy: strategy, asset, mean_weight (over bars), contribution (sum over bars
            of weight x return), as the evaluation writes them.
        groups: Asset to group. An asset that is not named belongs to "other"; a name that no
            strategy ever held is ignored.

    Returns:
        One row per strategy and group: strategy, group, n_assets (ever held), mean_weight,
        contribution, and return_share (contribution over that of all groups; blank where that sum
        is not positive); largest contribution first, "other" last.

    Raises:
        ParameterError: The mapping has a group "other" of its own, which could not be told from
            what it leaves out.
    """
    if OTHER in groups.values():
        raise ParameterError(
            f"groups: '{OTHER}' is the group of assets without one; give yours another name."
        )
    group = contributions["asset"].map(lambda asset: groups.get(asset, OTHER))
    table = contributions.assign(group=group).groupby(["strategy", "group"], sort=False)
    found = table.agg(
        n_assets=("asset", "size"),
        mean_weight=("mean_weight", "sum"),
        contribution=("contribution", "sum"),
    ).reset_index()
    total = found.groupby("strategy", sort=False)["contribution"].transform("sum")
    found["return_share"] = found["contribution"] / total.where(total > 0.0)
    order = pd.Series({name: i for i, name in enumerate(found["strategy"].unique())})
    keys = pd.DataFrame(
        {
            "strategy": found["strategy"].map(order),
            "other": found["group"] == OTHER,
            "contribution": -found["contribution"],
        }
    )
    return found.loc[keys.sort_values(list(keys.columns)).index].reset_index(drop=True)


def newey_west_lags(n: int) -> int:
    """Lags of the HAC standard error for n bars: ⌊4 (n/100)^(2/9)⌋.

    Source: the plug-in rule usual with Newey, W. K. and West, K. D. (1987). A Simple, Positive
    Semi-Definite, Heteroskedasticity and Autocorrelation Consistent Covariance Matrix.
    Econometrica 55(3).
    """
    return int(4.0 * (n / 100.0) ** (2.0 / 9.0))


def benchmark_regressions(
    strategy_returns: pd.DataFrame,
    *,
    bars_per_year: int,
    risk_free: float,
    benchmarks: Sequence[str] = ("buy_and_hold", "equal_weight"),
    lags: int | None = None,
) -> pd.DataFrame:
    """Beta, alpha and R² of each strategy to each benchmark, one benchmark at a time.

    Excess return = alpha + beta x excess return of the benchmark + residual, by ordinary least
    squares; standard errors after Newey and West (1987), with the small-sample factor n/(n - 2)
    and normal p-values.

    Args:
        strategy_returns: Date x strategy, (T, S), simple returns per bar net of costs.
        bars_per_year: Bars in a year.
        risk_free: Simple yearly rate.
        benchmarks: Columns to regress on; a strategy is not regressed on itself.
        lags: Autocovariances in the standard error; None for :func:`newey_west_lags`.

    Returns:
        Tidy: benchmark, strategy, beta, beta_error, alpha and alpha_error (per bar x
        bars_per_year, decimals), alpha_t, alpha_p_value (two-sided), r_squared, n, lags, and
        reason: why the figures are blank, else empty.

    Raises:
        DataError: A return is blank or there are fewer than four bars.
        ParameterError: A benchmark is not among the strategies, or ``lags`` is out of range.
    """
    names = list(map(str, strategy_returns.columns))
    unknown = [name for name in benchmarks if name not in names]
    if unknown:
        raise ParameterError(f"benchmarks: '{unknown[0]}' is not one of {', '.join(names)}.")
    n = len(strategy_returns)
    if n < _MIN_BARS:
        raise DataError(
            f"a regression needs at least {_MIN_BARS} bars and has {n}", source="strategy_returns"
        )
    used = newey_west_lags(n) if lags is None else lags
    if not 0 <= used < n:
        raise ParameterError(f"lags must be at least 0 and below the {n} bars and is {used}.")
    rate = per_bar_rate(risk_free, bars_per_year)
    excess = {name: known_returns(strategy_returns[name]) - rate for name in names}
    rows = []
    for benchmark in benchmarks:
        for strategy in (name for name in names if name != benchmark):
            figures = _regression(excess[strategy], excess[benchmark], used, bars_per_year)
            rows.append({"benchmark": benchmark, "strategy": strategy, "n": n} | figures)
    return pd.DataFrame(rows).reindex(columns=list(REGRESSION_COLUMNS))


def _regression(
    outcome: np.ndarray, market: np.ndarray, lags: int, bars_per_year: int
) -> dict[str, float | int | str]:
    for who, values in (("benchmark", market), ("strategy", outcome)):
        if values.std() < _STILL:
            return {"lags": lags, "reason": f"the {who}'s returns do not move"}
    fit = OLS(outcome, add_constant(market)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}
    )
    alpha, beta = map(float, fit.params)
    alpha_error, beta_error = map(float, fit.bse)
    exact = alpha_error < _STILL  # the benchmark itself, scaled: no residual is left to judge by
    return {
        "beta": beta,
        "beta_error": beta_error,
        "alpha": alpha * bars_per_year,
        "alpha_error": alpha_error * bars_per_year,
        "alpha_t": np.nan if exact else float(fit.tvalues[0]),
        "alpha_p_value": np.nan if exact else float(fit.pvalues[0]),
        "r_squared": float(fit.rsquared),
        "lags": lags,
        "reason": "",
    }
