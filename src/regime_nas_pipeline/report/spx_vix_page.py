"""The report page of the experiment on one index and its volatility index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.report.bars_words import bars_words
from regime_nas_pipeline.report.columns import Column, count, percent
from regime_nas_pipeline.report.exposure_tables import (
    Published,
    ladder_table,
    published_exposures,
    resemblance_table,
    worth_table,
)
from regime_nas_pipeline.report.page import render_page
from regime_nas_pipeline.report.spx_vix_text import SECTIONS
from regime_nas_pipeline.report.tables import Table, make_table

_LABELLER = Column("Labels", "text")
_FORECASTER = Column("Forecast", "text")

_STEADINESS = {
    "labeller": _LABELLER,
    "n_switches": count("Switches"),
    "switches_per_year": Column("Switches", digits=1, unit="a year"),
    "mean_spell": Column("Mean spell", digits=1, unit="bars"),
    "n_refits": count("Refits"),
    "n_switches_at_refit": count("Switches at a refit"),
    "mean_relabelled": percent("Past relabelled", unit="%, mean refit"),
    "max_relabelled": percent("Past relabelled", unit="%, worst refit"),
}
_DELAYS = {
    "labeller": _LABELLER,
    "min_spell": count("Regimes lasting", "bars at least"),
    "n_switches": count("Switches", "with hindsight"),
    "median_delay": Column("Median delay", digits=1, unit="bars"),
    "mean_delay": Column("Mean delay", digits=1, unit="bars"),
    "share_missed": percent("Never said"),
    "false_alarms_per_year": Column("False alarms", digits=1, unit="a year"),
    "same_as_hindsight": percent("Same as hindsight", unit="% of bars"),
}
_CONTRASTS = {
    "labeller": _LABELLER,
    "outcome": Column("Of the next bars", "text"),
    "regime": Column("Regime", "text"),
    "against": Column("Against", "text"),
    "difference": percent("Difference"),
    "low": percent("From"),
    "high": percent("To"),
    "p_value": Column("p", "p_value", 3, "raw"),
    "p_holm": Column("p", "p_value", 3, "Holm"),
}
_CLASSIFICATION = {
    "forecaster": _FORECASTER,
    "n": count("Dates"),
    "accuracy": percent("Accuracy", 1),
    "balanced_accuracy": percent("Balanced accuracy", 1),
    "log_loss": Column("Log loss", digits=4, unit="nats a date", better=-1),
    "brier": Column("Brier score", digits=4, better=-1),
    "calibration_error": percent("Calibration error", -1, 2),
}
_COMPARISON = {
    "loss": Column("Loss", "text"),
    "against": Column("Against", "text"),
    "difference": Column("Saved", digits=4, unit="a date"),
    "statistic": Column("Diebold-Mariano", unit="statistic"),
    "p_two_sided": Column("p", "p_value", 3, "raw"),
    "p_holm": Column("p", "p_value", 3, "Holm"),
    "effect": Column("The classifier is", "text"),
}
_SWITCHES = {
    "within": count("Within", "bars"),
    "forecaster": _FORECASTER,
    "n": count("Dates"),
    "base_rate": percent("Base rate"),
    "average_precision": Column("Average precision", digits=3, better=1),
    "brier_skill": percent("Brier skill", 1, unit="%, against the base rate"),
}
_STRATEGIES = {
    "labels": _LABELLER,
    "strategy": Column("Strategy", "text"),
    "cagr": percent("Growth", 1, unit="% a year"),
    "volatility": percent("Volatility", -1, unit="% a year"),
    "sharpe": Column("Sharpe", better=1, unit="above cash"),
    "max_drawdown": percent("Max. drawdown", 1),
    "calmar": Column("Calmar", better=1, unit="ratio"),
    "mean_exposure": percent("Held", unit="% of wealth, mean"),
    "turnover_per_year": Column("Traded", unit="times wealth a year"),
    "cost_per_year": percent("Costs", digits=2, unit="% a year"),
    "financing_per_year": percent("Financing", digits=2, unit="% a year"),
    "difference": Column("Sharpe difference", unit="to buy and hold"),
    "p_value": Column("p", "p_value", 3, "Ledoit-Wolf"),
    "p_holm": Column("p", "p_value", 3, "Holm"),
    "effect": Column("What survives", "text"),
}
_EFFECTS = {"open": "not told apart", "better": "better", "worse": "worse"}


def render_spx_vix(
    *,
    summary: Mapping[str, Any],
    quality: Mapping[str, Any],
    classification: Mapping[str, Any],
    strategies: pd.DataFrame,
    ladder: pd.DataFrame,
    published: Mapping[str, Any],
    figures: Mapping[str, go.Figure],
    published_figures: Sequence[Published],
    rungs: Mapping[str, tuple[str, str]],
    data: tuple[Mapping[str, Any], Mapping[str, Any]],
    limits: Sequence[str],
) -> str:
    """Write the whole page as one HTML text that loads nothing from anywhere.

    Args:
        summary: The summary of the experiment; its ``headline`` is the page's.
        quality: Facts and sentences of ``verdict.labels.quality.label_quality``.
        classification: Tables and sentences about the classifier.
        strategies: Figures and tests of ``walkforward.exposure_study``.
        ladder: Rows of ``walkforward.exposures.Ladder.table``.
        published: ``resemblance``, ``words``, ``unpaid_leverage`` and ``survivors``.
        figures: Name to figure; the names are those in ``spx_vix_text.SECTIONS``.
        published_figures: What was published.
        rungs: Rung to what is done on it and the cheat that it takes away.
        data: Data-quality report and data manifest.
        limits: What the data cannot show.
    """
    sample = summary["sample"]
    facts = [
        (f"{sample['first']} to {sample['last']}", "judged"),
        (f"{sample['n_bars']:,}", "bars"),
        (str(len(sample["labellers"])), "labellers"),
        (f"{100.0 * sample['risk_free']:.2f} %", "on cash, a year"),
    ]
    tables = [
        *_label_tables(quality),
        *_classifier_tables(classification),
        *_exposure_tables(strategies, ladder, published, published_figures, rungs),
    ]
    return render_page(
        title="Regimes of one index",
        brand="regimes of one index",
        question="Are regime labels that could have been known worth any money?",
        headline=str(summary["headline"]),
        facts=facts,
        sections=SECTIONS,
        tables={table.name: table for table in tables if table.rows},
        figures=figures,
        limits=limits,
        words=_words(quality, classification, published) | {"data": bars_words(*data)},
    )


def _words(
    quality: Mapping[str, Any], classification: Mapping[str, Any], published: Mapping[str, Any]
) -> dict[str, list[str]]:
    unpaid = published["unpaid_leverage"]
    leverage = (
        "From the published means alone: without interest and financing the levered strategy must "
        f"earn {100.0 * unpaid['implied']:.4f} % a bar, and {100.0 * unpaid['published']:.4f} % is "
        "published, so that "
        + ("neither was charged." if unpaid["unpaid"] else "something was charged.")
    )
    switches = [text for each in classification["switches"].values() for text in each["sentences"]]
    return {
        "labels": list(quality["sentences"]),
        "classifier": list(classification["sentences"]),
        "switches": switches,
        "strategies": list(published["survivors"]),
        "cheats": [*published["words"], leverage],
    }


def _label_tables(quality: Mapping[str, Any]) -> list[Table]:
    switching = pd.DataFrame(quality["switching"])
    steadiness = switching.merge(
        pd.DataFrame(quality["refit_stability"]), on="labeller", how="left"
    )
    contrasts = pd.DataFrame(quality["outcome_contrasts"])
    return [
        _table("label_steadiness", "How steady labels are", steadiness, _STEADINESS),
        _table("label_delays_summary", "How late", pd.DataFrame(quality["delay_summary"]), _DELAYS),
        _table("label_contrasts", "What regimes tell of the next bars", contrasts, _CONTRASTS),
    ]


def _classifier_tables(facts: Mapping[str, Any]) -> list[Table]:
    switches = [
        pd.DataFrame(each["table"]).assign(within=int(bars))
        for bars, each in facts["switches"].items()
    ]
    tables = [
        _table(
            "classification",
            "Forecasts of the label, all on the same dates",
            pd.DataFrame(facts["classification"]),
            _CLASSIFICATION,
            mark_best=True,
        ),
        _table(
            "classifier_tests",
            "Loss saved by the classifier",
            pd.DataFrame(facts["comparison"]),
            _COMPARISON,
        ),
    ]
    if switches:
        frame = pd.concat(switches, ignore_index=True)
        tables.append(_table("switch_forecasts", "Forecasts of a switch", frame, _SWITCHES))
    return tables


def _exposure_tables(
    strategies: pd.DataFrame,
    ladder: pd.DataFrame,
    published: Mapping[str, Any],
    published_figures: Sequence[Published],
    rungs: Mapping[str, tuple[str, str]],
) -> list[Table]:
    labels = {name: label for name, (label, _) in rungs.items()}
    removes = {name: cheat for name, (_, cheat) in rungs.items()}
    told = strategies.assign(effect=strategies["effect"].map(_EFFECTS))
    return [
        _table(
            "exposure_strategies",
            "Every strategy on every source of labels, after lag, costs, interest and financing",
            told,
            _STRATEGIES,
            mark_best=True,
        ),
        ladder_table(ladder, labels, "sharpe_zero"),
        worth_table(ladder, removes, "sharpe"),
        published_exposures(ladder, published_figures, labels),
        resemblance_table(pd.DataFrame(published["resemblance"]), labels),
    ]


def _table(
    name: str,
    caption: str,
    frame: pd.DataFrame,
    columns: Mapping[str, Column],
    *,
    mark_best: bool = False,
) -> Table:
    kept = [column for column in columns if column in frame.columns]
    return make_table(name, caption, frame[kept], mark_best=mark_best, columns=columns)
