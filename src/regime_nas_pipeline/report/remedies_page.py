"""The page on calibration: what the forecasts claim, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.qualities import QUALITIES
from regime_nas_pipeline.report.columns import Column, count
from regime_nas_pipeline.report.page import render_page
from regime_nas_pipeline.report.section import Section
from regime_nas_pipeline.report.tables import Table, make_table
from regime_nas_pipeline.report.variant_tables import variant_tables

_MEANS = {
    "variant": Column("Variant", "text"),
    "cross_slope": Column("Slope", digits=2, unit="across assets"),
    "cross_slope_error": Column("Its error", digits=2, unit="by date"),
    "slope": Column("Slope", digits=2, unit="all forecasts"),
    "slope_error": Column("Its error", digits=2, unit="by date"),
    "spread_ratio": Column("Spread", digits=3, unit="forecast ÷ outcome"),
    "rank_ic": Column("Rank IC", digits=3, unit="-1 to 1"),
    "theil_u": Column("Theil's U", digits=3, unit="1 = no change"),
    "coverage_50": Column("Covered", "percent", 1, "% of 50"),
    "coverage_80": Column("Covered", "percent", 1, "% of 80"),
    "coverage_95": Column("Covered", "percent", 1, "% of 95"),
    "sharpe": Column("Sharpe", digits=2, unit="net of costs"),
    "gradient_samples": count("Gradient samples", "all fits"),
}
_FACTORS = {
    "fit": Column("Trained", "text"),
    "factor": Column("Factor", digits=2, unit="median"),
    "least": Column("Least", digits=2),
    "most": Column("Most", digits=2),
    "slope": Column("Slope", digits=2, unit="median, in the tail"),
    "slope_error": Column("Its error", digits=2, unit="median"),
    "floored": count("At 0", "fits"),
    "capped": count("At the cap", "fits"),
    "fits": count("Fits"),
}
_TRAINED = {"spread": "as found", "ranking_spread": "with ranking loss"}


def render_remedies(
    table: Mapping[str, Any],
    results: pd.DataFrame,
    factors: pd.DataFrame,
    figure: go.Figure,
    *,
    labels: Mapping[str, str],
    limits: Sequence[str],
) -> str:
    """Write the page as one self-contained HTML text.

    Args:
        table: ``comparison``, ``sentences``, ``headline`` and the facts of the run beside them.
        results: Tidy: forecaster, variant, seed, metric, value.
        factors: One row per calibrated fit.
        figure: Differences with their intervals.
        labels: Variant to its name in words.
        limits: What the data cannot show.
    """
    tables = {"means": _means_table(results, labels)}
    differences = variant_tables(
        pd.DataFrame(table["comparison"]),
        {metric: quality.label for metric, quality in QUALITIES.items()},
        labels,
        key="remedies",
        reference="plain",
        called="plain",
    )
    tables |= differences
    if len(factors):
        tables["factors"] = _factors_table(factors)
    return render_page(
        title="RegimeNAS: calibration",
        brand="calibration",
        question="Do the forecasts claim as much as they know, and what mends it if not?",
        headline=str(table["headline"]),
        facts=[
            (str(table["env"]), "environment"),
            (f"{table['first_decision']} to {table['last_decision']}", "decisions scored"),
            (str(table["seeds"]), "seeds per variant"),
            (str(table["fits"]), "fits per seed"),
            (f"{table['max_samples']:,}", "gradient samples per network"),
        ],
        sections=_sections(table, tuple(differences), bool(len(factors))),
        tables=tables,
        figures={"calibration": figure},
        limits=limits,
    )


def _means_table(results: pd.DataFrame, labels: Mapping[str, str]) -> Table:
    """Means over seeds, one row per forecaster and variant."""
    kept = results[results["metric"].isin(list(_MEANS))]
    wide = kept.groupby(["forecaster", "variant", "metric"], sort=False)["value"].mean().unstack()
    wide = wide.reindex(columns=[name for name in _MEANS if name in wide.columns])
    frame = wide.reset_index()
    frame["variant"] = [labels[name] for name in frame["variant"]]
    return make_table("means", "Means over seeds", frame, columns=_MEANS)


def _factors_table(factors: pd.DataFrame) -> Table:
    """What was learned in the validation tails, one row per forecaster and kind of training."""
    grouped = factors.groupby(["forecaster", "fit"], sort=False)
    frame = grouped.agg(
        factor=("factor", "median"),
        least=("factor", "min"),
        most=("factor", "max"),
        slope=("slope", "median"),
        slope_error=("slope_error", "median"),
        floored=("bound", lambda bounds: int((bounds == "floor").sum())),
        capped=("bound", lambda bounds: int((bounds == "cap").sum())),
        fits=("bound", "size"),
    ).reset_index()
    frame["fit"] = [_TRAINED.get(name, name) for name in frame["fit"]]
    return make_table("factors", "Factors learned in training", frame, columns=_FACTORS)


def _sections(
    table: Mapping[str, Any], differences: tuple[str, ...], scaled: bool
) -> tuple[Section, ...]:
    size = f"{1.0 - table['level']:.2g}"
    sections = [
        Section(
            "means",
            "How forecasts are calibrated",
            "The slope across assets is that of outcomes on forecasts, both as deviations from "
            "their mean over a date's assets: above 1 the forecasts are under-confident about "
            "differences between assets, below 1 they claim too much, at 0 they know nothing. Its "
            "error lets all assets of a date move together. A small spread alone is no fault: "
            "the spread of calibrated forecasts is that of outcomes times the correlation of the "
            "two. Intervals are normal ones around the mean forecast.",
            tables=("means",),
            compares=True,
        ),
        Section(
            "remedies",
            "What each remedy does",
            "Ranking loss adds a pairwise logistic loss on the order of the assets. Spread scaling "
            "multiplies deviations from the date's mean forecast by a factor learned in each "
            "fold's training window. GARCH volatilities take the place of the sample's in the "
            "covariance, and of the network's in the intervals; they leave the forecasts alone. "
            "Dots are mean differences under the same seeds, lines their intervals. Full dots are "
            f"better or worse with a p-value below {size} after Holm's correction over all "
            "forecasters and variants of the measure; for slopes and coverage better means nearer "
            "to the right value. The seeds are those of training: they say nothing about other "
            "dates. " + " ".join(table["sentences"].values()),
            tables=differences,
            figures=("calibration",),
            figures_first=True,
            compares=True,
        ),
    ]
    if scaled:
        sections.append(
            Section(
                "factors",
                "The factors that were learned",
                "A twin fitted before the validation tail forecasts the tail. The slope found "
                "there is drawn towards 1 the more, the less it is known, and kept between 0 and "
                f"{table['cap']:g}. At 0, higher forecasts did worse there.",
                tables=("factors",),
            )
        )
    return (*sections, Section("data", "The data", "What these prices cannot show."))
