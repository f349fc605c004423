"""Nodes that sum up, draw and write the attention guide."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.pipelines.attention_guide.parameters import GuideExperiment
from regime_nas_pipeline.pipelines.common import records_of, table_of
from regime_nas_pipeline.report.figures_attention import (
    attention_beside_importance,
    attention_heat_maps,
    cls_attention,
    feature_importance,
)
from regime_nas_pipeline.report.figures_guide import fold_sharpes, threshold_curves
from regime_nas_pipeline.report.figures_performance import drawdowns, equity_curves
from regime_nas_pipeline.report.guide_page import render_guide
from regime_nas_pipeline.report.guide_text import FEATURE_LABELS
from regime_nas_pipeline.report.theme import empty_figure
from regime_nas_pipeline.walkforward.guide_published import (
    CORRECTIONS,
    PUBLISHED_SHARPES,
    published_range,
    published_table,
)
from regime_nas_pipeline.walkforward.parameters import Compute, Evaluation, Portfolio, WalkForward

RESULT_FIGURES = (
    "guide_equity",
    "guide_drawdowns",
    "guide_fold_sharpes",
    "guide_threshold_curves",
)
ATTENTION_FIGURES = (
    "guide_attention_beside_importance",
    "guide_feature_importance",
    "guide_cls_attention",
    "guide_attention_maps",
)


def summarise(
    *,
    findings: dict[str, Any],
    strategies: pd.DataFrame,
    folds: pd.DataFrame,
    ranges: pd.DataFrame,
    break_even: pd.DataFrame,
    attention: dict[str, Any],
    manifest: dict[str, Any],
    run_facts: dict[str, Any],
    walk_forward: WalkForward,
    portfolio: Portfolio,
    guide: GuideExperiment,
    compute: Compute,
) -> dict[str, Any]:
    """The machine-readable findings; their keys are public API, see docs/attention_guide.md."""
    told = ("env", "git_sha", "started", "seconds", "versions")
    once = folds[folds["model"] == folds["model"].iloc[0]]
    bars = [once["train_start"].iloc[0], once["first_bar"].iloc[0], once["last_bar"].iloc[-1]]
    return {
        "run": {
            **{key: run_facts[key] for key in told},
            "data_sha256": manifest["sha256"],
            "seed": compute.seed,
        },
        "sample": {
            "asset": manifest["benchmark"],
            "trained_from": date_text(bars[0], bars),
            "first": date_text(bars[1], bars),
            "last": date_text(bars[2], bars),
            "n_bars": int(once["n"].sum()),
            "n_folds": len(once),
            "first_training_bars": guide.first_training_bars,
            "refit_every": guide.refit_every,
            "bars_per_year": manifest["bars_per_year"]["value"],
            "threshold": guide.threshold,
            "execution_lag": walk_forward.execution_lag,
            "cost_bps": portfolio.cost_bps,
            "risk_free": portfolio.risk_free,
            "forecasters": {
                name: {"class": choice.class_path, "params": choice.params}
                for name, choice in guide.forecasters.items()
            },
            "inspected": guide.inspected,
        },
        "skill": findings["skill"],
        "strategies": records_of(strategies),
        "ranges": records_of(ranges),
        "break_even": records_of(break_even),
        "attention": _agreement(attention),
        "headline": findings["headline"],
    }


def _agreement(attention: dict[str, Any]) -> dict[str, Any] | None:
    """How far attention and importance agree over the windows of all folds."""
    if not attention:
        return None
    pooled = attention["pooled"]
    overall = pooled["agreement"][0]
    return {
        **{key: overall[key] for key in ("correlation", "low", "high")},
        **{key: pooled[key] for key in ("loss", "n_windows", "n_batches")},
    }


def closing_line(summary: dict[str, Any]) -> str:
    """What was found, in the sentences of the headline."""
    return str(summary["headline"])


def draw_results(
    net: pd.DataFrame, folds: pd.DataFrame, curve: pd.DataFrame, guide: GuideExperiment
) -> tuple[go.Figure, ...]:
    """Figures of RESULT_FIGURES, in order."""
    published = published_range()
    band = float(str(published["lowest"])), float(str(published["highest"]))
    return (
        equity_curves(net),
        drawdowns(net),
        fold_sharpes(folds, band),
        threshold_curves(curve, guide.threshold),
    )


def draw_attention(attention: dict[str, Any], weights: Bundle) -> tuple[go.Figure, ...]:
    """Figures of ATTENTION_FIGURES, in order; the first two are of all folds."""
    if not attention:
        return tuple(
            empty_figure(name.removeprefix("guide_").replace("_", " "), "Nothing was inspected.")
            for name in ATTENTION_FIGURES
        )
    pooled, last = attention["pooled"], attention["last"]
    return (
        attention_beside_importance(table_of(pooled["blocks"])),
        feature_importance(table_of(pooled["features"]), pooled["loss"], FEATURE_LABELS),
        cls_attention(table_of(last["cls"])),
        attention_heat_maps(weights.arrays["last"]),
    )


def write_guide_report(
    *,
    summary: dict[str, Any],
    findings: dict[str, Any],
    strategies: pd.DataFrame,
    folds: pd.DataFrame,
    ranges: pd.DataFrame,
    curve: pd.DataFrame,
    break_even: pd.DataFrame,
    attention: dict[str, Any],
    data_quality: dict[str, Any],
    data_manifest: dict[str, Any],
    evaluation: Evaluation,
    **drawn: go.Figure,
) -> str:
    """The report page; figures of attention are left out where none was inspected."""
    figures = {
        name: figure for name, figure in drawn.items() if attention or name in RESULT_FIGURES
    }
    return render_guide(
        summary=summary,
        words=findings["words"],
        strategies=strategies,
        folds=folds,
        ranges=ranges,
        curve=curve,
        break_even=break_even,
        attention=attention,
        published=(published_table(), PUBLISHED_SHARPES, CORRECTIONS),
        figures=figures,
        data=(data_quality, data_manifest),
        limits=evaluation.limits,
    )
