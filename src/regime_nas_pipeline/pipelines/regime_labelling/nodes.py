"""Node of the regime-labelling pipeline."""

from __future__ import annotations

import pandas as pd

from regime_nas_pipeline.core.params import build
from regime_nas_pipeline.pipelines.common import market_of
from regime_nas_pipeline.regimes.base import Labeller
from regime_nas_pipeline.regimes.schedule import label_online
from regime_nas_pipeline.walkforward.parameters import Compute, Regimes, Universe


def label_regimes(
    prices: pd.DataFrame, universe: Universe, regimes: Regimes, compute: Compute
) -> pd.DataFrame:
    """Date x probability of each regime, each row from what was known at its close."""
    labeller = build(regimes.labeller, Labeller, seed=compute.seed)
    return label_online(
        market_of(prices, universe),
        labeller,
        burn_in=regimes.burn_in,
        refit_every=regimes.refit_every,
        freeze_after=regimes.freeze_after,
    )
