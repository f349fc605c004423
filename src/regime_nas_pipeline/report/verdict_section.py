"""The chapters that weigh the result: tests, trials, costs, and where it comes from."""

from __future__ import annotations

from regime_nas_pipeline.report.published import PUBLISHED_CAPTIONS, PUBLISHED_SECTION
from regime_nas_pipeline.report.section import Section

VERDICT_SECTIONS = (
    Section(
        "tests",
        "What the tests mean together",
        "The sentences say what the tables hold, and the first table gathers what this chapter "
        "and the next two find of each strategy. Two tests compare Sharpe ratios, under "
        "different assumptions, and a third compares the errors of forecasts. Holm's p-value "
        "pays here for all rows of both tables of tests, so that it may be larger than in the "
        "chapter before, which pays for fewer. The last two tables look at all strategies at "
        "once: whether any at all beats the benchmark, and which cannot be ruled out as the best. "
        "How large an advantage had to be to be found in so few years is in a table of its own: "
        "what lies below was not shown to be absent.",
        tables=(
            "at_a_glance",
            "sharpe_tests",
            "smallest_edges",
            "forecast_tests",
            "superior_ability",
            "confidence_set",
        ),
        optional=("smallest_edges",),
        compares=True,
    ),
    Section(
        "trials",
        "How many trials, and what is left after counting them",
        "Whoever tries enough candidates finds a good one by luck. So each Sharpe ratio stands "
        "beside the best one to be expected of as many trials without any skill, where trials "
        "that behaved alike count as one. The deflated probability is that of a true ratio above "
        "it. The figure asks the search itself: the best candidate of one half of the bars is "
        "ranked among all candidates in the other half, for many ways to halve. At a logit of "
        "zero or below it was no better there than the median. Where trials hold nothing but "
        "luck, that happens about every second time. Trials out of sample are whatever was ever "
        "traded there, by whichever pipeline.",
        tables=("deflated_sharpes", "evaluated", "overfitting"),
        figures=("overfitting_logits",),
        optional=("evaluated",),
    ),
    Section(
        "costs",
        "Costs and capacity",
        "The same trades at other costs. Whoever trades much falls steeply; a ring marks the "
        "cost at which a strategy is worth no more than the reference portfolio, its break-even. "
        "An edge whose break-even is near what trading costs you is none. Capacity is the "
        "largest portfolio whose every trade stays a small part of what the market traded in "
        "that asset: a rough guide, which knows neither order books nor market impact.",
        tables=("break_even", "sharpe_at_costs", "trading", "capacity"),
        figures=("sharpe_by_cost",),
        optional=("capacity",),
        figures_first=True,
        compares=True,
    ),
    Section(
        "sources",
        "Where the result comes from",
        "Minimum variance chooses from the same assets under the same limits, but is told no "
        "forecast. The bars lead from its mean return to that of each forecaster: what acting on "
        "the forecasts earned, what was earned while a fallback was held, and the difference in "
        "costs. They add up, since these are mean returns and not compounded ones. A beta near 1 "
        "with an alpha within two standard errors of zero is the benchmark in other clothes. "
        "The crises were named beforehand and are the same for every choice of assets.",
        tables=(
            "attribution",
            "lead_by_year",
            "lead_by_asset",
            "exposures",
            "regressions",
            "crises",
        ),
        figures=("attribution_steps",),
        optional=("crises",),
        figures_first=True,
        compares=True,
    ),
    PUBLISHED_SECTION,
)

VERDICT_CAPTIONS = {
    "at_a_glance": "All answers side by side",
    "sharpe_tests": "Tests of equal Sharpe ratios: Jobson-Korkie-Memmel (JKM) and Ledoit-Wolf",
    "smallest_edges": "The smallest true advantage over the reference that would mostly be found",
    "forecast_tests": "Diebold-Mariano tests of equal squared errors of the forecasts",
    "superior_ability": "Hansen's test that no strategy beats the benchmark",
    "confidence_set": "All strategies at once: stepwise test and model confidence set",
    "deflated_sharpes": "Sharpe ratios beside the best that luck alone would give",
    "evaluated": "What was ever traded out of sample, by where it comes from",
    "overfitting": "The best of one half of the bars in the other half",
    "break_even": "The cost at which the lead is gone",
    "sharpe_at_costs": "Sharpe ratio (annualised) at other costs, one way",
    "trading": "How much is traded",
    "capacity": "Trades beside what the market traded",
    "attribution": "Mean return a year, less that of the portfolio without forecasts",
    "lead_by_year": "The same difference year by year",
    "lead_by_asset": "Assets whose selection earned most and least",
    "exposures": "Mean weight by group of assets",
    "regressions": "Regressions on two benchmarks, Newey-West standard errors",
    "crises": "Total return from the peak to the trough of named crises",
    **PUBLISHED_CAPTIONS,
}
