"""How much trading may cost before a strategy is worth no more than equal weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import known_returns, per_bar_rate

_STILL = 1e-24
"""Variance per bar below which a return series does not move and has no Sharpe ratio."""


def net_returns_at(
    gross_returns: pd.DataFrame, notional: pd.DataFrame, cost_bps: float
) -> pd.DataFrame:
    """Net returns had trading cost ``cost_bps``: (1 - cost)(1 + gross) - 1, as the backtest has it.

    Weights are fractions of wealth, so neither they nor the gross returns depend on the cost.

    Args:
        gross_returns: Date x strategy, simple returns per bar before costs, decimals.
        notional: Date x strategy, traded notional that the bar pays for, fraction of wealth
            (:func:`~regime_nas_pipeline.portfolio.economics.trades.traded_notional`).
        cost_bps: Cost of trading one unit of notional, one way, in basis points.

    Raises:
        DataError: The tables differ in dates or strategies, or a value is blank.
        ParameterError: The cost is negative or takes everything in one bar.
    """
    gross, traded = _checked(gross_returns, notional, cost_bps)
    net = (1.0 - cost_bps / 1e4 * traded) * (1.0 + gross) - 1.0
    return pd.DataFrame(net, index=gross_returns.index, columns=gross_returns.columns)


def sharpe_by_cost(
    gross_returns: pd.DataFrame,
    notional: pd.DataFrame,
    costs_bps: Sequence[float],
    *,
    bars_per_year: int,
    risk_free: float,
) -> pd.DataFrame:
    """Net Sharpe ratio of every strategy at every cost.

    Net returns are linear in the cost, so mean and variance follow from five moments of the gross
    path and the notional; no path is walked again.

    Args:
        gross_returns: Date x strategy, (T, S), simple returns per bar before costs.
        notional: The same shape, traded notional, fraction of wealth.
        costs_bps: Costs one way in basis points, (C,).
        bars_per_year: Bars in a year.
        risk_free: Simple yearly rate.

    Returns:
        Tidy: cost_bps, strategy, sharpe (yearly; blank where a path does not move).

    Raises:
        DataError: The tables differ in dates or strategies, or a value is blank.
        ParameterError: A cost is negative or takes everything in one bar.
    """
    costs = np.asarray(costs_bps, dtype=float)
    for cost in (costs.min(), costs.max()) if costs.size else ():
        _checked(gross_returns, notional, float(cost))
    ratio = _ratios(gross_returns, notional, costs, bars_per_year, risk_free)
    strategies = list(map(str, gross_returns.columns))
    return pd.DataFrame(
        {
            "cost_bps": np.repeat(costs, len(strategies)),
            "strategy": strategies * len(costs),
            "sharpe": ratio.ravel(),
        }
    )


def break_even_costs(
    gross_returns: pd.DataFrame,
    notional: pd.DataFrame,
    *,
    bars_per_year: int,
    risk_free: float,
    reference: str = "equal_weight",
    max_cost_bps: float = 500.0,
    step_bps: float = 1.0,
) -> pd.DataFrame:
    """Cost at which each strategy's net Sharpe ratio first falls to that of the reference.

    Both pay the same cost per traded notional. A lead that is lost and won back between two
    neighbouring steps is not seen.

    Args:
        gross_returns: Date x strategy, simple returns per bar before costs.
        notional: The same shape, traded notional, fraction of wealth.
        bars_per_year: Bars in a year.
        risk_free: Simple yearly rate.
        reference: Strategy to compare with.
        max_cost_bps: Largest cost considered, one way, in basis points.
        step_bps: Distance of the costs between which the first change of sign is sought.

    Returns:
        One row per other strategy: strategy, reference, lead_without_costs (difference of yearly
        Sharpe ratios at no cost), break_even_bps (blank where there is none) and reason (why
        there is none, else empty).

    Raises:
        DataError: The tables differ in dates or strategies, or a value is blank.
        ParameterError: The reference is unknown, or the range or its step is not positive or
            takes everything in one bar.
    """
    names = list(map(str, gross_returns.columns))
    if reference not in names:
        raise ParameterError(f"reference: '{reference}' is not one of {', '.join(names)}.")
    if not 0.0 < step_bps <= max_cost_bps:
        raise ParameterError(
            "step_bps must be positive and at most max_cost_bps; they are "
            f"{step_bps} and {max_cost_bps}."
        )
    _checked(gross_returns, notional, max_cost_bps)
    grid = np.linspace(0.0, max_cost_bps, int(np.ceil(max_cost_bps / step_bps)) + 1)
    rows = []
    for name in (other for other in names if other != reference):
        pair = [name, reference]

        def lead(costs: np.ndarray, pair: list[str] = pair) -> np.ndarray:
            both = _ratios(gross_returns[pair], notional[pair], costs, bars_per_year, risk_free)
            difference: np.ndarray = both[:, 0] - both[:, 1]
            return difference

        leads = lead(grid)
        found, reason = np.nan, _why_none(leads, reference, max_cost_bps)
        if not reason:
            after = int(np.argmax(leads <= 0.0))
            found = brentq(
                lambda cost, lead=lead: float(lead(np.array([cost]))[0]),
                grid[after - 1],
                grid[after],
                xtol=1e-10,
            )
        rows.append((name, reference, leads[0], found, reason))
    columns = ["strategy", "reference", "lead_without_costs", "break_even_bps", "reason"]
    return pd.DataFrame(rows, columns=columns)


def _why_none(leads: np.ndarray, reference: str, max_cost_bps: float) -> str:
    if not np.isfinite(leads).all():
        return "a Sharpe ratio is not defined, because a return series does not move"
    if leads[0] <= 0.0:
        return f"it does not lead {reference} even without costs"
    if (leads > 0.0).all():
        return f"it still leads {reference} at {max_cost_bps:g} basis points"
    return ""


def _ratios(
    gross_returns: pd.DataFrame,
    notional: pd.DataFrame,
    costs_bps: np.ndarray,
    bars_per_year: int,
    risk_free: float,
) -> np.ndarray:
    """Yearly Sharpe ratios, (C, S): net excess = gross excess - rate x notional x (1 + gross)."""
    gross = gross_returns.to_numpy(dtype=float)
    if len(gross) < 2:
        return np.full((len(costs_bps), gross.shape[1]), np.nan)
    charge = notional.to_numpy(dtype=float) * (1.0 + gross)
    rate = costs_bps[:, None] / 1e4
    excess = gross.mean(axis=0) - per_bar_rate(risk_free, bars_per_year)
    centred, charged = gross - gross.mean(axis=0), charge - charge.mean(axis=0)
    own, mixed, cost = (
        (a * b).sum(axis=0) / (len(gross) - 1)
        for a, b in ((centred, centred), (centred, charged), (charged, charged))
    )
    variance = own - 2.0 * rate * mixed + rate**2 * cost
    moves = variance > _STILL
    deviation = np.sqrt(np.where(moves, variance, 1.0))
    ratio = (excess - rate * charge.mean(axis=0)) / deviation * np.sqrt(bars_per_year)
    result: np.ndarray = np.where(moves, ratio, np.nan)
    return result


def _checked(
    gross_returns: pd.DataFrame, notional: pd.DataFrame, cost_bps: float
) -> tuple[np.ndarray, np.ndarray]:
    same_dates = gross_returns.index.equals(notional.index)
    if not (same_dates and list(gross_returns.columns) == list(notional.columns)):
        raise DataError(
            "gross returns and traded notional must have the same dates and strategies",
            source="notional",
        )
    gross, traded = known_returns(gross_returns.to_numpy(float)), notional.to_numpy(dtype=float)
    if not (np.isfinite(traded).all() and (traded >= 0.0).all()):
        raise DataError("traded notional must be known and not negative", source="notional")
    if not (cost_bps >= 0.0 and cost_bps / 1e4 * traded.max() < 1.0):
        raise ParameterError(
            f"a cost of {cost_bps} basis points is negative or takes all wealth in a bar that "
            f"trades {traded.max():.3f} of it."
        )
    return gross, traded
