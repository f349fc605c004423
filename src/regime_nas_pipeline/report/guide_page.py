"""The report page of the attention guide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.names import display_name, name_in_sentence
from regime_nas_pipeline.report.bars_words import bars_words
from regime_nas_pipeline.report.columns import Column, count, percent
from regime_nas_pipeline.report.guide_text import guide_sections
from regime_nas_pipeline.report.page import render_page
from regime_nas_pipeline.report.tables import Table, make_table

_HELD = "buy_and_hold"
_PUBLISHED = "published"
_NAMES = {_PUBLISHED: "Published Transformer"}
_EFFECTS = {"open": "not told apart", "better": "better", "worse": "worse"}

_MODEL = Column("Model", "text")
_SKILL = {
    "forecaster": _MODEL,
    "n_folds": count("Folds"),
    "n_better": count("Better than no change", "folds"),
    "median_r2_zero": percent("R² vs zero", 1, 2, "%, median fold"),
    "hit_rate": percent("Sign right", unit="% of bars"),
    "up_share": percent("Asset rose", unit="% of bars"),
}
_STRATEGIES = {
    "strategy": Column("Strategy", "text"),
    "cagr": percent("Growth", 1, unit="% a year"),
    "volatility": percent("Volatility", -1, unit="% a year"),
    "sharpe": Column("Sharpe", better=1, unit="annualised"),
    "max_drawdown": percent("Max. drawdown", 1),
    "difference": Column("Gain", unit="of Sharpe"),
    "p_holm": Column("p", "p_value", 3, "Holm"),
    "effect": Column("Against buy and hold", "text"),
}
_ACCOUNTS = {
    "strategy": Column("Strategy", "text"),
    "mean_exposure": percent("Held", unit="% of bars"),
    "turnover_per_year": Column("Traded", digits=1, unit="times wealth a year"),
    "cost_per_year": percent("Costs", -1, 2, "% a year"),
    "interest_per_year": percent("Interest", digits=2, unit="% a year"),
}
_RANGES = {
    "model": _MODEL,
    "n_folds": count("Folds", "that held"),
    "fold_bars": count("Bars", "a fold"),
    "lowest": Column("Lowest", unit="Sharpe"),
    "median": Column("Median", unit="Sharpe"),
    "mean": Column("Mean", unit="Sharpe"),
    "highest": Column("Highest", unit="Sharpe"),
    "range": Column("Range"),
    "chance_range": Column("Range", unit="by chance"),
    "p_value": Column("p", "p_value", 3, "of the range"),
}
_FOLD = {
    "fold": count("Fold"),
    "train_end": Column("Trained until", "date"),
    "first_bar": Column("First bar", "date"),
    "last_bar": Column("Last bar", "date"),
    "n": count("Bars"),
}
_FOLDS = {
    **{key: _FOLD[key] for key in ("fold", "train_end", "last_bar")},
    "r2_zero": percent("R² vs zero", digits=2),
    "hit_rate": percent("Sign right"),
    "sharpe_net": Column("Sharpe", unit="net"),
    "total_return": percent("Return", unit="%, net"),
    "max_drawdown": percent("Max. drawdown"),
    "trades": count("Trades"),
    "exposure": percent("Held", unit="% of bars"),
}
_BREAK_EVEN = {
    "forecaster": _MODEL,
    "trades": count("Trades"),
    "gain": percent("Ahead at the end", unit="% of wealth, no costs"),
    "break_even_bps": Column("Costs that break even", digits=1, unit="basis points a trade"),
    "crosses": Column("Threshold at which the lead changes sides", "text", unit="% a bar"),
}
_PUBLISHED_FOLDS = {
    "train_end": Column("Trained until", "date"),
    "test_end": Column("Last bar", "date"),
    "sharpe": Column("Sharpe"),
    "annual_return": percent("Return", unit="% a year"),
    "max_drawdown": percent("Max. drawdown"),
    "trades": count("Trades"),
}
_PUBLISHED_SHARPES = {
    "forecaster": _MODEL,
    "published": Column("Published", unit="Sharpe, one window"),
    "ours": Column("Ours", unit="Sharpe, all folds"),
    "at_zero": Column("Ours", unit="threshold of zero"),
    "lowest": Column("Lowest", unit="Sharpe, our folds"),
    "highest": Column("Highest", unit="Sharpe, our folds"),
}
_HEADS = {
    "layer": count("Layer"),
    "head": count("Head"),
    "entropy": Column("Entropy", digits=2, unit="nats, CLS row"),
    "share": percent("Of the most", unit="%, 100 = looks everywhere alike"),
    "correlation": Column("With importance", digits=2, unit="rank correlation"),
}

PublishedResults = tuple[pd.DataFrame, Mapping[str, float], Sequence[str]]
"""Published folds, published Sharpe ratios by model, and what is done otherwise here."""


def render_guide(
    *,
    summary: Mapping[str, Any],
    words: Mapping[str, Sequence[str]],
    strategies: pd.DataFrame,
    folds: pd.DataFrame,
    ranges: pd.DataFrame,
    curve: pd.DataFrame,
    break_even: pd.DataFrame,
    attention: Mapping[str, Any],
    published: PublishedResults,
    figures: Mapping[str, go.Figure],
    data: tuple[Mapping[str, Any], Mapping[str, Any]],
    limits: Sequence[str],
) -> str:
    """Write the whole page as one HTML text that loads nothing from anywhere.

    Args:
        summary: The summary of the experiment; its ``headline`` is the page's.
        words: Sentences by chapter, see ``walkforward.guide_words.guide_words``.
        strategies: Figures and tests of every strategy.
        folds: Rows of ``walkforward.guide_scores.fold_table``.
        ranges: Rows of ``walkforward.guide_scores.range_table``.
        curve: Rows of ``walkforward.guide_strategy.threshold_curve``.
        break_even: Rows of ``walkforward.guide_strategy.break_even_costs``.
        attention: ``pooled`` and ``last``, tables as records; empty where none was inspected.
        published: What was published, and what is done otherwise.
        figures: Name to figure; the names are those in ``guide_text.guide_sections``.
        data: Data-quality report and data manifest.
        limits: What the data cannot show.
    """
    sample = summary["sample"]
    table, sharpes, corrections = published
    told = sample["inspected"] or next(iter(sample["forecasters"]))
    tables = [
        _table("guide_skill", "Skill", _forecaster(pd.DataFrame(summary["skill"])), _SKILL, True),
        _strategies(strategies),
        _table("guide_accounts", "What they held and paid", strategies, _ACCOUNTS),
        _ranges(ranges),
        _sharpes_by_fold(folds),
        _folds_of(folds, told),
        _break_even(break_even, curve),
        _published_sharpes(sharpes, strategies, ranges, curve),
        _table("published_folds", "Published folds of the Transformer", table, _PUBLISHED_FOLDS),
        *([_heads(attention["last"])] if attention else []),
    ]
    return render_page(
        title="The attention guide, out of sample",
        brand="the attention guide",
        question="Does a Transformer forecast the next bar of one index well enough to trade on?",
        headline=str(summary["headline"]),
        facts=_facts(sample),
        sections=guide_sections(sample),
        tables={each.name: each for each in tables},
        figures=figures,
        limits=limits,
        words={**words, "published": list(corrections), "data": bars_words(*data)},
    )


def _facts(sample: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (str(sample["asset"]), "the one asset"),
        (f"{sample['first']} to {sample['last']}", "traded, none of it trained on before"),
        (str(sample["n_folds"]), f"folds of {sample['refit_every']} bars"),
        (str(len(sample["forecasters"])), "forecasters"),
        (f"{100.0 * sample['threshold']:g} %", "threshold of the forecast"),
        (f"{sample['cost_bps']:g}", "basis points a trade"),
    ]


def _table(
    name: str,
    caption: str,
    frame: pd.DataFrame,
    columns: Mapping[str, Column],
    mark_best: bool = False,
) -> Table:
    shown = frame[list(columns)].reset_index(drop=True)
    return make_table(name, caption, shown, columns=columns, mark_best=mark_best)


def _forecaster(frame: pd.DataFrame) -> pd.DataFrame:
    """The table whose models are written with their colours."""
    return frame.rename(columns={"model": "forecaster"})


def _named(names: pd.Series) -> list[str]:
    return [_NAMES.get(str(name), display_name(str(name))) for name in names]


def _strategies(strategies: pd.DataFrame) -> Table:
    frame = strategies.assign(effect=strategies["effect"].map(_EFFECTS))
    caption = "Every strategy on the same bars, net of costs"
    return _table("guide_strategies", caption, frame, _STRATEGIES, True)


def _ranges(ranges: pd.DataFrame) -> Table:
    frame = ranges.assign(model=_named(ranges["model"]))
    caption = "How far apart the Sharpe ratios of whole folds lie, and how far chance puts them"
    return _table("guide_ranges", caption, frame, _RANGES)


def _sharpes_by_fold(folds: pd.DataFrame) -> Table:
    models = list(dict.fromkeys(folds["model"]))
    keys = list(_FOLD)
    wide = folds.pivot(index=keys, columns="model", values="sharpe_net")[models].reset_index()
    columns = {**_FOLD, **{name: Column(display_name(name), unit="Sharpe") for name in models}}
    caption = "Net Sharpe ratio of every fold; blank where nothing was held"
    return _table("guide_fold_sharpes", caption, wide.assign(fold=wide["fold"] + 1), columns)


def _folds_of(folds: pd.DataFrame, model: str) -> Table:
    own = folds[folds["model"] == model]
    caption = f"Every fold of one model: {name_in_sentence(model)}"
    return _table("guide_folds", caption, own.assign(fold=own["fold"] + 1), _FOLDS)


def _break_even(break_even: pd.DataFrame, curve: pd.DataFrame) -> Table:
    crossed = curve[curve["crosses"]].groupby("model")["threshold"]
    places = {str(name): ", ".join(map(_in_percent, own)) for name, own in crossed}
    lead = break_even["log_wealth"] - break_even["log_wealth_held"]
    frame = break_even.assign(
        gain=np.expm1(lead),
        crosses=[places.get(str(name), "none") for name in break_even["model"]],
    )
    caption = "Costs and thresholds at which each model ends where buy and hold ends"
    return _table("guide_break_even", caption, _forecaster(frame), _BREAK_EVEN)


def _in_percent(threshold: float) -> str:
    return f"{100.0 * threshold:.2f}".replace("-", "\N{MINUS SIGN}")


def _published_sharpes(
    sharpes: Mapping[str, float],
    strategies: pd.DataFrame,
    ranges: pd.DataFrame,
    curve: pd.DataFrame,
) -> Table:
    ours = strategies.set_index("strategy")["sharpe"]
    own = ranges.set_index("model")
    at_zero = curve[curve["threshold"] == 0.0].set_index("model")["sharpe"]
    names = [*sharpes, *(str(name) for name in ours.index if name not in sharpes)]
    frame = pd.DataFrame(
        {
            "forecaster": names,
            "published": [sharpes.get(name, np.nan) for name in names],
            "ours": ours.reindex(names).to_numpy(),
            "at_zero": at_zero.reindex(names).to_numpy(),
            "lowest": own["lowest"].reindex(names).to_numpy(),
            "highest": own["highest"].reindex(names).to_numpy(),
        }
    )
    caption = "Published Sharpe ratios beside ours"
    return _table("published_sharpes", caption, frame, _PUBLISHED_SHARPES)


def _heads(last: Mapping[str, Any]) -> Table:
    entropy = pd.DataFrame(last["entropy"])[["layer", "head", "entropy", "share"]]
    agreement = pd.DataFrame(last["agreement"])
    frame = entropy.merge(agreement, on=["layer", "head"], how="left")
    caption = "Layers and heads of the last whole fold's network"
    return _table("guide_heads", caption, frame.astype(float), _HEADS)
