"""Nodes that sum up, draw and write the experiment on one index."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.pipelines.common import records_of, table_of
from regime_nas_pipeline.pipelines.spx_vix.building import index_levels
from regime_nas_pipeline.pipelines.spx_vix.nodes import classifier_tables, judged_part
from regime_nas_pipeline.pipelines.spx_vix.parameters import SpxVix
from regime_nas_pipeline.report.figures_classifier import (
    class_reliability,
    confusion_matrix,
    cumulative_loss_difference,
    precision_recall_curves,
    probability_over_time,
)
from regime_nas_pipeline.report.figures_exposure import exposure_ladder, exposure_over_time
from regime_nas_pipeline.report.figures_label_quality import (
    label_agreement,
    label_delays,
    label_separation,
)
from regime_nas_pipeline.report.figures_labels import label_probabilities, price_and_labels
from regime_nas_pipeline.report.figures_performance import drawdowns, equity_curves
from regime_nas_pipeline.report.spx_vix_page import render_spx_vix
from regime_nas_pipeline.walkforward.classifier_judged import judge_labels
from regime_nas_pipeline.walkforward.exposure_resemblance import DEEP_REGIME
from regime_nas_pipeline.walkforward.exposure_study import SEPARATOR
from regime_nas_pipeline.walkforward.exposures import RUNGS
from regime_nas_pipeline.walkforward.label_sets import unstacked
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    Evaluation,
    Portfolio,
    Universe,
    WalkForward,
)

LABEL_FIGURES = (
    "price_and_labels",
    "label_probabilities",
    "label_agreement",
    "label_separation",
    "label_delays",
)
CLASSIFIER_FIGURES = (
    "probability_over_time",
    "cumulative_loss_difference",
    "class_reliability",
    "confusion_matrix",
    "precision_recall",
)
EXPOSURE_FIGURES = (
    "exposure_equity",
    "exposure_drawdowns",
    "exposure_over_time",
    "exposure_ladder",
)


def summarise(
    *,
    quality: dict[str, Any],
    classification: dict[str, Any],
    attention: dict[str, Any],
    figures: pd.DataFrame,
    published: dict[str, Any],
    facts: dict[str, Any],
    manifest: dict[str, Any],
    run_facts: dict[str, Any],
    portfolio: Portfolio,
    spx_vix: SpxVix,
    compute: Compute,
) -> dict[str, Any]:
    """The machine-readable verdict; its keys are public API, see docs/regimes.md."""
    told = ("env", "git_sha", "started", "seconds", "versions")
    sample = quality["sample"]
    scores = {row["forecaster"]: row for row in classification["classification"]}
    return {
        "run": {
            **{key: run_facts[key] for key in told},
            "data_sha256": manifest["sha256"],
            "seed": compute.seed,
        },
        "sample": {
            **{key: sample[key] for key in ("first", "last", "n_bars", "years")},
            "index": manifest["benchmark"],
            "risk_free": portfolio.risk_free,
            "labellers": facts,
            "classifier_learns": spx_vix.classifier.learns,
        },
        "labels": {key: quality[key] for key in ("switching", "delay_summary", "refit_stability")},
        "classifier": {
            "scores": scores,
            "tests": classification["comparison"],
            "attention": {
                **attention["agreement"],
                **{key: attention["sample"][key] for key in ("n_fits", "n_windows")},
            },
        },
        "strategies": records_of(figures),
        "published": {key: published[key] for key in ("resemblance", "unpaid_leverage")},
        "headline": " ".join([*published["survivors"][:2], classification["sentences"][-1]]),
    }


def closing_line(summary: dict[str, Any]) -> str:
    """What was found, in the sentences of the headline."""
    return str(summary["headline"])


def draw_labels(
    *,
    online: pd.DataFrame,
    quality: dict[str, Any],
    delays: pd.DataFrame,
    prices: pd.DataFrame,
    universe: Universe,
    walk_forward: WalkForward,
    spx_vix: SpxVix,
) -> tuple[go.Figure, ...]:
    """Figures of LABEL_FIGURES, in order."""
    level = index_levels(prices, universe)
    labels = judged_part(online, walk_forward.first_oos_stamp)
    first = min(table.index[0] for table in labels.values())
    return (
        price_and_labels(level.loc[first:], labels),
        label_probabilities(labels),
        label_agreement(table_of(quality["agreement"])),
        label_separation(
            table_of(quality["outcome_by_regime"]), horizon=spx_vix.horizon, level=spx_vix.level
        ),
        label_delays(delays),
    )


def draw_classifier(
    forecasts: pd.DataFrame,
    online: pd.DataFrame,
    classification: dict[str, Any],
    gain: pd.DataFrame,
    curves: pd.DataFrame,
    spx_vix: SpxVix,
) -> tuple[go.Figure, ...]:
    """Figures of CLASSIFIER_FIGURES, in order; of switches the shortest span is drawn."""
    settings = spx_vix.classifier
    labels = unstacked(online)[settings.learns]
    table = classifier_tables(forecasts)["label"]
    judged = judge_labels(table, labels, lead=settings.lead, level=spx_vix.level)
    event = str(table.columns[-1])
    shown = ("classifier", "persistence")
    probabilities = {name: judged.forecasts[name][event].loc[table.index[0] :] for name in shown}
    return (
        probability_over_time(probabilities, judged.outcome.loc[table.index[0] :], event),
        cumulative_loss_difference(gain),
        class_reliability(table_of(classification["reliability"]), event),
        confusion_matrix(table_of(classification["confusion"])),
        _switch_curves(classification, curves),
    )


def _switch_curves(classification: dict[str, Any], curves: pd.DataFrame) -> go.Figure:
    spans = sorted(map(int, classification["switches"]))
    within = spans[0] if spans else 0
    rows = classification["switches"][str(within)]["table"] if spans else []
    return precision_recall_curves(
        curves[curves["within"] == within].drop(columns="within"),
        rows[0]["base_rate"] if rows else 0.0,
        event=f"a switch within {within} bars",
        average={row["forecaster"]: row["average_precision"] for row in rows},
    )


def draw_exposures(
    net: pd.DataFrame, exposure: pd.DataFrame, ladder: pd.DataFrame, spx_vix: SpxVix
) -> tuple[go.Figure, ...]:
    """Figures of EXPOSURE_FIGURES, in order; over time, the labels that the classifier learns."""
    source = spx_vix.classifier.learns
    return (
        equity_curves(_of_source(net, source)),
        drawdowns(_of_source(net, source)),
        exposure_over_time(_of_source(exposure, source)),
        exposure_ladder(
            ladder,
            {rung.name: rung.label for rung in RUNGS},
            published={each.strategy: each.sharpe for each in DEEP_REGIME},
        ),
    )


def _of_source(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """The strategies on one source of labels, and those that need none, by their own names."""
    names = {}
    for column in map(str, table.columns):
        head, _, tail = column.rpartition(SEPARATOR)
        if head in {"", source}:
            names[column] = tail
    return table[list(names)].rename(columns=names)


def write_spx_vix_report(
    *,
    summary: dict[str, Any],
    quality: dict[str, Any],
    classification: dict[str, Any],
    attention: dict[str, Any],
    figures: pd.DataFrame,
    ladder: pd.DataFrame,
    published: dict[str, Any],
    data_quality: dict[str, Any],
    data_manifest: dict[str, Any],
    evaluation: Evaluation,
    **drawn: go.Figure,
) -> str:
    """The report page."""
    return render_spx_vix(
        summary=summary,
        quality=quality,
        classification=classification,
        attention=attention,
        strategies=figures,
        ladder=ladder,
        published=published,
        figures=drawn,
        published_figures=DEEP_REGIME,
        rungs={rung.name: (rung.label, rung.removes) for rung in RUNGS},
        data=(data_quality, data_manifest),
        limits=evaluation.limits,
    )
