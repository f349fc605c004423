"""Where the difference between a forecaster's portfolio and the one without forecasts comes from.

Both portfolios choose from the same assets with the same covariance and the same weight limits;
the reference ("MVO-flat") is told nothing about expected returns. The difference of their yearly
mean net returns is the sum of three parts, all of the forecaster minus the reference:

- *selection*: Σ (difference of weights) x (return of the asset), over the bars on which the
  forecaster holds a portfolio that its forecasts chose. What acting on the forecasts earned
  before costs, asset by asset.
- *fallback*: the same sum over the bars on which it holds a fallback, because no feasible portfolio
  was expected to beat the risk-free return (or the solver failed). Where the fallback is the
  reference portfolio itself this is zero, up to assets that had no forecast: a forecaster that
  gives up neither wins nor loses by it, but it stops selecting.
- *costs*: less what it paid for trading, plus what the reference paid, on all bars.

Arithmetic means add up; compounded growth would not. So the total is the difference of mean
returns, not of cagr.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.economics.trades import held_weights, moves_of

PARTS = ("selection", "costs", "fallback")
_SAME = 1e-12
"""Difference in a bar's return above which weights and returns are not of one run."""


@dataclass(frozen=True)
class Attribution:
    """The parts of every difference; each row of each table adds up.

    Attributes:
        total: strategy, reference, selection, costs, fallback, difference (mean net return
            of the strategy less that of the reference, per bar x bars_per_year: the sum of the
            three parts), bars and fallback_bars (bars on which a fallback was held).
        by_asset: strategy, asset, selection, fallback; sums over assets are those of ``total``.
            Largest selection first.
        by_year: strategy, year, and as ``total`` over the bars of that year alone; weighted by
            ``bars`` they average to ``total``.
    """

    total: pd.DataFrame
    by_asset: pd.DataFrame
    by_year: pd.DataFrame


def attribute_differences(
    weights: pd.DataFrame,
    decisions: pd.DataFrame,
    returns: pd.DataFrame,
    gross_returns: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    *,
    strategies: Sequence[str],
    bars_per_year: int,
    reference: str = "mvo_flat",
) -> Attribution:
    """Split each strategy's lead over the reference into selection, costs and fallbacks.

    Args:
        weights: Tidy: date (the bar earned), strategy, asset, weight.
        decisions: Tidy: strategy, first_earned (blank if never traded), fallback.
        returns: Simple returns, date x asset, covering every bar held; blank adds nothing.
        gross_returns: Date x strategy, simple returns per bar before costs.
        strategy_returns: The same after costs.
        strategies: The forecasters to explain.
        bars_per_year: Bars in a year.
        reference: The portfolio without forecasts.

    Raises:
        DataError: The tables do not belong together: other dates, an asset without returns, or
            weights that do not earn the gross returns.
        ParameterError: A strategy or the reference is unknown, or is compared with itself.
    """
    _refuse_strange(strategies, reference, strategy_returns)
    if not gross_returns.index.equals(strategy_returns.index):
        raise DataError("gross and net returns must have the same dates", source="gross_returns")
    dates = pd.DatetimeIndex(strategy_returns.index)
    base = _earned(weights, returns, gross_returns, reference)
    paid = gross_returns - strategy_returns
    totals: list[dict[str, object]] = []
    years: list[dict[str, object]] = []
    assets = []
    for strategy in strategies:
        own = _earned(weights, returns, gross_returns, strategy)
        lead = own.sub(base, fill_value=0.0)
        fallen = _on_fallback(decisions, strategy, dates)
        bars = pd.DataFrame(
            {
                "selection": np.where(fallen, 0.0, lead.sum(axis=1)),
                "costs": paid[reference] - paid[strategy],
                "fallback": np.where(fallen, lead.sum(axis=1), 0.0),
                "difference": strategy_returns[strategy] - strategy_returns[reference],
                "fallen": fallen,
            },
            index=dates,
        )
        head = {"strategy": strategy, "reference": reference}
        totals.append(head | _yearly(bars, bars_per_year))
        years.extend(
            head | {"year": int(year)} | _yearly(part, bars_per_year)
            for year, part in bars.groupby(dates.year)
        )
        scale = bars_per_year / len(dates)
        table = pd.DataFrame(
            {"selection": lead[~fallen].sum() * scale, "fallback": lead[fallen].sum() * scale}
        )
        table = table.rename_axis(index="asset").reset_index()
        table.insert(0, "strategy", strategy)
        assets.append(table.sort_values("selection", ascending=False))
    return Attribution(
        total=pd.DataFrame(totals),
        by_asset=pd.concat(assets, ignore_index=True),
        by_year=pd.DataFrame(years),
    )


def _yearly(bars: pd.DataFrame, bars_per_year: int) -> dict[str, object]:
    parts: dict[str, object] = {
        name: float(bars[name].mean() * bars_per_year) for name in (*PARTS, "difference")
    }
    return parts | {"bars": len(bars), "fallback_bars": int(bars["fallen"].sum())}


def _earned(
    weights: pd.DataFrame, returns: pd.DataFrame, gross_returns: pd.DataFrame, strategy: str
) -> pd.DataFrame:
    """Weight x return of every asset on every bar, date x asset; its row sums are gross returns."""
    held = held_weights(weights, strategy, pd.DatetimeIndex(gross_returns.index))
    earned: pd.DataFrame = held * np.nan_to_num(moves_of(held, returns), nan=0.0)
    gap = (earned.sum(axis=1) - gross_returns[strategy]).abs()
    if not (gap <= _SAME).all():
        raise DataError(
            f"the weights of '{strategy}' do not earn its gross return",
            source="gross_returns",
            date=pd.Timestamp(gap.index[int(np.argmax(~(gap <= _SAME)))]),
            remedy="hand over weights, prices and returns of one evaluation.",
        )
    return earned


def _on_fallback(decisions: pd.DataFrame, strategy: str, dates: pd.DatetimeIndex) -> np.ndarray:
    """Whether the portfolio of each bar was chosen by a fallback, (T,) bool."""
    own = decisions[(decisions["strategy"] == strategy) & decisions["first_earned"].notna()]
    own = own.sort_values("first_earned")
    last = pd.DatetimeIndex(own["first_earned"]).searchsorted(dates, side="right") - 1
    if not len(own) or (last < 0).any():
        raise DataError(
            f"a bar of '{strategy}' comes before its first decision",
            source="decisions",
            date=pd.Timestamp(dates[0]),
            remedy="hand over decisions and returns of one evaluation.",
        )
    fallen: np.ndarray = own["fallback"].to_numpy(dtype=bool)[last]
    return fallen


def _refuse_strange(
    strategies: Sequence[str], reference: str, strategy_returns: pd.DataFrame
) -> None:
    names = list(map(str, strategy_returns.columns))
    for name in (reference, *strategies):
        if name not in names:
            raise ParameterError(f"'{name}' is not one of the strategies {', '.join(names)}.")
    if reference in strategies:
        raise ParameterError(f"'{reference}' cannot be compared with itself.")
