"""Node that sets published figures beside ours."""

from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.verdict.published import Experiment, published_rows
from regime_nas_pipeline.verdict.published_words import (
    arithmetic_sentences,
    dates_sentence,
    message_sentence,
    order_sentence,
    sharpe_order,
)
from regime_nas_pipeline.verdict.withdrawal import without_pairwise
from regime_nas_pipeline.walkforward.parameters import Portfolio
from regime_nas_pipeline.walkforward.published_measures import Place, measured_figures
from regime_nas_pipeline.walkforward.published_parameters import Published
from regime_nas_pipeline.walkforward.verdict_parameters import Verdict


def set_beside_published(
    *,
    strategy_returns: pd.DataFrame,
    strategy_figures: dict[str, Any],
    forecast_figures: dict[str, Any],
    spread_calibration: pd.DataFrame,
    comparison_tests: pd.DataFrame,
    group_exposures: pd.DataFrame,
    portfolio: Portfolio,
    verdict: Verdict,
    published: Published,
) -> list[dict[str, Any]]:
    """One entry per publication; its keys are public API, see docs/experiments.md."""
    if not published.experiments:
        return []
    tests = without_pairwise(comparison_tests, verdict.withdrawn)
    measured = measured_figures(
        strategy_returns=strategy_returns,
        strategy_figures=strategy_figures,
        forecast_figures=forecast_figures,
        spread_calibration=spread_calibration,
        comparison_tests=tests,
        group_exposures=group_exposures,
        risk_free=portfolio.risk_free,
    )
    dates = pd.DatetimeIndex(strategy_returns.index)
    sharpes = {name: figures["sharpe"] for name, figures in strategy_figures.items()}
    return [
        _entry(experiment, measured, dates, sharpes, tests, verdict.level)
        for experiment in published.experiments
    ]


def _entry(
    experiment: Experiment,
    measured: dict[Place, float | None],
    dates: pd.DatetimeIndex,
    sharpes: dict[str, float | None],
    tests: pd.DataFrame,
    level: float,
) -> dict[str, Any]:
    rows = published_rows(experiment, measured)
    order = sharpe_order(rows)
    overlap = dates_sentence(experiment, dates[0].date(), dates[-1].date())
    words = [
        *([] if overlap is None else [overlap]),
        *arithmetic_sentences(experiment),
        *([] if order is None else [order_sentence(order)]),
        *(message_sentence(each, sharpes, tests, level=level) for each in experiment.messages),
    ]
    return {
        "title": experiment.title,
        "source": experiment.source,
        "first": date_text(dates[0], dates),
        "last": date_text(dates[-1], dates),
        "figures": rows,
        "order": order,
        "words": words,
        "doubts": list(experiment.doubts),
    }
