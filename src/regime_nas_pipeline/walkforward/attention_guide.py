"""The attention guide run as it should be: one asset, folds of half a year, four forecasters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.exposure.engine import Terms
from regime_nas_pipeline.portfolio.exposure.results import figures_table
from regime_nas_pipeline.verdict.comparison.ledoit_wolf import N_RESAMPLES
from regime_nas_pipeline.walkforward.attention_walks import Shuffles, WalkInspection
from regime_nas_pipeline.walkforward.exposures import exposure_tests
from regime_nas_pipeline.walkforward.folds import Fold, make_folds
from regime_nas_pipeline.walkforward.forecasts import WalkForwardForecasts, walk_all
from regime_nas_pipeline.walkforward.guide_attention import ONE_BY_ONE, inspect_walk
from regime_nas_pipeline.walkforward.guide_parameters import AttentionGuide
from regime_nas_pipeline.walkforward.guide_scores import fold_table, range_table
from regime_nas_pipeline.walkforward.guide_strategy import (
    asset_returns,
    break_even_costs,
    long_or_flat,
    threshold_curve,
)


@dataclass(frozen=True, eq=False)
class GuideWalk:
    """Every forecaster walked over the same folds.

    Attributes:
        folds: Expanding from the first bar on.
        walked: Forecaster to its forecasts and checkpoints.
    """

    folds: list[Fold]
    walked: Mapping[str, WalkForwardForecasts]

    def means(self) -> dict[str, pd.Series]:
        """Forecaster to its expected log return by decision date."""
        return {
            name: each.forecasts.set_index("date")["mean"].astype(float)
            for name, each in self.walked.items()
        }

    def forecasts(self) -> pd.DataFrame:
        """The forecasts of all forecasters in one tidy table, ``model`` first."""
        tables = [each.forecasts.assign(model=name) for name, each in self.walked.items()]
        table = pd.concat(tables, ignore_index=True)
        return table[["model", *(name for name in table.columns if name != "model")]]


@dataclass(frozen=True, eq=False)
class GuideResults:
    """What came of the guide.

    Attributes:
        folds: See :func:`~.guide_scores.fold_table`.
        ranges: See :func:`~.guide_scores.range_table`.
        curve: See :func:`~.guide_strategy.threshold_curve`.
        break_even: See :func:`~.guide_strategy.break_even_costs`.
        figures: Strategies over all bars, see
            :func:`~regime_nas_pipeline.portfolio.exposure.results.figures_table`.
        tests: Against buy and hold, see :func:`~.exposures.exposure_tests`.
        net: Net returns, date x strategy.
        forecasts: Tidy: model, date, asset, mean, ….
        attention: What the Transformer looks at and hangs on; None where none is inspected.
    """

    folds: pd.DataFrame
    ranges: pd.DataFrame
    curve: pd.DataFrame
    break_even: pd.DataFrame
    figures: pd.DataFrame
    tests: pd.DataFrame
    net: pd.DataFrame
    forecasts: pd.DataFrame
    attention: WalkInspection | None


def check_market(market: Market, guide: AttentionGuide) -> None:
    """Refuse a market that the guide cannot be walked over.

    Args:
        market: One asset.
        guide: Says how many bars come before the first decision.

    Raises:
        DataError: There are several assets, or too few bars.
    """
    asset_returns(market)
    if guide.first_training_bars >= len(market.dates):
        raise DataError(
            f"the guide trains on {guide.first_training_bars} bars before its first decision, and "
            f"there are {len(market.dates)}",
            source="prices",
            remedy="bring a longer history, or lower attention_guide.first_training_bars.",
        )


def guide_walk(
    market: Market,
    forecasters: Mapping[str, Forecaster],
    guide: AttentionGuide,
    *,
    cache: PieceCache,
    n_jobs: int = 1,
    name: str = "",
) -> GuideWalk:
    """Fit every forecaster on expanding windows and forecast every bar of every fold.

    Args:
        market: One asset.
        forecasters: Name to prototype; all of horizon 1 and of one execution lag.
        guide: Gives the folds.
        cache: Where finished folds are kept.
        n_jobs: Processes.
        name: What the progress bar says; no bar where empty.

    Raises:
        DataError: There are several assets, or too few bars.
        ParameterError: The forecasters forecast different returns, or not that of one bar.
    """
    targets = {(each.horizon, each.execution_lag) for each in forecasters.values()}
    if len(targets) != 1 or next(iter(targets))[0] != 1:
        raise ParameterError(
            "the forecasters of the attention guide must forecast the return of one bar, all after "
            "the same execution lag."
        )
    check_market(market, guide)
    folds = make_folds(
        market,
        first_oos=market.dates[guide.first_training_bars],
        refit_every=guide.refit_every,
        rebalance_every=1,
        execution_lag=next(iter(targets))[1],
    )
    walked = walk_all(forecasters, market, folds, cache=cache, n_jobs=n_jobs, name=name)
    return GuideWalk(folds, walked)


def attention_guide(
    market: Market,
    forecasters: Mapping[str, Forecaster],
    guide: AttentionGuide,
    terms: Terms,
    *,
    cache: PieceCache,
    n_jobs: int = 1,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    name: str = "",
) -> GuideResults:
    """Walk, trade and inspect.

    Args:
        market: One asset, observed series aside.
        forecasters: See :meth:`~.guide_parameters.AttentionGuide.build`.
        guide: Folds, thresholds and inspection.
        terms: Costs and rates; the lag is that of the forecasters.
        cache: Where finished folds are kept.
        n_jobs: Processes.
        n_resamples: Resamples of the tests against buy and hold.
        seed: Of these, and of the shuffles.
        name: What the progress bar says; no bar where empty.

    Raises:
        DataError: See :func:`guide_walk`; or fewer than 30 bars are earned.
        ParameterError: See :func:`guide_walk`; or what is to be inspected is no network with
            attention.
    """
    inspected = None if guide.inspected is None else network_of(forecasters, guide.inspected)
    walk = guide_walk(market, forecasters, guide, cache=cache, n_jobs=n_jobs, name=name)
    means = walk.means()
    lag = next(iter(forecasters.values())).execution_lag
    terms = replace(terms, execution_lag=lag)
    results = long_or_flat(market, means, terms, guide.threshold)
    folds = fold_table(market, walk.folds, means, results, terms, level=guide.level)
    attention = None
    if guide.inspected is not None and inspected is not None:
        attention = inspect_walk(
            inspected,
            walk.walked[guide.inspected],
            market,
            walk.folds,
            shuffles=Shuffles(guide.block, guide.n_repeats, seed),
            level=guide.level,
            cache=cache,
            n_jobs=n_jobs,
            name=f"{name}: attention" if name else "",
        )
    return GuideResults(
        folds=folds,
        ranges=range_table(folds, terms.bars_per_year),
        curve=threshold_curve(market, means, terms, guide.thresholds),
        break_even=break_even_costs(market, means, terms, guide.threshold),
        figures=figures_table(
            results, cash_rate=terms.cash_rate, bars_per_year=terms.bars_per_year
        ),
        tests=exposure_tests(results, terms, n_resamples=n_resamples, seed=seed),
        net=results.column("net"),
        forecasts=walk.forecasts(),
        attention=attention,
    )


def network_of(forecasters: Mapping[str, Forecaster], name: str) -> NeuralForecaster:
    """The forecaster whose attention is read.

    Raises:
        ParameterError: It is no network, or one that sees all assets at once.
    """
    chosen = forecasters[name]
    if not isinstance(chosen, NeuralForecaster):
        raise ParameterError(f"{name} is no network, so it has no attention.")
    if chosen.mode != "pooled":
        raise ParameterError(ONE_BY_ONE)
    return chosen
