"""Nodes of the regime-labelling pipeline."""

from __future__ import annotations

import pandas as pd

from regime_nas_pipeline.core.params import build
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.pipelines.common import market_of
from regime_nas_pipeline.regimes.base import Labeller
from regime_nas_pipeline.regimes.criterion import choose_n_regimes, with_n_regimes
from regime_nas_pipeline.regimes.schedule import label_online, label_walk, refit_dates
from regime_nas_pipeline.walkforward.parameters import Compute, Regimes, Universe


def label_regimes(
    prices: pd.DataFrame, universe: Universe, regimes: Regimes, compute: Compute
) -> pd.DataFrame:
    """Date x probability of each regime, each row from what was known at its close."""
    market = market_of(prices, universe)
    return label_online(
        market,
        _labeller(market, regimes, compute),
        burn_in=regimes.burn_in,
        refit_every=regimes.refit_every,
        freeze_after=regimes.freeze_after,
    )


def label_and_record(
    prices: pd.DataFrame, universe: Universe, regimes: Regimes, compute: Compute
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The labels of :func:`label_regimes`, and what every refit did to them.

    Returns:
        Date x probability of each regime; and one row per fit of the labeller: whether it
        switched the label, and how much of the past it would label otherwise.
    """
    market = market_of(prices, universe)
    walk = label_walk(
        market,
        _labeller(market, regimes, compute),
        burn_in=regimes.burn_in,
        refit_every=regimes.refit_every,
        freeze_after=regimes.freeze_after,
    )
    return walk.labels, walk.refits


def _labeller(market: Market, regimes: Regimes, compute: Compute) -> Labeller:
    """The chosen labeller, with the number of regimes that is asked for or chosen."""
    labeller: Labeller = build(regimes.labeller, Labeller, seed=compute.seed)
    if regimes.n_regimes is None:
        return labeller
    if regimes.n_regimes != "auto":
        return with_n_regimes(labeller, regimes.n_regimes)
    first = refit_dates(
        market,
        burn_in=regimes.burn_in,
        refit_every=regimes.refit_every,
        freeze_after=regimes.freeze_after,
    )[0]
    return with_n_regimes(labeller, choose_n_regimes(labeller, market.until(first)).n_regimes)
