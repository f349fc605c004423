"""Node of the ingestion pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.market.raw import RawPrices
from regime_nas_pipeline.market.seal import prepare_sample
from regime_nas_pipeline.pipelines.common import bars_of_a_period, market_of
from regime_nas_pipeline.regimes.schedule import refit_dates
from regime_nas_pipeline.walkforward.parameters import Regimes, Universe, WalkForward


def validate_prices(
    raw: RawPrices, universe: Universe, walk_forward: WalkForward, regimes: Regimes
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """Check, repair and count; nothing is written if anything is wrong.

    Returns:
        Tidy prices up to the seal, those from the seal on (none without a seal), data-quality
        report, data manifest.
    """
    history = max(universe.min_history, regimes.burn_in)
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
        needed_bars=history + walk_forward.execution_lag + walk_forward.horizon,
    )
    # A schedule of labels that cannot be kept is refused here, before anything is written.
    refit_dates(
        market_of(sample.known.prices, universe),
        burn_in=regimes.burn_in,
        refit_every=regimes.refit_every,
        freeze_after=regimes.freeze_after,
    )
    known = sample.known
    return known.prices, sample.sealed, known.quality, known.manifest
