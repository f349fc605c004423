"""Nodes of the attention guide: prices of one asset; walk, trade and inspect."""

from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.raw import RawPrices
from regime_nas_pipeline.networks.attention_inspection import AttentionInspection
from regime_nas_pipeline.pipelines.attention_guide.parameters import GuideExperiment
from regime_nas_pipeline.pipelines.common import records_of
from regime_nas_pipeline.pipelines.ingestion.nodes import checked_prices
from regime_nas_pipeline.pipelines.spx_vix.building import index_market
from regime_nas_pipeline.portfolio.exposure.engine import Terms
from regime_nas_pipeline.walkforward.attention_guide import (
    GuideResults,
    attention_guide,
    check_market,
)
from regime_nas_pipeline.walkforward.attention_walks import WalkInspection
from regime_nas_pipeline.walkforward.guide_scores import effect_table, skill_table
from regime_nas_pipeline.walkforward.guide_words import guide_headline, guide_words
from regime_nas_pipeline.walkforward.parameters import Compute, Portfolio, Universe, WalkForward


def validate_asset(
    raw: RawPrices, universe: Universe, walk_forward: WalkForward, guide: GuideExperiment
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """Check the one asset; nothing is written if it cannot be walked over.

    Returns:
        Tidy prices up to the seal, those from the seal on, data-quality report, data manifest.

    Raises:
        DataError: There are several assets or too few bars, or a price is wrong.
    """
    if universe.assets != [universe.benchmark] or not universe.benchmark_tradable:
        raise DataError(
            "the attention guide is about one asset, which is its own benchmark",
            source="prices",
            asset=universe.benchmark,
            remedy="run --env=spx_vix, or name one asset in universe.assets and in "
            "universe.benchmark, and set universe.benchmark_tradable to true.",
        )
    own = guide.universe(universe)
    checked = checked_prices(raw, own, walk_forward, history=1, least_assets=1)
    check_market(index_market(checked[0], own), guide)
    return checked


def guide_market(prices: pd.DataFrame, universe: Universe, guide: GuideExperiment) -> Market:
    """The market of the one asset.

    Raises:
        DataError: The prices are those of another experiment of this environment.
    """
    own = guide.universe(universe)
    known = set(prices["asset"].unique())
    if known != {universe.benchmark}:
        raise DataError(
            "these prices are those of another experiment, with "
            f"{', '.join(sorted(known - {universe.benchmark}))} among them",
            source="prices",
            remedy="run attention_guide from its first node on.",
        )
    return index_market(prices, own)


def walk_and_trade(
    prices: pd.DataFrame,
    cache: PieceCache,
    universe: Universe,
    walk_forward: WalkForward,
    portfolio: Portfolio,
    guide: GuideExperiment,
    compute: Compute,
) -> tuple[
    pd.DataFrame,
    pd.DataFrame,
    pd.DataFrame,
    pd.DataFrame,
    pd.DataFrame,
    pd.DataFrame,
    pd.DataFrame,
    dict[str, Any],
    dict[str, Any],
    Bundle,
]:
    """Walk every forecaster, trade it long or flat, and read the Transformer's attention.

    Returns:
        Forecasts; net returns; every fold; ranges of folds beside chance; every threshold; costs
        that break even; figures of the strategies with their tests; findings in words; tables of
        attention and importance (empty where none is inspected); attention weights.
    """
    market = guide_market(prices, universe, guide)
    terms = Terms(
        execution_lag=walk_forward.execution_lag,
        cost_bps=portfolio.cost_bps,
        cash_rate=portfolio.risk_free,
        bars_per_year=market.bars_per_year,
    )
    results = attention_guide(
        market,
        guide.build(walk_forward, compute),
        guide,
        terms,
        cache=cache,
        n_jobs=compute.n_jobs,
        n_resamples=guide.resamples,
        seed=compute.seed,
        name="guide",
    )
    return (
        results.forecasts,
        results.net,
        results.folds,
        results.ranges,
        results.curve,
        results.break_even,
        _strategies(results, 1.0 - guide.level),
        _findings(results, guide),
        _attention_tables(results.attention),
        _attention_weights(results.attention),
    )


def _strategies(results: GuideResults, level: float) -> pd.DataFrame:
    effects = effect_table(results.tests, level).rename(columns={"model": "strategy"})
    return results.figures.merge(effects, on="strategy", how="left", validate="one_to_one")


def _findings(results: GuideResults, guide: GuideExperiment) -> dict[str, Any]:
    level = 1.0 - guide.level
    return {
        "headline": guide_headline(results, level=level),
        "words": guide_words(results, threshold=guide.threshold, level=level),
        "skill": records_of(skill_table(results.folds)),
        "tests": records_of(results.tests),
    }


def _attention_tables(found: WalkInspection | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {"pooled": _facts(found.pooled), "last": _facts(found.last)}


def _facts(found: AttentionInspection) -> dict[str, Any]:
    tables = ("cls", "entropy", "features", "blocks", "agreement")
    return {
        **{name: records_of(getattr(found, name)) for name in tables},
        **{name: getattr(found, name) for name in ("loss", "n_windows", "n_batches", "caution")},
    }


def _attention_weights(found: WalkInspection | None) -> Bundle:
    return Bundle({} if found is None else {"last": found.last.weights})
