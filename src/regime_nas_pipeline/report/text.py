"""What the report says: its sections, in order, and how to read each of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """One chapter of the report.

    Attributes:
        key: Anchor in the page.
        title: Heading.
        explanation: How to read it, in plain English.
        tables: Names of the tables shown, in order; a missing one is named as missing.
        figures: Names of the figures shown, in order.
        optional: Names among those above that a run may lack without a word.
        figures_first: Figures stand above the tables.
        compares: Strategies are compared here, so the limits of the data are repeated.
    """

    key: str
    title: str
    explanation: str
    tables: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    figures_first: bool = False
    compares: bool = False


SECTIONS = (
    Section(
        "strategies",
        "The strategies side by side",
        "Every strategy trades the same assets on the same days, by the same rules and at the "
        "same costs; only the forecast differs. The grey portfolios need no forecast: a forecast "
        "that does not beat them has earned nothing. Sharpe is the mean excess return per unit "
        "of volatility, per year; bold marks the best of each column.",
        tables=("strategies",),
        compares=True,
    ),
    Section(
        "wealth",
        "Wealth and losses",
        "Equal distances on the wealth axis are equal percentage gains, so steeper always means "
        "faster growth. The second figure shows how far each strategy stood below its own best "
        "day, which is what an investor would have had to sit through.",
        figures=("equity_curves", "drawdowns"),
        compares=True,
    ),
    Section(
        "regimes",
        "Through the regimes",
        "An edge that is real should not come from one lucky stretch: look for a strategy that "
        "stays above the others for years. The ribbon below shows what the labeller believed on "
        "that day, from data up to that day only.",
        tables=("per_regime",),
        figures=("rolling_sharpe", "regime_history"),
        optional=("regime_history",),
        figures_first=True,
        compares=True,
    ),
    Section(
        "periods",
        "Period by period",
        "The same figures in parts of the sample. With so few years each, single numbers are "
        "noisy; a change of sign between periods is the thing to notice.",
        tables=("sub_periods",),
        compares=True,
    ),
    Section(
        "significance",
        "Could it be luck?",
        "The Jobson-Korkie test with Memmel's correction asks whether two Sharpe ratios on the "
        "same days differ by more than chance. Holm's p-value also pays for asking many times: "
        "below 0.05 would be evidence, and anything above it is compatible with luck.",
        tables=("significance", "claims"),
        optional=("claims",),
        compares=True,
    ),
    Section(
        "weights",
        "What was held",
        "Choose a strategy from the menu. Bands that jump at every rebalance mean turnover, and "
        "turnover costs money; bands that never move mean that the forecast hardly mattered.",
        figures=("weights_over_time",),
    ),
    Section(
        "forecasts",
        "How good were the forecasts?",
        "The dashed line is the no-change forecast, which expects a return of zero for "
        "everything. Theil's U below 1 and R² above 0 together mean skill. Bold marks the best "
        "of each column; it is not yet better than nothing.",
        tables=("forecasts",),
        figures=("forecast_accuracy",),
    ),
    Section(
        "calibration",
        "Do the forecasts mean what they say?",
        "On the dashed diagonal, outcomes match forecasts. A cloud far to its left predicts "
        "smaller differences between assets than came, as cautious forecasts should; a "
        "reliability line that is flat or falls means that larger forecasts were not followed "
        "by larger returns.",
        tables=("calibration",),
        figures=("spread_calibration", "reliability"),
        optional=("calibration",),
    ),
    Section(
        "seeds",
        "How much depends on the random seed?",
        "Equal networks, trained from different random starts, should agree. Where this spread "
        "is as large as the forecasts themselves, a single run would have been a lottery ticket; "
        "the strategies trade on the average over seeds.",
        tables=("seeds",),
        figures=("seed_spread",),
        optional=("seeds",),
    ),
    Section(
        "architecture",
        "The architecture found",
        "Read from left to right. The detector turns several timeframes into regime "
        "probabilities; these decide, at every forecast, how much each block counts. Inside a "
        "block, every edge is labelled with the operation that the search chose, a node adds up "
        "the edges that arrive, and the block's output is the mean of its nodes.",
        tables=("choices",),
        figures=("architecture",),
        figures_first=True,
    ),
    Section(
        "search",
        "The search and what it cost",
        "Each dot is one candidate, scored on validation data before the first out-of-sample "
        "day; lines show the best so far. Every network gets the same budget in gradient "
        "samples, so that winning is not a matter of trying harder. More trials make a good "
        "score by luck more likely, which is why all are counted.",
        tables=("search",),
        figures=("search_progress",),
        figures_first=True,
    ),
    Section(
        "data",
        "The data and its limits",
        "What the prices can and cannot show. Oddities are counted, not mended; where a "
        "last price was carried forward over a gap, that is counted too.",
        tables=("quality_totals", "quality", "notes"),
        optional=("notes",),
    ),
    Section(
        "manifest",
        "How to get these numbers again",
        "The same code, data, seed and versions give the same results.",
        tables=("manifest", "seconds", "versions"),
        optional=("seconds", "versions"),
    ),
    Section(
        "more",
        "More from this run",
        "Tables and figures that belong to no chapter above.",
        optional=("*",),
    ),
)

TABLE_CAPTIONS = {
    "strategies": "Out-of-sample results, net of costs",
    "per_regime": "Results by regime of the day",
    "sub_periods": "Results by period",
    "significance": "Tests of equal Sharpe ratios",
    "claims": "Published claims beside ours",
    "forecasts": "Forecast measures over all decision dates and assets with a known outcome",
    "calibration": "Calibration measures",
    "seeds": "Results by random seed",
    "choices": "Other choices of the search",
    "search": "Trials and budget",
    "quality_totals": "The data as a whole",
    "quality": "Asset by asset, as read",
    "notes": "Notes taken while reading",
    "manifest": "Run",
    "seconds": "Wall time",
    "versions": "Versions",
}

FACT_LABELS = {
    "n_rebalances": "rebalances",
    "n_refits": "refits",
    "n_assets": "assets",
    "n_trials": "trials, all counted",
    "risk_free": "risk-free rate a year",
}
