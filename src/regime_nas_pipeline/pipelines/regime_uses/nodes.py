"""Nodes of the experiment on what regime labels are worth: labels, trades, training."""

from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import build
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.pipelines.common import (
    allocator_of,
    folds_of,
    market_of,
    rules_of,
    sample_of,
)
from regime_nas_pipeline.pipelines.regime_uses.parameters import RegimeUses
from regime_nas_pipeline.portfolio.allocate import MinimumVariance
from regime_nas_pipeline.portfolio.exposure.rules import VolatilityTarget
from regime_nas_pipeline.regimes.base import Labeller
from regime_nas_pipeline.walkforward.building import Shared, build_forecaster
from regime_nas_pipeline.walkforward.candidates import Trading
from regime_nas_pipeline.walkforward.evaluation_ledger import (
    hash_of_evaluated_closes,
    hash_of_settings,
    variant_rows,
)
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.label_sets import LabellerPlan, stacked, unstacked
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    ForecasterChoice,
    Portfolio,
    Training,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.regime_uses.base import (
    rebuild,
    refuse_other_returns,
)
from regime_nas_pipeline.walkforward.regime_uses.labels import (
    all_exposures,
    label_all,
    refuse_late_labels,
)
from regime_nas_pipeline.walkforward.regime_uses.supervision import run_supervision
from regime_nas_pipeline.walkforward.regime_uses.trading import (
    figures_table,
    returns_table,
    trade_uses,
    variant_returns,
)
from regime_nas_pipeline.walkforward.seeded_walks import joined_folds

ORIGIN = "regime_uses"


def label(
    prices: pd.DataFrame,
    universe: Universe,
    walk_forward: WalkForward,
    regime_uses: RegimeUses,
    compute: Compute,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Labels of every labeller as known on the day, tidy; and what the labellers are."""
    market = market_of(prices, universe)
    plans = {
        name: LabellerPlan(build(entry, Labeller, seed=compute.seed), entry.n_regimes)
        for name, entry in regime_uses.labellers.items()
    }
    labels, fits = label_all(
        market,
        plans,
        burn_in=regime_uses.burn_in,
        refit_every=regime_uses.refit_every,
        n_jobs=compute.n_jobs,
    )
    refuse_late_labels(labels, folds_of(market, walk_forward)[0].decisions[0])
    facts = {
        name: {
            "class": entry.class_path,
            "regimes": list(map(str, labels[name].columns)),
            "fits": fits[name],
        }
        for name, entry in regime_uses.labellers.items()
    }
    return stacked(labels), facts


def trade_with_labels(
    *,
    prices: pd.DataFrame,
    labels: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    gross_returns: pd.DataFrame,
    run_facts: dict[str, Any],
    regime_uses: RegimeUses,
    universe: Universe,
    walk_forward: WalkForward,
    portfolio: Portfolio,
    compute: Compute,
    **forecasts: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Lay labels over every strategy of the run, and let covariances depend on them.

    Returns:
        Rows for the ledger of evaluations, net returns, figures, and how covariances were blended.
    """
    market = market_of(prices, universe)
    folds = folds_of(market, walk_forward)
    base = rebuild(
        market,
        folds,
        forecasts,
        allocator=allocator_of(portfolio),
        minimum_variance=MinimumVariance(portfolio.max_weight, portfolio.solver),
        rules=rules_of(walk_forward, portfolio),
        volatility_from=portfolio.volatility_from,
    )
    refuse_other_returns(base, strategy_returns, gross_returns)
    rule, tables = regime_uses.overlay, unstacked(labels)
    exposures = all_exposures(
        market,
        tables,
        VolatilityTarget(**rule.volatility_target.model_dump()),
        calm=rule.calm,
        in_calm=rule.in_calm,
        otherwise=rule.otherwise,
    )
    traded = trade_uses(
        base,
        tables,
        exposures,
        prior_bars=regime_uses.covariance.prior_bars,
        n_jobs=compute.n_jobs,
    )
    rows = variant_rows(
        variant_returns(base, traded),
        origin=ORIGIN,
        closes_hash=hash_of_evaluated_closes(market, folds),
        settings_hash=hash_of_settings(universe, walk_forward, portfolio, compute.seed),
        cost_bps=portfolio.cost_bps,
        run_facts=run_facts,
    )
    return rows, returns_table(traded), figures_table(base, traded), traded.blends


def supervise(
    *,
    prices: pd.DataFrame,
    labels: pd.DataFrame,
    cache: PieceCache,
    found: dict[str, Any],
    run_facts: dict[str, Any],
    forecaster: ForecasterChoice,
    regime_uses: RegimeUses,
    universe: Universe,
    walk_forward: WalkForward,
    training: Training,
    portfolio: Portfolio,
    compute: Compute,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Train the found network on the labels of each labeller, on shuffled ones and on none.

    Returns:
        Rows for the ledger of evaluations, results (variant, seed, metric, value), what was run.
    """
    settings = regime_uses.supervision
    market = market_of(prices, universe)
    folds: list[Fold] = joined_folds(folds_of(market, walk_forward), settings.folds)
    full = build_forecaster(
        forecaster, Shared(walk_forward, training, compute), found["parameters"]
    )
    if not isinstance(full, RegimeNasForecaster):
        raise ParameterError(
            "regime_uses teaches the detector of a RegimeNasForecaster; regime_nas.forecaster."
            f"class is '{forecaster.class_path}'."
        )
    results, returns = run_supervision(
        full,
        market,
        unstacked(labels),
        folds,
        Trading(allocator_of(portfolio), rules_of(walk_forward, portfolio)),
        label_weight=settings.label_weight,
        n_seeds=settings.seeds,
        seed=compute.seed,
        cache=cache,
        n_jobs=compute.n_jobs,
    )
    rows = variant_rows(
        returns,
        origin=ORIGIN,
        closes_hash=hash_of_evaluated_closes(market, folds),
        settings_hash=hash_of_settings(universe, walk_forward, portfolio, compute.seed),
        cost_bps=portfolio.cost_bps,
        run_facts=run_facts,
    )
    return rows, results, sample_of(folds)
