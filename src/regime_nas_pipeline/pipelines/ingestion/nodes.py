"""Node of the ingestion pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.membership_file import read_membership
from regime_nas_pipeline.market.bar_year import bar_year, bars_counted
from regime_nas_pipeline.market.raw import RawPrices, make_note
from regime_nas_pipeline.market.seal import prepare_sample
from regime_nas_pipeline.pipelines.common import bars_of_a_period, market_of
from regime_nas_pipeline.regimes.schedule import refit_dates
from regime_nas_pipeline.walkforward.parameters import Regimes, Universe, WalkForward

_LEAST_ASSETS = 2
"""Assets that there must be to choose between."""

_FAR = 0.1
"""Share by which the bars of a year may miss their number before it is noted."""


def validate_prices(
    raw: RawPrices, universe: Universe, walk_forward: WalkForward, regimes: Regimes
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """Check, repair and count; nothing is written if anything is wrong.

    Returns:
        Tidy prices up to the seal, those from the seal on (none without a seal), data-quality
        report, data manifest.
    """
    checked = checked_prices(raw, universe, walk_forward, history=regimes.burn_in)
    # A schedule of labels that cannot be kept is refused here, before anything is written.
    refit_dates(
        market_of(checked[0], universe),
        burn_in=regimes.burn_in,
        refit_every=regimes.refit_every,
        freeze_after=regimes.freeze_after,
    )
    return checked


def refuse_one_asset(pipeline: Pipeline, parameters: Mapping[str, Any]) -> None:
    """Refuse to compare forecasters on one asset, before prices are read.

    Args:
        pipeline: What is to be run; only one with :func:`validate_prices` is looked at.
        parameters: Of the environment, as they are written.

    Raises:
        ParameterError: The assets are named and there is nothing to choose between.
    """
    universe = parameters["universe"]
    assets = universe.get("assets")
    if not assets or not any(node.func is validate_prices for node in pipeline.nodes):
        return
    chosen = {*assets, *([universe["benchmark"]] if universe.get("benchmark_tradable") else [])}
    if len(chosen) < _LEAST_ASSETS:
        raise ParameterError(
            f"universe.assets leaves one index ({', '.join(chosen)}), and the forecasters of these "
            f"pipelines are compared by what they choose among at least {_LEAST_ASSETS} assets. "
            "For the experiment on one index add --pipelines=spx_vix; for this one name more "
            "assets, or another --env."
        )


def checked_prices(
    raw: RawPrices,
    universe: Universe,
    walk_forward: WalkForward,
    *,
    history: int,
    least_assets: int = _LEAST_ASSETS,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """What :func:`validate_prices` returns, for any experiment.

    Args:
        raw: What the source delivers.
        universe: Which assets, over which dates.
        walk_forward: First out-of-sample day, lag and horizon.
        history: Bars that whatever comes first needs.
        least_assets: Assets to choose between that there must be.
    """
    file = universe.membership
    needed = max(universe.min_history, history)
    sample = prepare_sample(
        raw,
        sealed_from=universe.sealed_from,
        period=bars_of_a_period(walk_forward),
        assets=universe.assets,
        benchmark=universe.benchmark,
        benchmark_tradable=universe.benchmark_tradable,
        start=universe.start,
        end=universe.end,
        max_gap=universe.max_gap,
        first_oos=walk_forward.first_oos,
        needed_bars=needed + walk_forward.execution_lag + walk_forward.horizon,
        calendar=universe.calendar,
        late_closes=universe.late_closes,
        membership=None if file is None else read_membership(Path(file)),
        observed=universe.observed,
        least_assets=least_assets,
    )
    known = sample.known
    year, notes = _bars_of_a_year(known.prices, universe)
    quality = {**known.quality, "notes": [*known.quality["notes"], *notes]}
    return known.prices, sample.sealed, quality, {**known.manifest, "bars_per_year": year}


def _bars_of_a_year(
    prices: pd.DataFrame, universe: Universe
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The number that yearly figures are scaled by, whence it is, and a note if it fits badly."""
    dates = pd.DatetimeIndex(prices["date"].unique())
    year = bar_year(universe.bars_per_year, dates)
    counted = bars_counted(dates)
    notes = []
    if counted is not None and abs(counted / year.value - 1.0) > _FAR:
        detail = (
            f"The prices have {counted:.1f} bars a year and yearly figures are scaled by "
            f"{year.value} (universe.bars_per_year)."
        )
        notes.append(make_note("bars_per_year", detail))
    return asdict(year), notes
