"""The page on what regime labels are worth inside the comparison of forecasters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.names import COMPARED_MEASURES, display_name
from regime_nas_pipeline.report.columns import Column, count, percent
from regime_nas_pipeline.report.page import render_page
from regime_nas_pipeline.report.section import Section
from regime_nas_pipeline.report.tables import Table, make_table

_WAYS = {
    "by_label": "regime",
    "by_probability": "probability",
    "volatility_target": "volatility",
    "in_the_loss": "loss",
}
_USES = {"overlay": "Overlay", "covariance": "Covariance", "supervision": "Supervision"}
_LABELS = {"none": "No labels", "shuffled": "Shuffled labels", "": ""}
_VERDICTS = {"none": "open", "unknown": "undefined"}

_USE = Column("Use", "text")
_OF = Column("Labels", "text")
_WAY = Column("By", "text")
_P = {
    "p_holm": Column("p", "p_value", 3, "Holm"),
    "verdict": Column("Verdict", "text"),
}
_SUMMARY = {
    "use": _USE,
    "labels": _OF,
    "way": _WAY,
    "n": count("Differences"),
    "mean": Column("Mean", unit="Sharpe"),
    "lowest": Column("Lowest"),
    "highest": Column("Highest"),
    "least_p": Column("Least p", "p_value", 3, "Holm"),
    "better": count("Better"),
    "worse": count("Worse"),
}
_DIFFERENCES = {
    "labels": _OF,
    "way": _WAY,
    "strategy": Column("Strategy", "text"),
    "plain": Column("Sharpe", unit="plain"),
    "difference": Column("Change"),
    "low": Column("From"),
    "high": Column("To"),
    **_P,
}
_SUPERVISION = {
    "metric": Column("Measure", "text"),
    "against": Column("Against", "text"),
    "variant": Column("Taught by", "text"),
    "full": Column("Mean", digits=4, unit="of the other"),
    "mean": Column("Mean", digits=4, unit="over seeds"),
    "difference": Column("Difference", digits=4),
    "low": Column("From", digits=4, unit="interval"),
    "high": Column("To", digits=4, unit="interval"),
    **_P,
}
_FIGURES = {
    "use": _USE,
    "labels": _OF,
    "way": _WAY,
    "strategy": Column("Strategy", "text"),
    "cagr": percent("Growth", 1, unit="% a year"),
    "volatility": percent("Volatility", -1, unit="% a year"),
    "sharpe": Column("Sharpe", better=1, unit="annualised"),
    "max_drawdown": percent("Max. drawdown", 1),
    "held": percent("Held", unit="% of wealth"),
    "traded": Column("Traded", unit="times a year"),
    "cost": percent("Costs", digits=2, unit="% a year"),
    "n_fallbacks": count("Fallbacks", "decisions"),
}
_LABELLERS = {
    "labels": _OF,
    "class": Column("Class", "text"),
    "regimes": Column("Regimes", "text"),
    "fits": count("Fits"),
    "effective_bars": Column("Bars of the regime", digits=0, unit="effective, mean"),
    "share": percent("Own covariance", unit="% of the blend, mean"),
}


def render_regime_uses(
    table: Mapping[str, Any],
    strategies: pd.DataFrame,
    figure: go.Figure,
    *,
    limits: Sequence[str],
) -> str:
    """Write the page as one self-contained HTML text.

    Args:
        table: ``comparison``, ``supervision``, ``summary``, ``covariances``, ``sentences``,
            ``headline``, ``labellers`` and the settings of the run beside them.
        strategies: Figures of everything that was traded.
        figure: Differences with their intervals.
        limits: What the data cannot show.
    """
    comparison = pd.DataFrame(table["comparison"])
    tables = [
        _table("uses_summary", "Over all strategies", pd.DataFrame(table["summary"]), _SUMMARY),
        *(_differences(comparison, use) for use in ("overlay", "covariance")),
        _supervision(pd.DataFrame(table["supervision"])),
        _table("uses_figures", "Everything that was traded", strategies, _FIGURES),
        _labellers(table),
    ]
    return render_page(
        title="RegimeNAS: what labels are worth",
        brand="what labels are worth",
        question="Is any use of regime labels worth money inside the comparison of forecasters?",
        headline=str(table["headline"]),
        facts=[
            (str(table["env"]), "environment"),
            (f"{table['first_decision']} to {table['last_decision']}", "decisions scored"),
            (str(len(table["labellers"])), "labellers"),
            (str(len(comparison)), "tests"),
            (str(table["seeds"]), "seeds where networks are trained"),
        ],
        sections=_sections(table),
        tables={each.name: each for each in tables if each.rows},
        figures={"regime_uses": figure},
        limits=limits,
        words={use: list(lines) for use, lines in table["sentences"].items()},
    )


def _table(name: str, caption: str, frame: pd.DataFrame, columns: Mapping[str, Column]) -> Table:
    named = frame.assign(
        **{
            key: [words.get(str(value), display_name(str(value))) for value in frame[key]]
            for key, words in (("use", _USES), ("labels", _LABELS), ("way", _WAYS))
            if key in frame
        }
    )
    kept = [column for column in columns if column in named]
    return make_table(name, caption, named[kept].reset_index(drop=True), columns=columns)


def _judged(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(verdict=[_VERDICTS.get(effect, effect) for effect in frame["effect"]])


def _differences(comparison: pd.DataFrame, use: str) -> Table:
    rows = _judged(comparison[comparison["use"] == use])
    if len(set(rows["way"])) == 1:
        rows = rows.drop(columns="way")
    return _table(f"uses_{use}", "Every difference, with its interval", rows, _DIFFERENCES)


def _supervision(rows: pd.DataFrame) -> Table:
    frame = _judged(rows).assign(
        metric=[COMPARED_MEASURES[str(name)].label for name in rows["metric"]],
        **{
            key: [_LABELS.get(str(name), display_name(str(name))) for name in rows[key]]
            for key in ("variant", "against")
        },
    )
    # Under another name, since what is compared with is no strategy here.
    columns = {"beside" if key == "against" else key: own for key, own in _SUPERVISION.items()}
    frame = frame.rename(columns={"against": "beside"})
    return make_table(
        "uses_supervision",
        "Networks trained again, over seeds",
        frame[list(columns)].reset_index(drop=True),
        columns=columns,
    )


def _labellers(table: Mapping[str, Any]) -> Table:
    rows = [
        {
            "labels": name,
            "class": str(facts["class"]).rpartition(".")[2],
            "regimes": ", ".join(facts["regimes"]),
            "fits": facts["fits"],
        }
        for name, facts in table["labellers"].items()
    ]
    frame = pd.DataFrame(rows).merge(pd.DataFrame(table["covariances"]), on="labels", how="left")
    return _table("uses_labellers", "Labellers", frame, _LABELLERS)


def _sections(table: Mapping[str, Any]) -> tuple[Section, ...]:
    size = f"{1.0 - table['level']:.2g}"
    overlay = table["overlay"]
    control = overlay["volatility_target"]
    return (
        Section(
            "all",
            "All uses at once",
            "Every labeller labels the market (the mean return of all assets in the universe) at "
            "each close, from prices up to that close and parameters fitted before it. A "
            "difference is the Sharpe ratio with labels less that of the same strategy without. "
            "It counts only if its p-value stays below "
            f"{size} after Holm's correction for all {len(table['comparison'])} tests of this "
            "page, and better and worse count what does. That nothing counts is the result to "
            "expect where labels tell nothing that pays. What does not count is open: it may be "
            "chance. Full dots count, hollow ones are open.",
            tables=("uses_summary",),
            figures=("regime_uses",),
            figures_first=True,
            compares=True,
        ),
        Section(
            "overlay",
            "Labels decide how much to hold",
            f"{100.0 * overlay['in_calm']:g} % of every strategy of the run is held in calm "
            f"regimes ({', '.join(overlay['calm'])}) and {100.0 * overlay['otherwise']:g} % in all "
            "others, by the most probable regime, or in proportion to the probabilities; decided "
            "at the close, traded after the lag, all costs paid. The control holds as much as "
            f"brings trailing volatility of the market over {control['window']} bars to "
            f"{100.0 * control['target']:g} % a year, at most {control['cap']:g}. The rest is "
            "cash, and the backtest credits cash with nothing, while Sharpe ratios subtract the "
            f"risk-free rate of {100.0 * table['risk_free']:.2f} % from every bar: holding half "
            "costs an overlay half of that rate, which real cash would have earned. Ledoit and "
            "Wolf's test, bar by bar.",
            tables=("uses_overlay",),
            compares=True,
        ),
        Section(
            "covariance",
            "Labels decide what the covariance is made of",
            "The same forecasts are traded again with the covariance of the regime that is the "
            "most probable one at the decision: past bars weigh as much as they were said to be "
            "in it, and the covariance of all bars counts as "
            f"{table['prior_bars']:g} bars beside them. Minimum variance reads nothing but the "
            "covariance. Equal weight and buy and hold read none and are left out. Ledoit and "
            "Wolf's test, bar by bar.",
            tables=("uses_covariance",),
            compares=True,
        ),
        Section(
            "supervision",
            "Labels teach the detector",
            "The network that was found is trained again with a cross-entropy of weight "
            f"{table['label_weight']:g} between its regime detector and the labels. Labels with "
            "the names of its blocks teach the block of their name. Others go by position: the "
            "most stressed regime teaches the volatility block, the calmer ones the trend and the "
            "range block, a single calm one both by half. Shuffled labels are pieces of the "
            "earlier labels of the first labeller at other bars. The test is Student's over "
            f"{table['seeds']} seeds; it says how sure the mean over networks is, and nothing "
            "about other dates. In this table Holm's correction is over the rows of a measure and "
            "of what they are set against.",
            tables=("uses_supervision",),
            compares=True,
        ),
        Section(
            "figures",
            "Figures of everything that was traded",
            "Traded counts what is bought and sold in multiples of wealth, without the first "
            "purchase.",
            tables=("uses_labellers", "uses_figures"),
            compares=True,
        ),
        Section("data", "The data", "What these prices cannot show."),
    )
