"""The report page of the experiment on one index and its volatility index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.report.bars_words import bars_words
from regime_nas_pipeline.report.columns import Column, count, percent
from regime_nas_pipeline.report.exposure_tables import (
    Published,
    exposure_accounts,
    exposure_strategies,
    ladder_table,
    published_exposures,
    resemblance_table,
    worth_table,
)
from regime_nas_pipeline.report.figures_classifier import CLASSIFIER_STYLES
from regime_nas_pipeline.report.page import render_page
from regime_nas_pipeline.report.spx_vix_attention import attention_heads
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
_PERSISTENCE = {
    "labeller": _LABELLER,
    "regime": Column("Regime", "text"),
    "share": percent("Said", unit="% of bars"),
    "n_spells": count("Spells"),
    "mean_spell": Column("Mean spell", digits=1, unit="bars"),
    "median_spell": Column("Median spell", digits=1, unit="bars"),
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
    "other": Column("Against", "text"),
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
_NO_LABELS = "none"
_LOSSES = {"log_loss": "Log loss", "brier": "Brier score"}


def render_spx_vix(
    *,
    summary: Mapping[str, Any],
    quality: Mapping[str, Any],
    classification: Mapping[str, Any],
    attention: Mapping[str, Any],
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
        attention: ``heads``, ``sample`` and ``sentences`` about its attention.
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
        attention_heads(attention),
        *_exposure_tables(
            strategies,
            ladder,
            published,
            published_figures,
            rungs,
            learns=sample["classifier_learns"],
        ),
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
        words=_words(quality, classification, published)
        | {"attention": attention["sentences"], "data": bars_words(*data)},
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
    return {
        "labels": list(quality["sentences"]),
        "classifier": list(classification["sentences"]),
        "switches": [each["sentence"] for each in classification["switches"].values()],
        "strategies": list(published["survivors"]),
        "cheats": [*published["words"], leverage],
    }


def _label_tables(quality: Mapping[str, Any]) -> list[Table]:
    frames = {
        key: _named(pd.DataFrame(quality[key]))
        for key in ("switching", "refit_stability", "regime_persistence", "delay_summary")
    }
    steadiness = frames["switching"].merge(frames["refit_stability"], on="labeller", how="left")
    order = {name: place for place, name in enumerate(frames["switching"]["labeller"])}
    delays = frames["delay_summary"].sort_values(
        "labeller", key=lambda names: names.map(order), kind="stable"
    )
    # A column called "against" would hold strategies, each with its colour.
    contrasts = _named(pd.DataFrame(quality["outcome_contrasts"])).rename(
        columns={"against": "other"}
    )
    return [
        _table("label_steadiness", "How steady labels are", steadiness, _STEADINESS),
        _table(
            "label_shares", "What is said", frames["regime_persistence"], _PERSISTENCE, grouped=True
        ),
        _table("label_delays_summary", "How late", delays, _DELAYS, grouped=True),
        _table(
            "label_contrasts",
            "What regimes tell of the next bars",
            contrasts,
            _CONTRASTS,
            grouped=True,
        ),
    ]


def _named(table: pd.DataFrame, column: str = "labeller") -> pd.DataFrame:
    """The table with labellers by their names for people."""
    return table.assign(**{column: table[column].map(display_name)})


def _classifier_tables(facts: Mapping[str, Any]) -> list[Table]:
    switches = [
        pd.DataFrame(each["table"]).assign(within=int(bars))
        for bars, each in facts["switches"].items()
    ]
    tests = pd.DataFrame(facts["comparison"])
    effect = tests["effect"].replace("open", "not told apart").where(tests["p_holm"].notna())
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
            tests.assign(loss=tests["loss"].map(_LOSSES), effect=effect),
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
    *,
    learns: str,
) -> list[Table]:
    labels = {name: label for name, (label, _) in rungs.items()}
    removes = {name: cheat for name, (_, cheat) in rungs.items()}
    sources = strategies["labels"].replace(_NO_LABELS, "no labels").map(display_name)
    told = strategies.assign(labels=sources)
    near = _named(pd.DataFrame(published["resemblance"]))
    own, ladder = _named(ladder[ladder["labeller"] == learns]), _named(ladder)
    return [
        exposure_strategies(told),
        exposure_accounts(told),
        ladder_table(ladder, labels, "sharpe_zero"),
        worth_table(own, removes, "sharpe_zero"),
        published_exposures(own, published_figures, labels),
        resemblance_table(near, labels),
    ]


def _table(
    name: str,
    caption: str,
    frame: pd.DataFrame,
    columns: Mapping[str, Column],
    *,
    mark_best: bool = False,
    grouped: bool = False,
) -> Table:
    kept = [column for column in columns if column in frame.columns]
    return make_table(
        name,
        caption,
        frame[kept].reset_index(drop=True),
        mark_best=mark_best,
        columns=columns,
        styles=CLASSIFIER_STYLES,
        grouped=grouped,
    )
