"""Nodes of the ablation pipeline."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import load_class
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.pipelines.common import (
    allocator_of,
    folds_of,
    market_of,
    records_of,
    rules_of,
    sample_of,
)
from regime_nas_pipeline.report.ablation_page import render_ablation
from regime_nas_pipeline.report.figures_ablation import ablation_differences
from regime_nas_pipeline.report.figures_ablation import lipschitz_curve as draw_curve
from regime_nas_pipeline.verdict.ablation import compare_variants, sentences
from regime_nas_pipeline.walkforward.ablation import (
    FULL,
    LABELS,
    make_variants,
    parts_without_bound,
    run_variants,
)
from regime_nas_pipeline.walkforward.ablation_parameters import SEARCHED_AGAIN, Ablation
from regime_nas_pipeline.walkforward.ablation_search import no_trials, search_variant
from regime_nas_pipeline.walkforward.building import (
    Shared,
    build_forecaster,
    forecaster_arguments,
)
from regime_nas_pipeline.walkforward.candidates import Task, Trading
from regime_nas_pipeline.walkforward.evaluation_ledger import (
    hash_of_evaluated_closes,
    hash_of_settings,
    variant_rows,
)
from regime_nas_pipeline.walkforward.lipschitz_curve import lipschitz_curve
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    Evaluation,
    ForecasterChoice,
    Portfolio,
    Search,
    SearchSpace,
    Training,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.seeded_walks import joined_folds
from regime_nas_pipeline.walkforward.tuning import plan_validation


def search_again(
    prices: pd.DataFrame,
    regimes: pd.DataFrame,
    cache: PieceCache,
    found: dict[str, Any],
    forecaster: ForecasterChoice,
    space: SearchSpace,
    search: Search,
    ablation: Ablation,
    universe: Universe,
    walk_forward: WalkForward,
    training: Training,
    compute: Compute,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Make the searches of those variants that need their own, each at the search's budget.

    Returns:
        Variant to what was found and how; every trial.
    """
    market = market_of(prices, universe, regimes)
    known = market.until(folds_of(market, walk_forward)[0].train_end).listed()
    task = Task(
        forecaster=load_class(forecaster.class_path, RegimeNasForecaster),
        arguments=forecaster_arguments(forecaster, Shared(walk_forward, training, compute)),
        market=known,
        validation=plan_validation(
            known,
            fraction=search.validation_fraction,
            rebalance_every=walk_forward.rebalance_every,
            horizon=walk_forward.horizon,
            execution_lag=walk_forward.execution_lag,
        ),
        search=search,
        trading=None,
    )
    made = {
        str(name): search_variant(
            task,
            space.root,
            found["parameters"],
            name,
            seed=compute.seed,
            cache=cache,
            n_jobs=compute.n_jobs,
        )
        for name in ablation.variants
        if name in SEARCHED_AGAIN
    }
    again = {
        name: {"parameters": result.parameters, "search": result.facts}
        for name, result in made.items()
    }
    trials = [result.trials for result in made.values()]
    return again, pd.concat(trials, ignore_index=True) if trials else no_trials()


def _full(
    found: dict[str, Any], forecaster: ForecasterChoice, shared: Shared
) -> RegimeNasForecaster:
    full = build_forecaster(forecaster, shared, found["parameters"])
    if not isinstance(full, RegimeNasForecaster):
        raise ParameterError(
            f"ablation takes parts out of a RegimeNasForecaster; regime_nas.forecaster.class is "
            f"'{forecaster.class_path}'."
        )
    return full


def run_ablation(
    prices: pd.DataFrame,
    regimes: pd.DataFrame,
    cache: PieceCache,
    found: dict[str, Any],
    found_again: dict[str, Any],
    run_facts: dict[str, Any],
    forecaster: ForecasterChoice,
    ablation: Ablation,
    universe: Universe,
    walk_forward: WalkForward,
    training: Training,
    portfolio: Portfolio,
    compute: Compute,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Walk every variant forward on every seed, trade and score it.

    Returns:
        Rows for the ledger of evaluations, results (variant, seed, metric, value), and what was
        run.
    """
    market = market_of(prices, universe, regimes)
    folds = joined_folds(folds_of(market, walk_forward), ablation.folds)
    shared = Shared(walk_forward, training, compute)
    full = _full(found, forecaster, shared)
    without_bound = parts_without_bound(full, market.until(folds[0].train_end))
    variants = make_variants(
        full,
        ablation.variants,
        limit=ablation.lipschitz_limit,
        searched={name: _full(result, forecaster, shared) for name, result in found_again.items()},
        without_bound=without_bound,
    )
    results, returns = run_variants(
        variants.forecasters,
        market,
        folds,
        Trading(allocator_of(portfolio), rules_of(walk_forward, portfolio)),
        n_seeds=ablation.seeds,
        seed=compute.seed,
        cache=cache,
        n_jobs=compute.n_jobs,
    )
    facts = {
        "reference": FULL,
        "same_as_full": list(variants.same),
        "left_out": variants.left_out,
        "without_bound": list(without_bound),
        "lipschitz_limit": full.lipschitz_limit,
        "objective": asdict(full.objective),
        **sample_of(folds),
    }
    rows = variant_rows(
        returns,
        origin="ablation",
        closes_hash=hash_of_evaluated_closes(market, folds),
        settings_hash=hash_of_settings(universe, walk_forward, portfolio, compute.seed),
        cost_bps=portfolio.cost_bps,
        run_facts=run_facts,
    )
    return rows, results, facts


def trace_lipschitz_curve(
    prices: pd.DataFrame,
    regimes: pd.DataFrame,
    cache: PieceCache,
    found: dict[str, Any],
    facts: dict[str, Any],
    forecaster: ForecasterChoice,
    ablation: Ablation,
    universe: Universe,
    walk_forward: WalkForward,
    training: Training,
    compute: Compute,
) -> pd.DataFrame:
    """Train the network that was found under every limit; one row per limit and seed."""
    market = market_of(prices, universe, regimes)
    return lipschitz_curve(
        _full(found, forecaster, Shared(walk_forward, training, compute)),
        market,
        joined_folds(folds_of(market, walk_forward), ablation.folds),
        ablation.curve,
        without_bound=facts["without_bound"],
        seed=compute.seed,
        cache=cache,
        n_jobs=compute.n_jobs,
    )


def compare(
    results: pd.DataFrame,
    facts: dict[str, Any],
    found: dict[str, Any],
    found_again: dict[str, Any],
    run_facts: dict[str, Any],
    ablation: Ablation,
    training: Training,
) -> dict[str, Any]:
    """Every variant against the full network: figures, intervals, tests and sentences."""
    table = compare_variants(
        results, reference=FULL, same=facts["same_as_full"], level=ablation.level
    )
    searches = {FULL: found["search"], **{n: again["search"] for n, again in found_again.items()}}
    kept = ("strategy", "cells", "trials", "score", "gradient_samples")
    return {
        **facts,
        "env": run_facts["env"],
        "level": ablation.level,
        "seeds": ablation.seeds,
        "max_samples": training.max_samples,
        "tried_limit": ablation.lipschitz_limit,
        "searches": {
            name: {key: search[key] for key in kept if key in search}
            for name, search in searches.items()
        },
        "comparison": records_of(table),
        "sentences": sentences(table, LABELS, level=ablation.level),
    }


def draw_ablation(table: dict[str, Any], curve: pd.DataFrame) -> tuple[go.Figure, go.Figure]:
    """Differences with their intervals, and the Lipschitz curve."""
    return (
        ablation_differences(pd.DataFrame(table["comparison"]), LABELS, level=table["level"]),
        draw_curve(curve),
    )


def write_ablation_report(
    table: dict[str, Any],
    curve: pd.DataFrame,
    differences: go.Figure,
    curve_figure: go.Figure,
    evaluation: Evaluation,
) -> str:
    """The page of the ablations."""
    return render_ablation(
        table,
        curve,
        {"ablation": differences, "lipschitz_curve": curve_figure},
        labels=LABELS,
        limits=evaluation.limits,
    )
