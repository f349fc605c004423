"""What is wanted at every decision date: the universe, its risk, and the allocator's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, code_version, content_hash
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import Allocator
from regime_nas_pipeline.portfolio.covariance import with_volatility
from regime_nas_pipeline.portfolio.expanding_covariance import ExpandingCovariance
from regime_nas_pipeline.walkforward.forecasts import class_content

NOT_KEPT = PieceCache(None)
"""For decisions that are made anew every time."""

_LOGGED = ("fallback", "reason", "n_assets")


@dataclass(frozen=True)
class TradingRules:
    """What every strategy has to live with.

    Attributes:
        horizon: Bars over which risk and return are weighed.
        execution_lag: Bars between decision and trade.
        cost_bps: One-way cost per traded notional, in basis points.
        risk_free: Simple yearly rate.
    """

    horizon: int
    execution_lag: int
    cost_bps: float
    risk_free: float


@dataclass(frozen=True)
class Choices:
    """What may be chosen from at one decision: assets (positions) and their covariance."""

    assets: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True)
class Decided:
    """What is wanted at every decision date, before anything is traded.

    Attributes:
        targets: Decision date x asset: fraction of wealth wanted.
        decisions: One row per decision date: fallback (bool), reason, n_assets.
    """

    targets: pd.DataFrame
    decisions: pd.DataFrame


def choices_at(
    market: Market,
    dates: pd.DatetimeIndex,
    horizon: int,
    volatility: np.ndarray | None = None,
) -> dict[pd.Timestamp, Choices]:
    """The universe and its covariance at every decision date, from data up to that date.

    Args:
        market: Prices.
        dates: Decision dates, length D.
        horizon: Bars of the covariance.
        volatility: (D, N) h-bar volatility forecasts that rescale the covariance; None for
            Ledoit-Wolf alone. An asset without one keeps its Ledoit-Wolf volatility.

    Raises:
        DataError: No asset is in the universe at a date.
    """
    found = {}
    expanding = ExpandingCovariance(market.log_returns, market.assets)
    for i, date in enumerate(dates):
        # Returns and eligibility of a bar depend on bars up to it alone, so that the rows of the
        # whole market are those of ``market.until(date)`` without a copy for every date.
        rows = int(market.dates.searchsorted(date, side="right"))
        assets = np.flatnonzero(market.eligible[:rows][-1])
        if not len(assets):
            raise DataError(
                "no asset is in the universe on this decision date",
                source="prices",
                date=date,
                remedy="set walk_forward.first_oos later or universe.min_history lower, or check "
                "universe.membership.",
            )
        covariance = expanding.until(rows, assets, horizon)
        if volatility is not None:
            own = np.sqrt(np.diag(covariance))
            wanted = np.where(np.isfinite(volatility[i, assets]), volatility[i, assets], own)
            names = [market.assets[column] for column in assets]
            covariance = with_volatility(covariance, wanted, assets=names)
        found[date] = Choices(assets, covariance)
    return found


def decide(
    market: Market,
    choices: Mapping[pd.Timestamp, Choices],
    allocator: Allocator,
    rules: TradingRules,
    mean: np.ndarray | None = None,
) -> Decided:
    """Allocate at every decision date.

    Args:
        market: Gives the assets and the bars of a year.
        choices: Universe and covariance per decision date.
        allocator: Turns moments into weights.
        rules: Horizon and risk-free rate.
        mean: (D, N) forecast log returns over the horizon; None for allocators that need none.
            An asset without a forecast cannot be chosen.

    Raises:
        DataError: At some date there is a forecast for no asset of the universe.
    """
    years = rules.horizon / market.bars_per_year
    risk_free = (1.0 + rules.risk_free) ** years - 1.0
    targets = np.zeros((len(choices), len(market.assets)))
    rows = []
    for i, (date, choice) in enumerate(choices.items()):
        keep = np.ones(len(choice.assets), dtype=bool)
        expected = None
        if mean is not None:
            keep = np.isfinite(mean[i, choice.assets])
            expected = mean[i, choice.assets[keep]]
        if not keep.any():
            raise DataError(
                "there is a forecast for no asset of the universe",
                source="forecasts",
                date=date,
                remedy="make the forecasts anew for these decision dates, or raise "
                "universe.min_history to what the forecaster needs.",
            )
        result = allocator.allocate(expected, choice.covariance[np.ix_(keep, keep)], risk_free)
        targets[i, choice.assets[keep]] = result.weights
        rows.append((result.fallback, result.reason, int(keep.sum())))
    dates = pd.DatetimeIndex(list(choices), name="date")
    return Decided(
        pd.DataFrame(targets, index=dates, columns=list(market.assets)),
        pd.DataFrame(rows, columns=list(_LOGGED), index=dates),
    )


def decisions_key(
    market: Market,
    choices: Mapping[pd.Timestamp, Choices],
    allocator: Allocator,
    rules: TradingRules,
    mean: np.ndarray | None = None,
) -> str | None:
    """All that decisions depend on, as what they are kept under.

    None where they are made anew every time: a class typed into a notebook can change while
    nothing that names it does.
    """
    cls = type(allocator)
    if cls.__module__ == "__main__":
        return None
    return content_hash(
        "decisions",
        code_version(),
        class_content(cls),
        {name: repr(value) for name, value in allocator.get_params().items()},
        [rules.horizon, rules.risk_free, market.bars_per_year],
        list(market.assets),
        [date.isoformat() for date in choices],
        *(part for choice in choices.values() for part in (choice.assets, choice.covariance)),
        mean,
    )


def decide_once(
    market: Market,
    choices: Mapping[pd.Timestamp, Choices],
    allocator: Allocator,
    rules: TradingRules,
    mean: np.ndarray | None,
    cache: PieceCache,
) -> Decided:
    """The decisions of :func:`decide`, kept in ``cache`` under all that they depend on."""
    key = decisions_key(market, choices, allocator, rules, mean)
    if cache.directory is None or key is None:
        return decide(market, choices, allocator, rules, mean)

    def make() -> Bundle:
        decided = decide(market, choices, allocator, rules, mean)
        log = decided.decisions
        arrays = {"targets": decided.targets.to_numpy()}
        return Bundle(arrays, {name: log[name].tolist() for name in log.columns})

    piece = cache.get_or_make(key, make)
    dates = pd.DatetimeIndex(list(choices), name="date")
    return Decided(
        pd.DataFrame(piece.arrays["targets"], index=dates, columns=list(market.assets)),
        pd.DataFrame({name: piece.facts[name] for name in _LOGGED}, index=dates),
    )
