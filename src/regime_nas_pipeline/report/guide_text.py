"""Chapters of the page on the attention guide."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from regime_nas_pipeline.report.section import Section

FEATURE_LABELS = {
    "return": "return",
    "open": "open",
    "high": "high",
    "low": "low",
    "volatility": "volatility, 20 bars",
    "ma_ratio": "close over its 20-bar mean",
    "rsi": "relative strength index, 14 bars",
    "volume": "change of volume",
    "volume_ratio": "volume over its 20-bar mean",
}
"""Technical features by their names for people; any other is only freed of underscores."""


def guide_sections(sample: Mapping[str, Any]) -> tuple[Section, ...]:
    """The chapters in order; the names of figures are those of the datasets without their ending.

    Args:
        sample: ``sample`` of the summary.
    """
    return (
        Section(
            "skill",
            "The forecasts",
            "At every close each model forecasts the log return of one bar, from the close "
            f"{_bars(sample['execution_lag'])} later to the next: the first that can still be "
            f"earned. It was fitted on all bars before its fold, {sample['first_training_bars']:,} "
            f"at first, and is fitted again every {sample['refit_every']} bars. R² is against "
            "expecting no change: above zero is skill. A sign that is right as often as the asset "
            "rises is what always saying up achieves.",
            tables=("guide_skill",),
        ),
        Section(
            "strategies",
            "Long or flat",
            "The asset is held for a bar where its forecast lies above "
            f"{100.0 * sample['threshold']:g} %, and cash otherwise. All pay "
            f"{sample['cost_bps']:g} basis points for each purchase and each sale, and cash earns "
            f"{100.0 * sample['risk_free']:.2f} % a year. Sharpe ratios are above cash. Two tests "
            "compare each with that of buy and hold: Jobson and Korkie's with Memmel's correction, "
            "and Ledoit and Wolf's; the p-value is the larger of both, after Holm's correction. "
            "Holding less draws down less; that alone is no skill.",
            tables=("guide_strategies", "guide_accounts"),
            figures=("guide_equity", "guide_drawdowns"),
            compares=True,
        ),
        Section(
            "folds",
            "Fold by fold",
            "One dot per fold with its interval, buy and hold as dashes, the published range as a "
            f"band. The Sharpe ratio of a fold of {sample['refit_every']} bars has a standard "
            f"error of about {_error(sample):.1f} even if nothing in the market changes, so a wide "
            "range is no news about regimes by itself; the table says how wide a range chance "
            "alone gives.",
            tables=("guide_ranges", "guide_fold_sharpes", "guide_folds"),
            figures=("guide_fold_sharpes",),
            figures_first=True,
            compares=True,
        ),
        Section(
            "costs",
            "Which threshold, and which costs",
            "The same forecasts at every threshold, and the cost of a trade at which each model "
            "ends where buy and hold ends. The dotted line is the threshold in use. A threshold "
            "so low that the asset is always held is buy and hold.",
            tables=("guide_break_even",),
            figures=("guide_threshold_curves",),
            figures_first=True,
            compares=True,
        ),
        Section(
            "attention",
            "What the Transformer looks at",
            "Attention says where the network looks. Beside it stands what its forecasts hang on: "
            "the loss that is added when a stretch of bars, or a feature, is another window's. "
            "The first two figures and the words are over the windows of all folds, each seen by "
            "the network of its fold, none of which it was trained on. The others show one "
            "network, that of the last whole fold, since a head is another one in every fold. "
            "The forecast is read from the CLS token.",
            tables=("guide_heads",),
            figures=(
                "guide_attention_beside_importance",
                "guide_feature_importance",
                "guide_cls_attention",
                "guide_attention_maps",
            ),
            figures_first=True,
            hidden_if_empty=True,
        ),
        Section(
            "published",
            "What was published",
            "A Practical Guide to Attention Mechanisms in Quantitative Trading, on SPY from 2015 "
            "to 2024: five folds of its Transformer, and Sharpe ratios of four models on one test "
            f"window. Ours are on {sample['asset']}, {sample['first']} to {sample['last']}, so "
            "figures need not agree. The published folds were traded above a threshold of zero, so "
            "ours at zero stand beside; no test was made of these. What is done otherwise is "
            "listed.",
            tables=("published_sharpes", "published_folds"),
            compares=True,
        ),
        Section("data", "The data", "What these prices cannot show."),
        Section("more", "More", "What no other chapter shows.", hidden_if_empty=True),
    )


def _error(sample: Mapping[str, Any]) -> float:
    """Standard error of the yearly Sharpe ratio of one fold of independent returns."""
    return math.sqrt(sample["bars_per_year"] / sample["refit_every"])


def _bars(lag: int) -> str:
    return "1 bar" if lag == 1 else f"{lag} bars"
