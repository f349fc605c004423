"""Nodes of the pipeline that opens the sealed part."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from pydantic import BaseModel

from regime_nas_pipeline.core.cache import content_hash
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.seal import join_sealed
from regime_nas_pipeline.pipelines.common import bars_of_a_period
from regime_nas_pipeline.pipelines.walk_forward_evaluation.nodes import OPPONENTS, summarise
from regime_nas_pipeline.report.figures import drawdowns, equity_curves
from regime_nas_pipeline.report.holdout_page import render_holdout
from regime_nas_pipeline.report.openings import openings_of
from regime_nas_pipeline.verdict.claims import headline
from regime_nas_pipeline.verdict.sharpe import compare_sharpes
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    Evaluation,
    Portfolio,
    Regimes,
    Training,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.verdict_parameters import Verdict

NO_SEAL = (
    "there is nothing to open: universe.sealed_from is not set. Set it to the first day that shall "
    "be kept apart, and run everything else before this pipeline."
)


def open_seal(
    prices: pd.DataFrame,
    sealed_prices: pd.DataFrame,
    data_manifest: dict[str, Any],
    run_facts: dict[str, Any],
    universe: Universe,
    walk_forward: WalkForward,
    portfolio: Portfolio,
    regimes: Regimes,
    training: Training,
    compute: Compute,
    verdict: Verdict,
    **used: Any,
) -> tuple[dict[str, Any], pd.DataFrame, Universe, WalkForward]:
    """Check that everything is as it was sealed, and write the opening down.

    The opening is kept before any other node gets a sealed price, so that one that is broken off
    counts as well.

    Args:
        prices: Those before the seal.
        sealed_prices: Those from the seal on.
        data_manifest: Says what both are.
        run_facts: The code.
        universe: Says where the seal is; like the next six it is a part of what is hashed.
        walk_forward: Its folds begin again at the seal.
        portfolio: How forecasts are traded.
        regimes: How bars are labelled.
        training: How networks are fitted.
        compute: Its seed; processes and device change no result on purpose.
        verdict: How strategies are compared.
        **used: Forecasters by configuration, and what the searches found; ``search`` of the
            latter says which bars were seen.

    Returns:
        The opening, prices of the whole sample, and the universe and walk-forward of the sealed
        part.

    Raises:
        ParameterError: There is no seal.
        DataError: The prices are not those that were sealed, too few are, or a search saw some.
    """
    sealed_from = universe.sealed_from
    if sealed_from is None:
        raise ParameterError(NO_SEAL)
    sealed = data_manifest.get("sealed", {})
    hashes = [data_manifest["sha256"], sealed.get("sha256", "")]
    whole = join_sealed(prices, sealed_prices, sealed_from=sealed_from, hashes=hashes)
    _check_length(sealed_prices, walk_forward)
    _check_searches(used, sealed_from)
    asked = [universe, walk_forward, portfolio, regimes, training]
    opening = {
        "sealed_from": sealed["from"],
        "last_date": sealed["last_date"],
        "n_bars": sealed["n_dates"],
        "data_sha256": hashes[0],
        "sealed_sha256": hashes[1],
        "parameters_sha256": content_hash(
            [block.model_dump(mode="json") for block in asked],
            [compute.seed, verdict.block_length, verdict.resamples, verdict.level],
            {name: _plain(value) for name, value in sorted(used.items())},
        ),
        "git_sha": run_facts["git_sha"],
    }
    return (
        opening,
        whole,
        universe.model_copy(update={"sealed_from": None}),
        walk_forward.model_copy(update={"first_oos": sealed_from}),
    )


def _plain(value: Any) -> Any:
    """A forecaster as chosen, or the arguments that a search found; not how long it took."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return value.get("parameters", value)


def _check_length(sealed_prices: pd.DataFrame, walk_forward: WalkForward) -> None:
    n_bars, needed = int(sealed_prices["date"].nunique()), bars_of_a_period(walk_forward)
    if n_bars < needed:
        raise DataError(
            f"{n_bars} bars are sealed and one rebalance needs {needed}",
            source="sealed_prices",
            remedy="wait for more bars before the seal is opened.",
        )


def _check_searches(used: Mapping[str, Any], sealed_from: dt.date) -> None:
    """Refuse what a search found that has seen a sealed bar, or does not say what it saw."""
    for name, value in used.items():
        if isinstance(value, BaseModel) or "search" not in value:
            continue
        last = value["search"].get("last_date_seen")
        if last is None or pd.Timestamp(last).date() >= sealed_from:
            seen = "does not say which bars it saw" if last is None else f"saw bars up to {last}"
            raise DataError(
                f"the search {seen}, and those from {sealed_from} on are sealed",
                source=name,
                remedy="run the pipelines from ingestion to nas_search with this seal.",
            )


def summarise_holdout(
    prices: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    strategy_figures: dict[str, Any],
    forecast_figures: dict[str, Any],
    run_facts: dict[str, Any],
    data_manifest: dict[str, Any],
    openings: pd.DataFrame,
    universe: Universe,
    walk_forward: WalkForward,
    portfolio: Portfolio,
    compute: Compute,
    **training_logs: list[dict[str, Any]],
) -> dict[str, Any]:
    """The machine-readable result of an opening; its keys are public API, see docs/holdout.md."""
    summary = summarise(
        prices,
        strategy_returns,
        strategy_figures,
        forecast_figures,
        run_facts,
        data_manifest,
        universe,
        walk_forward,
        portfolio,
        compute,
        **training_logs,
    )
    significance = compare_sharpes(
        strategy_returns,
        against=[name for name in OPPONENTS if name in strategy_returns],
        risk_free=portfolio.risk_free,
        bars_per_year=summary["sample"]["bars_per_year"],
    )
    facts = openings_of(openings, data_manifest["sealed"]["from"])
    return {
        **summary,
        "opening": facts[-1],
        "openings": facts,
        "headline": headline(summary, significance, benchmark=data_manifest["benchmark"]),
    }


def draw_holdout(strategy_returns: pd.DataFrame) -> tuple[go.Figure, go.Figure]:
    """Wealth and drawdowns in the sealed part."""
    return equity_curves(strategy_returns), drawdowns(strategy_returns)


def write_holdout_report(
    summary: dict[str, Any],
    comparison_tests: pd.DataFrame,
    superior_strategies: pd.DataFrame,
    comparison_words: list[str],
    equity: go.Figure,
    losses: go.Figure,
    evaluation: Evaluation,
) -> str:
    """The page of the opened part."""
    return render_holdout(
        summary,
        {
            "comparison_tests": comparison_tests,
            "superior_strategies": superior_strategies,
            "comparison_words": comparison_words,
        },
        {"equity_curves": equity, "drawdowns": losses},
        limits=evaluation.limits,
    )
