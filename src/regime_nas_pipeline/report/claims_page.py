"""The page of the paper's claims: published, ours, and what forecasting no change scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.report.columns import Column
from regime_nas_pipeline.report.page import render_page
from regime_nas_pipeline.report.section import Section
from regime_nas_pipeline.report.tables import Table, make_table

_CLAIMS = {
    "claim": Column("Figure", "text"),
    "paper": Column("Paper", digits=3),
    "no_change": Column("No change", digits=4),
    "ours": Column("Ours", digits=4, unit="median of seeds"),
    "low": Column("From", digits=4, unit="of seeds"),
    "high": Column("To", digits=4, unit="of seeds"),
}
_READING = {
    "figure": Column("Figure", "text"),
    "paper_says": Column("The paper says", "text"),
    "note": Column("How to read ours", "text"),
}
_SCORES = {
    "mae_returns": Column("MAE", "percent", 3, "% log return", -1),
    "r2_returns": Column("R²", "percent", 2, "% on returns", 1),
    "mae_levels": Column("MAE", digits=4, unit="price", better=-1),
    "r2_levels": Column("R²", digits=5, unit="on price levels", better=1),
    "n": Column("Forecasts", "integer", 0),
}


def render_claims(
    table: Mapping[str, Any],
    scores: pd.DataFrame,
    figures: Mapping[str, go.Figure],
    *,
    baseline: str,
    limits: Sequence[str],
) -> str:
    """Write the page as one self-contained HTML text.

    Args:
        table: ``claims`` (rows), ``headline`` and the facts of the run beside them.
        scores: Accuracy per scope, group, forecaster and seed.
        figures: ``claims``.
        baseline: The recurrent baseline.
        limits: What the data cannot show.
    """
    frame = pd.DataFrame(table["claims"]).drop(columns="seeds")
    numbers = ["paper", "ours", "low", "high", "no_change"]
    frame[numbers] = frame[numbers].astype(float)
    tables = {
        "claims": make_table(
            "claims", "Published and measured", frame[list(_CLAIMS)], columns=_CLAIMS
        ),
        "claims_reading": make_table(
            "claims_reading", "How to read the figures", _reading(frame), columns=_READING
        ),
        "by_asset": _scores_table(scores, "asset", "Asset by asset"),
        "by_regime": _scores_table(scores, "regime", "Regime by regime"),
    }
    return render_page(
        title="RegimeNAS: the paper's claims",
        brand="the paper's claims",
        question="What do the published figures amount to beside a forecast of no change?",
        headline=table["headline"],
        facts=[
            (str(table["env"]), "environment"),
            (f"{table['first_decision']} to {table['last_decision']}", "out of sample"),
            (str(table["horizon"]), "bars ahead"),
            (str(table["seeds"]), "seeds"),
            (str(table["fits"]), "fits per seed"),
            (f"{table['max_samples']:,}", "gradient samples per fit"),
        ],
        sections=_sections(table, baseline),
        tables=tables,
        figures=figures,
        limits=limits,
    )


def _reading(claims: pd.DataFrame) -> pd.DataFrame:
    """What the paper says and how to read ours, once for all variants of a figure."""
    variant = ", (pooled|median asset)$"
    named = claims.assign(figure=claims["claim"].str.replace(variant, "", regex=True))
    return named[list(_READING)].drop_duplicates().reset_index(drop=True)


def _scores_table(scores: pd.DataFrame, scope: str, caption: str) -> Table:
    """Median over seeds of every group and forecaster."""
    rows = scores[scores["scope"] == scope]
    medians = rows.groupby(["group", "forecaster"], sort=False)[list(_SCORES)].median()
    frame = medians.reset_index().astype({"n": int})
    columns = {"group": Column(scope.capitalize(), "text"), **_SCORES}
    return make_table(f"by_{scope}", caption, frame, columns=columns)


def _sections(table: Mapping[str, Any], baseline: str) -> tuple[Section, ...]:
    return (
        Section(
            "published",
            "Published and measured",
            f"Published figures are those of {table['source']}. Ours come from a declared "
            "reconstruction on other data, so a difference refutes nothing by itself; what counts "
            "is the column of the no-change forecast, which expects the last price. A figure that "
            "it reaches too needs no network. Both networks had the same budget in search and "
            "training, and stopped by the same rule; what each used of it stands below. Errors on "
            "pooled price levels are those of the dearest assets, so the median asset stands "
            "beside them.",
            tables=("claims", "claims_reading"),
            compares=True,
        ),
        Section(
            "assets",
            "Asset by asset",
            "On the dashed line a forecast is as good as no change, or both networks are equally "
            "good. The solid line is the published figure. R² on levels is near 1 for anything "
            "that starts from the last price, the more so the further an asset's price moved.",
            tables=("by_asset",),
            figures=("claims",),
            figures_first=True,
            compares=True,
        ),
        Section(
            "regimes",
            "Regime by regime",
            f"Decision dates by their likeliest online label; RegimeNAS and {baseline.upper()} on "
            "the same values.",
            tables=("by_regime",),
            compares=True,
        ),
        Section("data", "The data", "What these prices cannot show."),
    )
