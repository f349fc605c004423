"""One row per claim of the paper: its figure, ours, and that of forecasting no change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.verdict.accuracy import NO_CHANGE
from regime_nas_pipeline.verdict.paper_claims import PUBLISHED, ratios, summarised

SUBJECT = "regime_nas"
_NO_FIGURE: dict[str, Any] = {"value": None, "statement": "no figure published"}


def claim_rows(
    scores: pd.DataFrame, costs: Mapping[str, Mapping[str, Any]], *, baseline: str
) -> list[dict[str, Any]]:
    """The paper's figures beside ours and beside what the no-change forecast scores.

    Args:
        scores: What :func:`~.paper_claims.claim_scores` returns.
        costs: Forecaster to ``epochs`` (mean of a fit), ``samples_per_fit``,
            ``samples_per_epoch`` and ``search_samples`` (gradient samples), ``search_hours``
            (None where unknown).
        baseline: The recurrent baseline.

    Returns:
        Rows with ``claim``, ``paper`` (or None), ``paper_says``, ``ours`` (median over seeds),
        ``low``, ``high``, ``seeds``, ``no_change`` (or None) and ``note``.
    """
    return [
        *_mae_rows(scores, baseline),
        *_r2_rows(scores, baseline),
        *_cost_rows(costs, baseline),
    ]


def _row(
    claim: str, key: str | None, values: list[float], no_change: float | None, note: str
) -> dict[str, Any]:
    published = None if key is None else PUBLISHED[key]
    found = summarised(values)
    return {
        "claim": claim,
        "paper": _NO_FIGURE["value"] if published is None else published.value,
        "paper_says": _NO_FIGURE["statement"] if published is None else published.statement,
        "ours": found["median"],
        "low": found["low"],
        "high": found["high"],
        "seeds": found["seeds"],
        "no_change": no_change,
        "note": note,
    }


def _mae_rows(scores: pd.DataFrame, baseline: str) -> list[dict[str, Any]]:
    other, subject = display_name(baseline), display_name(SUBJECT)
    rows = []
    for measure, where in (("mae_returns", "returns"), ("mae_levels", "price levels")):
        own = ratios(scores, measure, baseline, of=SUBJECT)
        still = ratios(scores, measure, baseline, of=NO_CHANGE)
        for scope, how in (("pooled", "pooled"), ("asset", "median asset")):
            rows.append(
                _row(
                    f"MAE of {subject} ÷ MAE of {other}, {where}, {how}",
                    "mae_ratio",
                    _by_seed(own, scope),
                    _by_seed_or_all(still, scope),
                    "Below 1, RegimeNAS has the smaller error. The published ratio would need a "
                    "baseline whose MAE is 5.08 times as large.",
                )
            )
    rows += [
        _row(
            f"MAE of {display_name(name)} ÷ MAE of no change, price levels, median asset",
            None,
            _by_seed(ratios(scores, "mae_levels", NO_CHANGE, of=name), "asset"),
            1.0,
            "Below 1, the forecast is better than the last price.",
        )
        for name in (SUBJECT, baseline)
    ]
    return rows


def _r2_rows(scores: pd.DataFrame, baseline: str) -> list[dict[str, Any]]:
    rows = []
    for measure, where, key in (
        ("r2_levels", "price levels", "r2"),
        ("r2_returns", "returns", None),
    ):
        for scope, how in (("pooled", "pooled"), ("asset", "median asset")):
            for name in (SUBJECT, baseline):
                values = scores[scores["forecaster"] == name].rename(columns={measure: "ratio"})
                still = scores[scores["forecaster"] == NO_CHANGE]
                rows.append(
                    _row(
                        f"R² of {display_name(name)}, {where}, {how}",
                        key if name == SUBJECT else None,
                        _by_seed(values, scope),
                        float(still.loc[still["scope"] == scope, measure].median()),
                        "Against the mean of what happened. On levels the last price alone "
                        "explains nearly everything."
                        if measure == "r2_levels"
                        else "Against the mean of what happened; 0 explains nothing.",
                    )
                )
    return rows


def _by_seed(table: pd.DataFrame, scope: str) -> list[float]:
    """Median over the groups of a scope, of each seed."""
    here = table[table["scope"] == scope]
    return [float(value) for value in here.groupby("seed")["ratio"].median()]


def _by_seed_or_all(table: pd.DataFrame, scope: str) -> float:
    """Median over groups, and then over the baseline's seeds."""
    return float(table.loc[table["scope"] == scope, "ratio"].median())


def _cost_rows(costs: Mapping[str, Mapping[str, Any]], baseline: str) -> list[dict[str, Any]]:
    rows = []
    for name, key in ((SUBJECT, "epochs"), (baseline, "epochs_baseline")):
        cost, who = costs[name], display_name(name)
        searched = cost["epochs"] + cost["search_samples"] / cost["samples_per_epoch"]
        rows += [
            _row(
                f"Epochs of one fit of {who}, search not counted",
                key,
                [cost["epochs"]],
                0.0,
                "Mean of all fits. Training stops early or when the budget is spent, which is the "
                "same for both.",
            ),
            _row(
                f"Epochs of one fit of {who}, search counted",
                key,
                [searched],
                0.0,
                "The search's gradient samples in epochs of a fit, added to the epochs of one.",
            ),
            _row(
                f"Gradient samples of the search of {who} ÷ those of one fit",
                None,
                [cost["search_samples"] / cost["samples_per_fit"]],
                0.0,
                "Independent of the machine.",
            ),
        ]
    hours = costs[SUBJECT]["search_hours"]
    rows.append(
        _row(
            f"Hours of the search of {display_name(SUBJECT)}",
            "search_gpu_hours",
            [] if hours is None else [hours],
            0.0,
            "Wall time here, on this machine's cores: the longest run of the search that was "
            "recorded. Another budget and other hardware than the paper's.",
        )
    )
    return rows


def claims_headline(rows: list[dict[str, Any]], *, env: str, baseline: str) -> str:
    """Two sentences: the errors' ratio, and what the last price alone explains.

    Args:
        rows: What :func:`claim_rows` returns.
        env: Environment that the figures come from.
        baseline: The recurrent baseline.
    """
    subject, other = display_name(SUBJECT), display_name(baseline)
    by_claim = {row["claim"]: row for row in rows}
    returns = by_claim[f"MAE of {subject} ÷ MAE of {other}, returns, pooled"]
    levels = by_claim[f"R² of {subject}, price levels, pooled"]
    return (
        f"In the environment '{env}' the MAE of {subject} on returns is {_said(returns['ours'])} "
        f"times that of {other}, over seeds {_said(returns['low'])} to {_said(returns['high'])}, "
        f"where the paper's claim amounts to {returns['paper']:g}. On price levels its R² is "
        f"{_said(levels['ours'], 4)}, and that of the last price alone "
        f"{_said(levels['no_change'], 4)}, where the paper reports more than {levels['paper']:g}."
    )


def _said(value: float | None, digits: int = 3) -> str:
    return "undefined" if value is None else f"{value:.{digits}f}"
