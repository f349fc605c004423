"""Chapters of the page on one index and its volatility index."""

from __future__ import annotations

from regime_nas_pipeline.report.section import Section

SECTIONS = (
    Section(
        "labels",
        "The labels",
        "Each labeller says at each close which regime the market is in, from prices up to that "
        "close and with parameters fitted before it. Hindsight is the same labeller fitted on "
        "everything; it serves to measure how late the labels of the day are. The threshold on "
        "volatility is the control. A mean drawn as an open dot has too few spells for an "
        "interval.",
        tables=("label_steadiness", "label_shares", "label_delays_summary", "label_contrasts"),
        figures=(
            "price_and_labels",
            "label_probabilities",
            "label_agreement",
            "label_separation",
            "label_delays",
        ),
        figures_first=True,
    ),
    Section(
        "classifier",
        "The classifier",
        "A Transformer forecasts the next label from 60 bars, trained on labels as they were known "
        "at the time. Its controls need no network: the last label, moved ahead by how often "
        "labels changed so far or held to be certain, and the labeller's own probabilities, moved "
        "ahead likewise. The log loss judges probabilities; accuracy alone hides that labels "
        "seldom change.",
        tables=("classification", "classifier_tests"),
        figures=(
            "probability_over_time",
            "cumulative_loss_difference",
            "class_reliability",
            "confusion_matrix",
        ),
        compares=True,
    ),
    Section(
        "switches",
        "Switches ahead",
        "The same network, asked whether another label will be said within so many bars. Precision "
        "that does not rise above the base rate is no foresight.",
        tables=("switch_forecasts",),
        figures=("precision_recall",),
        hidden_if_empty=True,
    ),
    Section(
        "attention",
        "Where the classifier looks",
        "The network reads its forecast off one extra token, CLS, which takes in the bars of the "
        "window by weights that sum to 1: its attention. The maps show these weights, and they "
        "are no reasons: the same forecast can come from other weights. What a forecast hangs on "
        "is measured beside them, as the log loss that is added where bars or a feature are "
        "swapped for those of another window. Heads have no fixed part, so that only averages "
        "over them can be compared between fits.",
        tables=("classifier_heads",),
        figures=(
            "classifier_attention_and_importance",
            "classifier_feature_importance",
            "classifier_cls_attention",
            "classifier_attention_maps",
        ),
    ),
    Section(
        "strategies",
        "The strategies",
        "Decided at the close, traded after the lag, rebalanced to the exposure wanted at every "
        "bar, with costs, interest on cash and financing above 1. Tests are two-sided and of "
        "Sharpe ratios above cash, against buy and hold, corrected for the number of strategies; "
        "the gain is the ratio less that of buy and hold. The figures show the labels that the "
        "classifier learns.",
        tables=("exposure_strategies", "exposure_accounts"),
        figures=("exposure_equity", "exposure_drawdowns", "exposure_over_time"),
        compares=True,
    ),
    Section(
        "cheats",
        "What the cheats are worth",
        "The same strategies from the published kind of backtest down to one that could have been "
        "traded, with one cheat less on every rung. All rungs earn the same bars. What each cheat "
        "was worth, and the published figures beside ours, are told for the labels that the "
        "classifier learns.",
        tables=(
            "ladder_sharpe_zero",
            "worth_sharpe_zero",
            "published_exposures",
            "exposure_resemblance",
        ),
        figures=("exposure_ladder",),
        figures_first=True,
        compares=True,
    ),
    Section("data", "The data", "What these prices cannot show."),
    Section("more", "More", "What no other chapter shows.", hidden_if_empty=True),
)
"""In order; the names of figures are those of the datasets, without their ending."""
