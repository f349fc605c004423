"""What came of the attention guide, in sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.names import display_name, name_in_sentence
from regime_nas_pipeline.portfolio.exposure.rules import BUY_AND_HOLD
from regime_nas_pipeline.walkforward.attention_guide import GuideResults
from regime_nas_pipeline.walkforward.guide_published import PUBLISHED_TRADED_BARS

_PUBLISHED = "published"


def guide_words(results: GuideResults, *, threshold: float, level: float = 0.05) -> list[str]:
    """Sentences on skill, earnings, the range of folds, costs and attention, in that order.

    Args:
        results: What came of the guide.
        threshold: Of the strategy.
        level: Below it a corrected p-value counts as more than luck.
    """
    said = [
        _skill(results.folds),
        _earned(results, threshold, level),
        _spread(results.ranges),
        _costs(results),
    ]
    if results.attention is not None:
        said.append(results.attention.pooled.caution)
    return said


def _names(results: GuideResults) -> list[str]:
    return [str(name) for name in results.break_even["model"]]


def _skill(folds: pd.DataFrame) -> str:
    parts = []
    for name, own in folds[folds["model"] != BUY_AND_HOLD].groupby("model", sort=False):
        better = int((own["r2_zero"] > 0.0).sum())
        parts.append(
            f"{name_in_sentence(str(name))} {better} of {len(own)} (median R² "
            f"{own['r2_zero'].median():.3f}, sign right on {_share(own, 'hit_rate'):.1%} of bars)"
        )
    rose = _share(folds[folds["model"] == BUY_AND_HOLD], "up_share")
    return (
        "Folds in which forecasts of the next bar were better than expecting no change: "
        f"{'; '.join(parts)}. The asset rose on {rose:.1%} of bars."
    )


def _share(folds: pd.DataFrame, column: str) -> float:
    known = folds.dropna(subset=[column])
    return float(np.average(known[column], weights=known["n"])) if len(known) else float("nan")


def _earned(results: GuideResults, threshold: float, level: float) -> str:
    by_strategy = results.figures.set_index("strategy")
    sharpe, exposure = by_strategy["sharpe"].to_dict(), by_strategy["mean_exposure"].to_dict()
    parts = []
    for name in _names(results):
        rows = results.tests[results.tests["subject"] == name]
        sure = len(rows) > 0 and bool((rows["p_holm"] < level).all())
        verdict = "not told from buy and hold"
        if sure:
            verdict = "better" if (rows["difference"] > 0.0).all() else "worse"
            verdict += " than buy and hold"
        ratio = "no Sharpe ratio" if np.isnan(sharpe[name]) else f"Sharpe {sharpe[name]:.2f}"
        parts.append(
            f"{name_in_sentence(name)} {ratio}, held {exposure[name]:.0%} of the time, {verdict}"
        )
    return (
        f"Held where the forecast lies above {threshold:.2%}, net of costs: {'; '.join(parts)}. "
        f"Buy and hold: Sharpe {sharpe[BUY_AND_HOLD]:.2f}. Differences count where every test of "
        f"Sharpe ratios is below {level:.0%} after Holm's correction."
    )


def _spread(ranges: pd.DataFrame) -> str:
    said = []
    for _, row in ranges.dropna(subset=["range"]).iterrows():
        name = str(row["model"])
        whose = "the published Transformer" if name == _PUBLISHED else name_in_sentence(name)
        said.append(
            f"{whose} {row['lowest']:.2f} to {row['highest']:.2f} over {row['n_folds']} folds of "
            f"{row['fold_bars']:.0f} bars, where chance gives a width of {row['chance_range']:.2f} "
            f"on average and one of at least {row['range']:.2f} in {row['p_value']:.0%} of cases"
        )
    return (
        f"Sharpe ratios of single folds: {'; '.join(said)}. Chance means that every fold had the "
        "same true ratio and independent returns; a width that it gives often says nothing about "
        f"regimes. Of each published fold, {PUBLISHED_TRADED_BARS} bars were traded."
    )


def _costs(results: GuideResults) -> str:
    parts = []
    for _, row in results.break_even.iterrows():
        name = display_name(str(row["model"]))
        if np.isfinite(row["break_even_bps"]):
            parts.append(
                f"{name} ends where buy and hold ends at {row['break_even_bps']:.1f} basis points "
                f"a trade ({row['trades']} trades)"
            )
        elif row["log_wealth"] <= row["log_wealth_held"]:
            parts.append(f"{name} ends below buy and hold even without costs")
        else:
            parts.append(f"{name} ends above buy and hold at any cost of a trade")
    crossed = results.curve[results.curve["crosses"]]
    said = f"{'. '.join(parts)}."
    if crossed.empty:
        return f"{said} At no threshold that was tried does any of them change sides."
    places = [
        f"{name_in_sentence(str(name))} at {', '.join(f'{at:.2%}' for at in own['threshold'])}"
        for name, own in crossed.groupby("model", sort=False)
    ]
    return (
        f"{said} Thresholds at which the lead over buy and hold changes sides: "
        f"{'; '.join(places)}. Which threshold would have been best is known afterwards only."
    )
