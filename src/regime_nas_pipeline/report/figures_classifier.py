"""Figures over forecasts of regimes: reliability, confusion, probability, and loss over time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.report.theme import (
    MUTED,
    REFERENCE_LINE,
    StrategyStyle,
    apply_theme,
    axis,
    date_labels,
    empty_figure,
    escape,
    new_figure,
    plain,
    significant,
    strategy_style,
    thinned,
    tint,
)

CLASSIFIER_STYLES = {
    "classifier": StrategyStyle("Classifier", "#d55e00", width=2.4, rank=1),
    "persistence": StrategyStyle("Last label, by its transitions", "#0072b2", rank=2),
    "hard_persistence": StrategyStyle("Last label, held certain", "#56b4e9", dash="dot", rank=3),
    "filter": StrategyStyle("Filter", "#009e73", dash="dash", rank=4),
    "transitions": StrategyStyle("Transition matrix", "#0072b2", rank=5),
    "base_rate": StrategyStyle("Base rate so far", "#8a8f98", dash="dot", rank=6),
}
"""How the classifier and its controls look, in figures and tables."""

_SURE = "#9a5b13"
"""Colour of the stressed and of the full share: the theme's colour of the volatile regime."""


def _styled(name: str) -> StrategyStyle:
    return CLASSIFIER_STYLES.get(name) or strategy_style(name)


def _in_order(names: pd.Series) -> list[str]:
    return sorted({str(name) for name in names}, key=lambda name: (_styled(name).rank, name))


def _line(name: str) -> dict[str, object]:
    style = _styled(name)
    return {"color": style.colour, "width": style.width, "dash": style.dash}


def class_reliability(table: pd.DataFrame, event: str) -> go.Figure:
    """How often a class came true after probabilities of each size, for every forecaster.

    Args:
        table: One row per forecaster, class and bin: forecaster, class, bin, predicted and
            realised (0 to 1), count (dates in the bin).
        event: The class that is drawn.
    """
    title = f"Reliability: how often “{escape(event)}” came true"
    rows = table[table["class"] == event]
    if rows.empty:
        return empty_figure(title, "No forecast of this class could be put into bins.")
    figure = new_figure(title, height=480)
    most = float(rows["count"].max())
    # Rare events have small probabilities: the axes end where the largest of either does.
    highest = min(1.02, 1.05 * float(rows[["predicted", "realised"]].max().max()))
    for name in _in_order(rows["forecaster"]):
        own = rows[rows["forecaster"] == name].sort_values("predicted")
        style = _styled(name)
        sizes = 4.0 + 9.0 * np.sqrt(own["count"].to_numpy(dtype=float) / most)
        figure.add_trace(
            go.Scatter(
                x=significant(own["predicted"]),
                y=significant(own["realised"]),
                customdata=own["count"].tolist(),
                name=style.label,
                legendrank=style.rank,
                mode="lines+markers",
                line=_line(name),
                marker={"color": style.colour, "size": significant(sizes, 3), "line": {"width": 0}},
                hovertemplate="said %{x:.1%}, came true %{y:.1%} (%{customdata} dates)",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=[0, highest],
            y=[0, highest],
            name="Said = came true",
            mode="lines",
            legendrank=100,
            line={"color": REFERENCE_LINE, "width": 1.2, "dash": "dash"},
            hoverinfo="skip",
        )
    )
    reach = {"tickformat": ".0%", "range": [-0.02 * highest, highest]}
    figure.update_layout(
        xaxis=axis("Mean probability in the bin", **reach),
        yaxis=axis("Share of dates on which it came true", **reach),
    )
    return plain(figure)


def confusion_matrix(table: pd.DataFrame) -> go.Figure:
    """Which class was held likeliest when each came true, one panel per forecaster.

    Args:
        table: One row per forecaster, truth and said: forecaster, truth, said, count, share (of
            the dates of that truth, blank where there are none).
    """
    title = "Confusion: share of each class's dates, by what was held likeliest"
    if table.empty:
        return empty_figure(title, "There is no forecast with a known outcome.")
    names = _in_order(table["forecaster"])
    classes = list(pd.unique(table["truth"]))
    figure = make_subplots(
        rows=1,
        cols=len(names),
        shared_yaxes=True,
        horizontal_spacing=0.03,
        subplot_titles=[_styled(name).label for name in names],
    )
    labels = [escape(name) for name in classes]
    for column, name in enumerate(names, start=1):
        own = table[table["forecaster"] == name].set_index(["truth", "said"])
        pairs = [[own.loc[truth, said] for said in classes] for truth in classes]
        shares = [significant((pair["share"] for pair in row), 4) for row in pairs]
        cells = [[_cell(pair["share"], pair["count"]) for pair in row] for row in pairs]
        figure.add_trace(
            go.Heatmap(
                z=shares,
                x=labels,
                y=labels,
                text=cells,
                texttemplate="%{text}",
                zmin=0,
                zmax=1,
                xgap=2,
                ygap=2,
                colorscale=[[0, "#ffffff"], [1, tint("#d6a25f", 1.0)]],
                showscale=False,
                hovertemplate="%{y} came true, %{x} was said: %{text}<extra></extra>",
            ),
            row=1,
            col=column,
        )
    apply_theme(figure, title, height=130 + 95 * len(classes), showlegend=False)
    figure.update_layout(margin={"t": 78})
    figure.update_annotations(font={"size": 12, "color": MUTED})
    figure.update_xaxes(axis("Held likeliest", showgrid=False))
    figure.update_yaxes(axis("", showgrid=False, autorange="reversed"))
    figure.update_yaxes(title={"text": "Came true"}, col=1)
    return plain(figure)


def _cell(share: float, count: int) -> str:
    return f"{share:.1%}<br>{count:,.0f}" if np.isfinite(share) else "never came"


def probability_over_time(
    probabilities: Mapping[str, pd.Series], outcome: pd.Series, event: str
) -> go.Figure:
    """Probability of a class at every date, above a ribbon of when it came true.

    Args:
        probabilities: Forecaster to the probability of the class, by decision date.
        outcome: Decision date to the class that came true.
        event: The class.
    """
    title = f"Probability of “{escape(event)}”, and when it came true"
    if not probabilities or outcome.empty:
        return empty_figure(title, "There is no forecast with a known outcome.")
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.86, 0.14], vertical_spacing=0.04
    )
    for name in _in_order(pd.Series(list(probabilities)))[::-1]:
        drawn = thinned(probabilities[name].rename("value").to_frame())
        style = _styled(name)
        figure.add_trace(
            go.Scatter(
                x=date_labels(drawn.index),
                y=significant(drawn["value"], 4),
                name=style.label,
                legendrank=style.rank,
                mode="lines",
                line={**_line(name), "width": 1.3 if style.rank == 1 else 0.9},
                opacity=1.0 if style.rank == 1 else 0.7,
                hovertemplate="%{y:.1%}",
            ),
            row=1,
            col=1,
        )
    came = thinned((outcome == event).astype(float).rename("came").to_frame())
    figure.add_trace(
        go.Scatter(
            x=date_labels(came.index),
            y=came["came"].tolist(),
            name=f"“{escape(event)}” came true",
            legendrank=99,
            mode="lines",
            line={"width": 0, "shape": "hv"},
            fill="tozeroy",
            fillcolor=_SURE,
            hoverinfo="skip",
        ),
        row=2,
        col=1,
    )
    apply_theme(figure, title, height=470, hovermode="x unified")
    figure.update_layout(
        xaxis=axis("", showticklabels=False),
        xaxis2=axis("Decision date"),
        yaxis=axis("Probability", tickformat=".0%", range=[-0.02, 1.02]),
        yaxis2=axis("", visible=False, range=[0, 1], fixedrange=True),
    )
    return plain(figure)


def precision_recall_curves(
    curves: pd.DataFrame, base_rate: float, *, event: str, average: Mapping[str, float]
) -> go.Figure:
    """Precision against recall for every forecaster, beside the base rate.

    Args:
        curves: One row per forecaster and threshold: forecaster, threshold, precision, recall.
        base_rate: Share of dates before an event: the precision of calling it always.
        event: The event in words.
        average: Forecaster to its average precision.
    """
    title = f"Precision and recall: {escape(event)}"
    if curves.empty:
        return empty_figure(title, "The event never came, so that there is nothing to find.")
    figure = new_figure(title, height=460)
    top = min(1.02, 1.1 * float(curves.loc[curves["recall"] > 0.0, "precision"].max()))
    for name in _in_order(curves["forecaster"])[::-1]:
        # Where no date is called there is no precision to speak of.
        own = curves[(curves["forecaster"] == name) & (curves["recall"] > 0.0)]
        drawn = thinned(own.sort_values(["recall", "threshold"], ascending=[True, False]))
        style = _styled(name)
        figure.add_trace(
            go.Scatter(
                x=significant(drawn["recall"], 4),
                y=significant(drawn["precision"], 4),
                customdata=significant(drawn["threshold"], 3),
                name=f"{style.label} (average precision {average[name]:.2f})",
                legendrank=style.rank,
                mode="lines+markers" if len(drawn) < 30 else "lines",
                line={**_line(name), "shape": "hv"},
                hovertemplate="from %{customdata:.1%} on: precision %{y:.1%}, recall %{x:.1%}",
            )
        )
    figure.add_hline(
        y=base_rate,
        line={"color": REFERENCE_LINE, "width": 1.2, "dash": "dash"},
        annotation={"text": f"Base rate {base_rate:.1%}", "font": {"size": 11, "color": MUTED}},
        annotation_position="top right",
    )
    figure.update_layout(
        xaxis=axis("Recall: share of the events called", tickformat=".0%", range=[0, 1.01]),
        yaxis=axis("Precision: share of calls that are right", tickformat=".0%", range=[0, top]),
    )
    return plain(figure)


def cumulative_loss_difference(gain: pd.DataFrame) -> go.Figure:
    """Log loss that the classifier has saved so far against each control.

    Args:
        gain: Date x control, cumulative difference of log losses in nats, rising where the
            classifier was better.
    """
    title = "Log loss saved by the classifier, cumulated: rising where it was better"
    if gain.empty:
        return empty_figure(title, "There is no control with a finite log loss.")
    figure = new_figure(title, height=400, hovermode="x unified")
    drawn = thinned(gain)
    for name in _in_order(pd.Series(list(gain.columns)))[::-1]:
        style = _styled(name)
        figure.add_trace(
            go.Scatter(
                x=date_labels(drawn.index),
                y=significant(drawn[name], 5),
                name=f"Against: {style.label[0].lower()}{style.label[1:]}",
                legendrank=style.rank,
                mode="lines",
                line={**_line(name), "width": 2.0},
                hovertemplate="%{y:+.2f} nats",
            )
        )
    figure.add_hline(y=0.0, line={"color": REFERENCE_LINE, "width": 1})
    figure.update_layout(
        xaxis=axis("Decision date"),
        yaxis=axis("Log loss saved so far (nats)"),
    )
    return plain(figure)
