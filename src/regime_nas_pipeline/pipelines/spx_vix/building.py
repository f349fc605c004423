"""From typed parameters to labellers, classifiers and rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.params import build
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.pipelines.common import market_of
from regime_nas_pipeline.pipelines.spx_vix.parameters import Classifier, ExposureRules, SpxVix
from regime_nas_pipeline.portfolio.exposure.engine import Terms
from regime_nas_pipeline.portfolio.exposure.rules import (
    BuyAndHold,
    CalmOnly,
    ExposureRule,
    Levered,
    ProbabilityWeighted,
    VolatilityTarget,
)
from regime_nas_pipeline.regimes.base import Labeller
from regime_nas_pipeline.regimes.classifier import TRAINING, RegimeClassifier
from regime_nas_pipeline.regimes.classifier_targets import Target
from regime_nas_pipeline.walkforward.label_sets import LabellerPlan
from regime_nas_pipeline.walkforward.parameters import Compute, Portfolio, Universe, WalkForward


def labeller_plans(spx_vix: SpxVix, seed: int) -> dict[str, LabellerPlan]:
    """Name to labeller."""
    return {
        name: LabellerPlan(build(entry, Labeller, seed=seed), entry.n_regimes)
        for name, entry in spx_vix.labellers.items()
    }


def classifier_of(
    classifier: Classifier, compute: Compute, *, target: Target, lead: int
) -> RegimeClassifier:
    """The classifier of one target."""
    return RegimeClassifier(
        target=target,
        lead=lead,
        training=replace(TRAINING, max_samples=classifier.max_samples),
        n_seeds=classifier.n_seeds,
        seed=compute.seed,
        device=compute.device,
    )


def targets_of(classifier: Classifier) -> dict[str, tuple[Target, int]]:
    """Name of a target to what it asks and how many bars ahead."""
    targets: dict[str, tuple[Target, int]] = {"label": ("label", classifier.lead)}
    for bars in classifier.switch_within:
        targets[f"switch_{bars}"] = ("switch", bars)
    return targets


def rules_of(exposure: ExposureRules) -> list[ExposureRule]:
    """The exposure strategies, buy and hold first."""
    control = exposure.volatility_target
    return [
        BuyAndHold(),
        CalmOnly(calm=exposure.calm),
        Levered(in_calm=exposure.in_calm, otherwise=exposure.otherwise, calm=exposure.calm),
        ProbabilityWeighted(by_regime=exposure.by_regime),
        VolatilityTarget(target=control.target, cap=control.cap, window=control.window),
    ]


def terms_of(
    walk_forward: WalkForward, portfolio: Portfolio, exposure: ExposureRules, bars_per_year: int
) -> Terms:
    """What an investor has to live with."""
    return Terms(
        execution_lag=walk_forward.execution_lag,
        cost_bps=portfolio.cost_bps,
        cash_rate=portfolio.risk_free,
        financing_spread=exposure.financing_spread,
        bars_per_year=bars_per_year,
    )


def index_market(prices: pd.DataFrame, universe: Universe) -> Market:
    """The index, and what is observed beside it.

    Nothing is chosen, so that the index belongs to its universe from its first bar on.
    """
    return market_of(prices, universe.model_copy(update={"min_history": 1}))


def index_returns(market: Market) -> pd.Series:
    """Simple return of the index per bar, by date; the first is blank."""
    returns: np.ndarray = np.full(len(market.dates), np.nan)
    returns[1:] = market.benchmark[1:] / market.benchmark[:-1] - 1.0
    return pd.Series(returns, index=market.dates, name=market.benchmark_name)


def first_judged(market: Market, walk_forward: WalkForward) -> int:
    """Row of the first bar that is decided on out of sample."""
    return int(market.dates.searchsorted(walk_forward.first_oos_stamp))


def index_levels(prices: pd.DataFrame, universe: Universe) -> pd.Series:
    """Close of the index by date."""
    market = index_market(prices, universe)
    return pd.Series(market.benchmark, index=market.dates, name=market.benchmark_name)
