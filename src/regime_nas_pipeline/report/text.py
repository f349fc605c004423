"""What the report says: its sections, in order, and how to read each of them."""

from __future__ import annotations

from regime_nas_pipeline.report.section import Section
from regime_nas_pipeline.report.verdict_section import VERDICT_CAPTIONS, VERDICT_SECTIONS

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
    *VERDICT_SECTIONS,
    Section(
        "weights",
        "What was held",
        "Choose a strategy from the menu. Bands that jump at every rebalance mean turnover, and "
        "turnover costs money; bands that never move mean that the forecast hardly mattered. The "
        "table names the asset that added most to each strategy: where one asset made most of "
        "the return, the result says more about that asset than about the forecasts.",
        tables=("contributions",),
        figures=("weights_over_time",),
        figures_first=True,
    ),
    Section(
        "closures",
        "Positions that had to end",
        "No strategy chose these. Where a price ends, the position becomes cash at the last close, "
        "free of charge, which flatters whoever held a share until it was worth nothing; where an "
        "asset leaves the universe, the next decision sells it, at cost. The weight is what the "
        "position was worth when it ended.",
        tables=("closures",),
        optional=("closures",),
        hidden_if_empty=True,
    ),
    Section(
        "forecasts",
        "How good were the forecasts?",
        "The dashed line is the no-change forecast, which expects a return of zero for "
        "everything. Skill needs Theil's U below 1 and R² above 0 together, but they do not prove "
        "it: no test stands behind them, and one average return for all assets may pass both. "
        "Bold marks the best of each column; it is not yet better than nothing. Where a fit "
        "fails, that asset gets the forecaster's fallback, and the failure is listed.",
        tables=("forecasts", "fit_failures", "training_cost"),
        figures=("forecast_accuracy",),
        optional=("fit_failures",),
    ),
    Section(
        "calibration",
        "Do the forecasts mean what they say?",
        "On the dashed diagonal, outcomes match forecasts. A cloud far to its left predicts "
        "smaller differences between assets than came, as cautious forecasts should; a "
        "reliability line that is flat or falls means that larger forecasts were not followed "
        "by larger returns. If volatility forecasts are right, 80 % of outcomes fall inside the "
        "80 % interval. Bars, and the ranges beside the shares, are 95 % intervals that let all "
        "assets of a date move together.",
        tables=("calibration",),
        figures=("spread_calibration", "reliability"),
        optional=("calibration",),
    ),
    Section(
        "seeds",
        "How much depends on the random seed?",
        "Equal networks, trained from different random starts, should agree. Where this spread "
        "is as large as the forecasts themselves, a single run would have been a lottery ticket; "
        "the strategies trade on the average over seeds. The table is what each seed would have "
        "earned alone. Whoever picks the best of them afterwards picks luck, so every one counts "
        "as a trial.",
        tables=("seeds",),
        figures=("seed_spread",),
        optional=("seeds",),
    ),
    Section(
        "architecture",
        "The architecture found",
        "Read from left to right. The evidence block turns every asset's window into signs of "
        "the regime; the detector reads them, averaged over assets, on several timeframes and "
        "makes regime probabilities of them, which decide, at every forecast, how much each of "
        "the other blocks counts. Inside a block, every edge is labelled with the operation that "
        "the search chose, a node adds up the edges that arrive, and a gated block's output is "
        "the mean of its nodes.",
        tables=("choices",),
        figures=("architecture",),
        figures_first=True,
    ),
    Section(
        "search",
        "The search and what it cost",
        "Each dot is one candidate of this run, scored on validation data before the first "
        "out-of-sample day; a score below 1 beats no change, and lines show the best so far. "
        "Every network gets the same budget in gradient samples, so that winning is not a matter "
        "of trying harder. More trials make a good score by luck more likely, so the ledger "
        "keeps counting the trials of all runs. The Pareto front holds those candidates of "
        "RegimeNAS that no other one equals or beats in error, parameters, latency and certified "
        "Lipschitz constant together; the constant is missing where a network can have none, and "
        "the candidate with the lowest error was chosen whatever it costs.",
        tables=("search", "cells", "trade_offs"),
        figures=("search_progress", "pareto_front"),
        optional=("cells", "trade_offs"),
        figures_first=True,
    ),
    Section(
        "data",
        "The data and its limits",
        "What the prices can and cannot show. Oddities are counted, not mended; where a "
        "last price was carried forward over a gap, that is counted too. Columns in which no "
        "asset has anything are left out.",
        tables=("quality_totals", "quality", "notes"),
        optional=("notes",),
    ),
    Section(
        "manifest",
        "How to get these numbers again",
        "The same code, data, seed and versions give the same results; another kind of processor "
        "may round differently.",
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
    **VERDICT_CAPTIONS,
    "contributions": "The largest contributor to each strategy's gross return",
    "closures": "Positions that ended without a decision",
    "forecasts": "Forecast measures over all decision dates and assets with a known outcome",
    "fit_failures": "Fits that failed",
    "training_cost": "What training cost",
    "calibration": "Outcomes inside the forecast's central interval",
    "seeds": "Had a network been trained once, net of costs",
    "choices": "Other choices of the search",
    "search": "Trials and budget",
    "cells": "How the cells were found",
    "trade_offs": "Trials of RegimeNAS by error",
    "quality_totals": "The data as a whole",
    "quality": "Asset by asset, as read",
    "notes": "Notes taken while reading",
    "manifest": "Run",
    "seconds": "Wall time until the results were summarised",
    "versions": "Versions",
}

FACT_LABELS = {
    "n_rebalances": "rebalances",
    "n_refits": "refits",
    "n_assets": "assets",
    "trials": "trials in this run",
    "trials_in_ledger": "trials in the ledger",
    "risk_free": "risk-free rate a year",
}
