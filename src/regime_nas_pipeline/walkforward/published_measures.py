"""Our figures by every definition that a publication may have used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.portfolio.metrics import performance, sharpe_cagr
from regime_nas_pipeline.verdict.accuracy import NO_CHANGE
from regime_nas_pipeline.verdict.comparison.words import SHARPE_TESTS
from regime_nas_pipeline.verdict.published import QUANTITIES

MONTHS_PER_YEAR = 12

Place = tuple[str, str, str]
"""Definition, strategy or forecaster, and what stands beside it."""


def measured_figures(
    *,
    strategy_returns: pd.DataFrame,
    strategy_figures: Mapping[str, Mapping[str, Any]],
    forecast_figures: Mapping[str, Mapping[str, Any]],
    spread_calibration: pd.DataFrame,
    comparison_tests: pd.DataFrame,
    group_exposures: pd.DataFrame,
    risk_free: float,
) -> dict[Place, float | None]:
    """Every figure of a run that can stand beside a published one.

    Figures ending in ``_monthly`` are those of returns compounded over calendar months, of which
    the first and the last may be cut short; CAGR stays that of all bars.

    Args:
        strategy_returns: Date x strategy, simple returns per bar, net of costs.
        strategy_figures: Strategy to its figures of the evaluation.
        forecast_figures: Forecaster to its figures of accuracy.
        spread_calibration: Tidy: date, forecaster, predicted_spread, realised_spread.
        comparison_tests: Rows of
            :func:`~regime_nas_pipeline.verdict.comparison.table.comparison_table`.
        group_exposures: Tidy: strategy, group, mean_weight. A group of which a strategy never
            held anything counts 0.
        risk_free: Simple yearly rate.

    Returns:
        Definition, owner and what stands beside it, to the figure; None where it is undefined.
    """
    return {
        **dict(_of_strategies(strategy_returns, strategy_figures, risk_free)),
        **dict(_of_forecasters(forecast_figures, spread_calibration)),
        **dict(_of_pairs(comparison_tests)),
        **dict(_of_groups(group_exposures)),
    }


def _of_strategies(
    returns: pd.DataFrame, figures: Mapping[str, Mapping[str, Any]], risk_free: float
) -> Iterator[tuple[Place, float | None]]:
    wealth = (1.0 + returns).groupby(pd.DatetimeIndex(returns.index).to_period("M")).prod()
    for name, own in figures.items():
        months = performance(wealth[name] - 1.0, bars_per_year=MONTHS_PER_YEAR, risk_free=risk_free)
        fall = months["max_drawdown"]
        of_months = {
            "volatility": months["volatility"],
            "sharpe": months["sharpe"],
            "sharpe_cagr": sharpe_cagr({**months, "cagr": own["cagr"]}, risk_free),
            "max_drawdown": fall,
            "calmar": own["cagr"] / abs(fall) if fall and own["cagr"] is not None else None,
        }
        every = {
            **{f"{key}_monthly": value for key, value in of_months.items()},
            **{key: own[key] for key in ("cagr", "volatility", "sharpe", "max_drawdown", "calmar")},
            "sharpe_cagr": sharpe_cagr(own, risk_free),
            "total_return": float(np.prod(1.0 + returns[name].to_numpy(dtype=float)) - 1.0),
            "turnover": own["turnover"],
        }
        yield from (((key, name, ""), value) for key, value in every.items())


def _of_forecasters(
    figures: Mapping[str, Mapping[str, Any]], spreads: pd.DataFrame
) -> Iterator[tuple[Place, float | None]]:
    for name, own in figures.items():
        if name != NO_CHANGE:
            for quantity in ("mae", "rmse", "r2", "rank_ic"):
                for key in QUANTITIES[quantity].definitions:
                    yield (key, name, ""), own[key]
    for owner, dates in spreads.groupby("forecaster", sort=False):
        for key in ("predicted_spread", "realised_spread"):
            yield (key, str(owner), ""), float(dates[key].mean())


def _of_pairs(tests: pd.DataFrame) -> Iterator[tuple[Place, float | None]]:
    """A pair is tested once; asked for the other way round, the statistic changes its sign."""
    for row in tests[tests["test"].isin(SHARPE_TESTS)].to_dict("records"):
        z = None if pd.isna(row["statistic"]) else float(row["statistic"])
        yield (row["test"], row["subject"], row["against"]), z
        yield (row["test"], row["against"], row["subject"]), None if z is None else -z


def _of_groups(exposures: pd.DataFrame) -> Iterator[tuple[Place, float | None]]:
    owners, groups = exposures["strategy"], exposures["group"]
    held = dict(zip(zip(owners, groups, strict=True), exposures["mean_weight"], strict=True))
    for name, group in product(owners.unique(), groups.unique()):
        yield ("mean_weight", str(name), str(group)), float(held.get((name, group), 0.0))
